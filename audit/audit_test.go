package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tree is a made-up /proc: file contents by path, and links as "-> target".
type tree map[string]string

const (
	none       = "0000000000000000"
	network    = "0000000000003000"
	identities = "00000000000000c0"
)

func statusText(name string, ppid int, uid, permitted, bounding, filters string) string {
	return fmt.Sprintf("Name:\t%s\nPPid:\t%d\nUid:\t%s\nGid:\t%s\nGroups:\t\nCapInh:\t%s\nCapPrm:\t%s\nCapEff:\t%s\nCapBnd:\t%s\nCapAmb:\t%s\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t%s\n",
		name, ppid, strings.Repeat(uid+"\t", 4), strings.Repeat(uid+"\t", 4), none, permitted, permitted, bounding, none, filters)
}

func limitsText(values map[string]string) (s string) {
	s = fmt.Sprintf("%-26s%-21s%-21s%s\n", "Limit", "Soft Limit", "Hard Limit", "Units")
	for name, value := range values {
		s += fmt.Sprintf("%-26s%-21s%-21s%s\n", name, value, value, "x")
	}
	return s
}

func (t tree) process(pid int, text, space string, fds []string, limits map[string]string) {
	dir := fmt.Sprintf("%d/", pid)
	t[dir+"status"], t[dir+fmt.Sprintf("task/%d/status", pid)] = text, text
	for _, ns := range namespaces {
		t[dir+"ns/"+ns] = "-> " + ns + ":[" + space + "]"
	}
	t[dir+"root/"] = ""
	t[dir+"environ"] = ""
	t[dir+"mountinfo"] = "21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw\n22 21 0:5 / /dev rw - devtmpfs none rw\n"
	t[dir+"uid_map"] = "         0          0 4294967295\n"
	for i, fd := range fds {
		t[dir+fmt.Sprintf("fd/%d", i)] = "-> " + fd
	}
	t[dir+"limits"] = limitsText(limits)
	t[dir+"net/dev"] = "Inter-|\n face |\n    lo: 0\n"
	t[dir+"net/unix"] = "Num RefCount Protocol Flags Type St Inode Path\n0: 2 0 0 5 03 77\n"
	t[dir+"cmdline"] = ofParent + "\x00--conf=/etc/rvrrpd/rvrrpd.conf\x00"
	name, _, _ := strings.Cut(strings.TrimPrefix(text, "Name:\t"), "\n")
	if name == command {
		name = ofParent
	}
	t[dir+"exe"] = "-> /usr/libexec/rvrrpd/" + name
}

// proper is a daemon as it should be.
func proper() tree {
	t := make(tree)
	core := map[string]string{"Max core file size": "0", "Max open files": "1024", "Max data size": "536870912"}
	t.process(100, statusText("rvrrpd", 1, "0", network, network, "1"), "1", []string{"/dev/null", "socket:[5]", "socket:[78]"}, core)
	t["100/root/bin"] = "x"
	t.process(101, statusText("rvrrpd-spawn", 100, "0", identities, identities, "1"), "1",
		[]string{"socket:[77]", "pipe:[1]", "pipe:[1]", "anon_inode:[eventpoll]", "anon_inode:[eventfd]"}, core)
	t.process(102, statusText("rvrrpd-netproc", 101, "65534", none, none, "2"), "2",
		[]string{"pipe:[1]", "pipe:[1]", "pipe:[1]", "socket:[8]", "socket:[9]", "anon_inode:[eventpoll]", "anon_inode:[eventfd]"},
		map[string]string{"Max core file size": "0", "Max open files": "2", "Max processes": "32", "Max file size": "0",
			"Max locked memory": "0", "Max msgqueue size": "0", "Max data size": "268435456"})
	t["102/mountinfo"] = "40 39 0:30 / / ro,nosuid,nodev,noexec,relatime - tmpfs empty rw,size=4k\n"
	t["102/uid_map"] = "     65534      65534          1\n"
	t.keeper()
	return t
}

// service turns it into one of a service user.
func (t tree) service() tree {
	for _, pid := range []string{"100", "101", "102", "105"} {
		path := pid + "/task/" + pid + "/status"
		for _, old := range []string{"0\t0\t0\t0\t", "65534\t65534\t65534\t65534\t"} {
			t[path] = strings.ReplaceAll(t[path], "id:\t"+old, "id:\t990\t990\t990\t990\t")
		}
		t[path] = strings.ReplaceAll(t[path], identities, none)
	}
	t["102/uid_map"], t["105/uid_map"] = "0 990 1\n", "0 990 1\n"
	return t
}

// write makes the tree a directory.
func (t tree) write(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for path, text := range t {
		full := filepath.Join(dir, path)
		err := os.MkdirAll(filepath.Dir(full), 0o700)
		if target, is := strings.CutPrefix(text, "-> "); err == nil && is {
			err = os.Symlink(target, full)
		} else if err == nil && !strings.HasSuffix(path, "/") {
			err = os.WriteFile(full, []byte(text), 0o600)
		} else if err == nil {
			err = os.MkdirAll(full, 0o700)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// audit runs an audit of a tree; the owner of the files is that of a process
// that is not dumpable, unless said otherwise.
func (t tree) audit(tb testing.TB, json bool, owner uint32) (ok bool, out string) {
	tb.Helper()
	var b bytes.Buffer
	ok, err := Run(t.options(tb, &b, json, owner))
	if err != nil {
		tb.Fatal(err)
	}
	return ok, b.String()
}

func (t tree) options(tb testing.TB, out io.Writer, json bool, owner uint32) Options {
	tb.Helper()
	return Options{Out: out, Proc: t.write(tb), JSON: json, owner: func(path string) (uint32, error) {
		if filepath.Base(path) == "exe" { // root's, but for that of a user 1001
			return uint32(1001 * len(t[filepath.Base(filepath.Dir(path))+"/own"])), nil
		}
		return owner, nil
	}, uptime: func() (time.Duration, error) { return up, nil }}
}

func TestProper(t *testing.T) {
	t.Parallel()
	for name, tree := range map[string]tree{"root": proper(), "user": proper().service()} {
		if ok, out := tree.audit(t, false, 0); !ok || strings.Contains(out, "FAIL") || !strings.Contains(out, "profile "+name) {
			t.Errorf("%s: ok %v:\n%s", name, ok, out)
		}
		ok, out := tree.audit(t, true, 0)
		var got struct {
			Pass    bool
			Daemons []Daemon
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil || !ok || !got.Pass || len(got.Daemons) != 1 || len(got.Daemons[0].Processes) != 4 {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

// sniffing turns it into a sniffer.
func (t tree) sniffing() tree {
	t.powerless()
	t.without(105)
	t["100/cmdline"], t["100/exe"] = "rvrrpd-sniff\x00--iface=eth0\x00", "-> /usr/libexec/rvrrpd/"+sniffer
	for _, file := range []string{"100/status", "100/task/100/status"} {
		t[file] = strings.Replace(t[file], "Name:\trvrrpd\n", "Name:\t"+sniffer+"\n", 1)
	}
	return t
}

// powerless takes the parent's capabilities.
func (t tree) powerless() tree {
	t["100/task/100/status"] = strings.ReplaceAll(t["100/task/100/status"], network, none)
	return t
}

// TestSniffer: a sniffer has promises of its own; it breaks them with a
// capability, as a daemon does without.
func TestSniffer(t *testing.T) {
	t.Parallel()
	for name, tree := range map[string]tree{"root": proper().sniffing(), "user": proper().service().sniffing()} {
		if ok, out := tree.audit(t, false, 0); !ok || !strings.Contains(out, "profile sniffer") || !strings.Contains(out, "pass the sniffer has no capability") {
			t.Errorf("%s: ok %v:\n%s", name, ok, out)
		}
	}
	idle := proper().powerless()
	if ok, out := idle.audit(t, false, 0); ok || !strings.Contains(out, "FAIL the parent has CAP_NET_ADMIN and CAP_NET_RAW") {
		t.Errorf("a daemon without capabilities: ok %v:\n%s", ok, out)
	}
}

// TestCommand: what operators call is no daemon, whatever it is told; one that may not be
// looked at is the parent if it was executed as that.
func TestCommand(t *testing.T) {
	t.Parallel()
	tree := proper()
	tree.process(300, statusText(command, 1, "0", network, network, "0"), "1", []string{"/dev/null"}, map[string]string{})
	tree["300/exe"], tree["300/cmdline"] = "-> /usr/sbin/rvrrpd", "rvrrpd\x00-m2\x00"
	if ok, out := tree.audit(t, false, 0); !ok || strings.Contains(out, "300") {
		t.Errorf("ok %v:\n%s", ok, out)
	}
	for line, want := range map[string]bool{
		"rvrrpd-parent\x00--conf=/x\x00": true, "/usr/libexec/rvrrpd/rvrrpd-parent\x00": true, "rvrrpd\x00-m2\x00": false, "rvrrpd\x00-c\x00rvrrpd-parent\x00": false, "": false,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "cmdline"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := runsRouters(dir); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}

// TestStrangers: what anybody calls rvrrpd neither passes nor fails, and is told.
func TestStrangers(t *testing.T) {
	t.Parallel()
	core := map[string]string{}
	for name, change := range map[string]func(tree){
		"a program of a user's":          func(t tree) { t["300/own"] = "x" },
		"another program under the name": func(t tree) { t["300/exe"] = "-> /usr/bin/python3.13" },
		"a user's with a spawner of its own": func(t tree) {
			t.process(301, statusText("rvrrpd-spawn", 300, "1001", none, none, "0"), "1", []string{"/dev/null"}, core)
			t["300/own"], t["301/own"] = "x", "x"
		},
	} {
		tree := proper()
		tree.process(300, statusText("rvrrpd", 1, "1001", none, none, "0"), "1", []string{"/dev/null"}, core)
		change(tree)
		if ok, out := tree.audit(t, false, 0); !ok || !strings.Contains(out, "process 300 is called like rvrrpd") || strings.Count(out, "daemon ") != 1 {
			t.Errorf("%s: ok %v:\n%s", name, ok, out)
		}
	}
	tree := proper()
	tree.process(300, statusText("rvrrpd", 1, "0", network, network, "0"), "1", []string{"/dev/null"}, core)
	if ok, out := tree.audit(t, false, 0); ok || !strings.Contains(out, "0 processes are its spawner") {
		t.Errorf("a daemon without its spawner: ok %v:\n%s", ok, out)
	}
}

// TestEnding: a process that has given up its program ends, which may take a while, and is
// not looked at; and one that does so while it is looked at has the audit begin again.
func TestEnding(t *testing.T) {
	t.Parallel()
	tree := proper()
	tree.process(300, statusText("rvrrpd", 1, "0", network, network, "1"), "1", []string{"/dev/null"}, map[string]string{})
	delete(tree, "300/exe")
	delete(tree, "300/mountinfo")
	if ok, out := tree.audit(t, false, 0); !ok || strings.Contains(out, "300") {
		t.Errorf("ok %v:\n%s", ok, out)
	}
	for err, want := range map[error]bool{syscall.EINVAL: true, syscall.ENOENT: true, syscall.ESRCH: true, syscall.EACCES: false, nil: false} {
		if got := gone(&fs.PathError{Op: "open", Path: "/proc/300/mountinfo", Err: err}); got != want {
			t.Errorf("%v: gone %v", err, got)
		}
	}
}

// TestInsist: where a process ends while it is looked at, its daemon is looked at once
// more, and the others once.
func TestInsist(t *testing.T) {
	t.Parallel()
	tree, renumber := proper(), strings.NewReplacer("100", "200", "101", "201", "102", "202", "105", "205")
	for path, text := range proper() {
		if name := filepath.Base(path); name == "status" {
			text = strings.NewReplacer("PPid:\t100", "PPid:\t200", "PPid:\t101", "PPid:\t201").Replace(text)
		}
		tree[renumber.Replace(path)] = text
	}
	var out bytes.Buffer
	o := tree.options(t, &out, false, 0)
	ended, owner, looks := false, o.owner, make(map[string]int)
	o.owner = func(path string) (uint32, error) {
		looks[path]++
		if !ended && path == filepath.Join(o.Proc, "200", "environ") { // the parent comes first
			ended = true
			if err := os.RemoveAll(filepath.Join(o.Proc, "202")); err != nil {
				t.Error(err)
			}
		}
		return owner(path)
	}
	if ok, err := Run(o); ok || err != nil || !ended {
		t.Errorf("ok %v, %v, ended %v", ok, err, ended)
	}
	for _, want := range []string{"daemon 100, profile root: every promise is kept", "daemon 200, profile root: NOT AS PROMISED", "0 processes are its child"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if n := looks[filepath.Join(o.Proc, "102", "environ")]; n != 1 {
		t.Errorf("the other one was looked at %d times", n)
	}
}

// TestBroken breaks each promise, and looks whether that one and no other fails.
func TestBroken(t *testing.T) {
	t.Parallel()
	const parent, spawner, child = "100/task/100/status", "101/task/101/status", "102/task/102/status"
	limit := func(name, value string) string { return fmt.Sprintf("%-26s%-21s%-21s", name, value, value) }
	tests := []struct {
		name, path, old, new, sentence string
		service, sniffer, reader       bool
		owner                          uint32
		more                           map[string]string
	}{
		{name: "privileges", path: spawner, old: "NoNewPrivs:\t1", new: "NoNewPrivs:\t0", sentence: "no program it starts can have more privileges"},
		{name: "no filter", path: child, old: "Seccomp:\t2", new: "Seccomp:\t0", sentence: "every thread is behind a seccomp filter"},
		{name: "parent without a filter of its own", path: parent, old: "filters:\t1", new: "filters:\t0", sentence: "every thread is behind a seccomp filter"},
		{name: "core dump", path: "100/limits", old: limit("Max core file size", "0"), new: limit("Max core file size", "unlimited"), sentence: "it leaves no core dump"},
		{name: "dumpable", owner: 65534, sentence: "its memory is closed to its own user"},
		{name: "ambient", path: parent, old: "CapAmb:\t" + none, new: "CapAmb:\t" + network, sentence: "a program it starts gets no capability"},
		{name: "inheritable", path: spawner, old: "CapInh:\t" + none, new: "CapInh:\t" + network, sentence: "a program it starts gets no capability"},
		{name: "sniffer's capabilities", sniffer: true, path: parent, old: "CapPrm:\t" + none, new: "CapPrm:\t" + network, sentence: "the sniffer has no capability"},
		{name: "parent's capabilities", path: parent, old: "CapPrm:\t" + network, new: "CapPrm:\t00000000002030c0", sentence: "the parent has CAP_NET_ADMIN and CAP_NET_RAW"},
		{name: "parent's bounding set", path: parent, old: "CapBnd:\t" + network, new: "CapBnd:\t000001ffffffffff", sentence: "the parent can get no other capability"},
		{name: "parent's files", path: "100/limits", old: limit("Max open files", "1024"), new: limit("Max open files", "1048576"), sentence: "the parent's descriptors and memory are bounded"},
		{name: "parent's memory", path: "100/limits", old: limit("Max data size", "536870912"), new: limit("Max data size", "unlimited"), sentence: "the parent's descriptors and memory are bounded"},
		{name: "parent's listener", path: "100/net/tcp6", new: "  sl\n0: [::]:1 [::]:0 0A 0:0 0:0 0 0 0 78 1\n", sentence: "the parent listens on no TCP or UDP port"},
		{name: "spawner's capabilities", path: spawner, old: "CapEff:\t" + identities, new: "CapEff:\t00000000000030c0", sentence: "the spawner has CAP_SETUID and CAP_SETGID, and can get no other capability"},
		{name: "spawner's capabilities of a service", path: spawner, old: "CapPrm:\t" + none, new: "CapPrm:\t" + network, sentence: "the spawner has no capability", service: true},
		{name: "spawner's descriptors", path: "101/fd/9", new: "-> /etc/passwd", sentence: "the spawner holds its end of the parent's socket, the pipe for its last words, and nothing else"},
		{name: "child's bounding set", path: child, old: "CapBnd:\t" + none, new: "CapBnd:\t" + network, sentence: "the child has no capability and can get none"},
		{name: "child with the spawner's filter only", path: child, old: "filters:\t2", new: "filters:\t1", sentence: "the child has a seccomp filter of its own"},
		{name: "child is root", path: child, old: "Uid:\t65534", new: "Uid:\t0", sentence: "the child is a user of its own, in no other group"},
		{name: "child's group", path: child, old: "Groups:\t", new: "Groups:\t4 24", sentence: "the child is a user of its own, in no other group"},
		{name: "service's child is another", path: child, old: "Uid:\t990\t990", new: "Uid:\t990\t991", sentence: "the child is the service user, in no other group", service: true},
		{name: "child's users", path: "102/uid_map", old: "1\n", new: "65536\n", sentence: "the child's user namespace knows no other user"},
		{name: "child's root user", path: "102/uid_map", old: "65534          1\n", new: "0 1\n", sentence: "the child's user namespace knows no other user"},
		{name: "child's namespace", path: "102/ns/net", old: "net:[2]", new: "net:[1]", sentence: "the child has every namespace to itself"},
		{name: "child's root", path: "102/root/etc", new: "x", sentence: "the child's root directory is empty"},
		{name: "child's mounts", path: "102/mountinfo", new: "41 40 0:30 / /proc rw - proc proc rw\n", sentence: "the child has one mount, in which nothing can be written or executed"},
		{name: "child's writable mount", path: "102/mountinfo", old: "/ ro", new: "/ rw", sentence: "the child has one mount, in which nothing can be written or executed"},
		{name: "child's interface", path: "102/net/dev", old: "lo: 0", new: "eth0: 0", sentence: "the child's network has no interface but its own loopback"},
		{name: "child's descriptors", path: "102/fd/9", new: "-> socket:[10]", sentence: "the child holds its two lanes, the pipe for its last words, and nothing else"},
		{name: "child's files", path: "102/limits", old: limit("Max open files", "2"), new: limit("Max open files", "20000"), sentence: "the child can open no descriptor"},
		{name: "child's processes", path: "102/limits", old: limit("Max processes", "32"), new: limit("Max processes", "4096"), sentence: "the child can start a few threads"},
		{name: "child's file size", path: "102/limits", old: limit("Max file size", "0"), new: limit("Max file size", "unlimited"), sentence: "the child can write no file"},
		{name: "child's locked memory", path: "102/limits", old: limit("Max locked memory", "0"), new: limit("Max locked memory", "8388608"), sentence: "the child can lock no memory and make no message queue"},
		{name: "child's memory", path: "102/limits", old: limit("Max data size", "268435456"), new: limit("Max data size", "unlimited"), sentence: "the child's memory is bounded"},
		{name: "reader's memory", path: "103/limits", old: limit("Max data size", "268435456"), new: limit("Max data size", "unlimited"), sentence: "the reader is behind the same walls as the child", reader: true},
		{name: "keeper's memory", path: "105/limits", old: limit("Max data size", "268435456"), new: limit("Max data size", "unlimited"), sentence: "the keeper is behind the same walls as the child, but for what it holds"},
		{name: "keeper's files", path: "105/limits", old: limit("Max open files", "16"), new: limit("Max open files", "1024"), sentence: "the keeper can open few descriptors"},
		{name: "keeper's socket", path: "105/fd/11", new: "-> anon_inode:[signalfd]", sentence: "the keeper holds its lanes, the logs that it writes, a socket by which it sees routes, the pipe for its last words, and nothing else"},
		{name: "keeper's many logs", path: "105/fd/11", new: "-> /a", more: map[string]string{"105/fd/12": "-> /b", "105/fd/13": "-> /c", "105/fd/14": "-> /d"},
			sentence: "the keeper holds its lanes, the logs that it writes, a socket by which it sees routes, the pipe for its last words, and nothing else"},
	}
	broken := make(map[string]bool)
	for _, test := range tests {
		broken[test.sentence] = true
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tree := proper()
			if test.service {
				tree.service()
			}
			if test.sniffer {
				tree.sniffing()
			}
			if test.reader {
				tree.reader("rvrrpd-read")
			}
			if !strings.Contains(tree[test.path], test.old) {
				t.Fatalf("%s has no %q", test.path, test.old)
			}
			if test.path != "" && test.old == "" {
				tree[test.path] += test.new
			} else {
				tree[test.path] = strings.Replace(tree[test.path], test.old, test.new, 1)
			}
			delete(tree, "")
			maps.Copy(tree, test.more)
			ok, out := tree.audit(t, false, test.owner)
			want := 1
			if test.owner != 0 { // the child's and the keeper's
				want = 2
			}
			if n := strings.Count(out, "  FAIL"); ok || n != want || !strings.Contains(out, "FAIL "+test.sentence+": ") {
				t.Errorf("ok %v, %d failures:\n%s", ok, n, out)
			}
		})
	}
	for _, p := range promises {
		if !broken[p.sentence] {
			t.Errorf("no test breaks %q", p.sentence)
		}
	}
}

// TestEveryThread: one thread that is not as promised is enough.
func TestEveryThread(t *testing.T) {
	t.Parallel()
	tree := proper()
	tree["102/task/103/status"] = strings.Replace(tree["102/task/102/status"], "filters:\t2", "filters:\t1", 1)
	if ok, out := tree.audit(t, false, 0); ok || !strings.Contains(out, "FAIL the child has a seccomp filter of its own: ") || !strings.Contains(out, "thread 103") {
		t.Errorf("ok %v:\n%s", ok, out)
	}
}

// TestDocumented: every promise is explained in docs/audit.md.
func TestDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range promises {
		if !strings.Contains(string(text), "| "+p.sentence+" |") {
			t.Errorf("docs/audit.md has no row for %q", p.sentence)
		}
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	tree := proper()
	for path := range tree {
		if strings.HasPrefix(path, "102/") {
			delete(tree, path)
		}
	}
	if ok, out := tree.audit(t, false, 0); ok || !strings.Contains(out, "0 processes are its child, not 1") {
		t.Errorf("ok %v:\n%s", ok, out)
	}
	var out bytes.Buffer
	tree = proper()
	for path := range tree {
		if strings.HasSuffix(path, "/status") {
			tree[path] += "State:\tZ (zombie)\n"
		}
	}
	for name, dir := range map[string]string{"nobody": t.TempDir(), "the dead": tree.write(t)} {
		if ok, err := Run(Options{Out: &out, Proc: dir}); ok || !errors.Is(err, ErrNone) {
			t.Errorf("%s: ok %v, %v", name, ok, err)
		}
	}
	tree = proper()
	delete(tree, "102/limits") // it ends while it is looked at, and again
	if ok, err := Run(Options{Out: &out, Proc: tree.write(t)}); ok || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a process: ok %v, %v", ok, err)
	}
}

// TestActivated: a spawner that a service manager has started belongs to the
// only daemon without one; where there are two, to nobody.
func TestActivated(t *testing.T) {
	t.Parallel()
	tree := proper()
	for _, path := range []string{"101/status", "101/task/101/status"} {
		tree[path] = strings.Replace(tree[path], "PPid:\t100", "PPid:\t1", 1)
	}
	tree["101/fd/1"], tree["101/fd/2"] = "-> socket:[70]", "-> socket:[71]"
	tree["101/task/101/status"] = strings.Replace(tree["101/task/101/status"], "filters:\t1", "filters:\t9", 1)
	for _, path := range []string{"102/task/102/status", "105/task/105/status"} {
		tree[path] = strings.Replace(tree[path], "filters:\t2", "filters:\t10", 1)
	}
	if ok, out := tree.audit(t, false, 0); !ok || strings.Contains(out, "FAIL") {
		t.Errorf("one: ok %v:\n%s", ok, out)
	}
	tree["101/fd/5"] = "-> socket:[72]"
	if ok, out := tree.audit(t, false, 0); ok || !strings.Contains(out, "4 sockets") {
		t.Errorf("a socket too many: ok %v:\n%s", ok, out)
	}
	delete(tree, "101/fd/5")
	for path, text := range tree {
		if other, is := strings.CutPrefix(path, "100/"); is {
			tree["200/"+strings.ReplaceAll(other, "task/100/", "task/200/")] = text
		}
	}
	if ok, out := tree.audit(t, false, 0); ok || strings.Count(out, "0 processes are its spawner, not 1") != 2 {
		t.Errorf("two: ok %v:\n%s", ok, out)
	}
}
