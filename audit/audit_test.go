package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree is a made-up /proc: file contents by path, and links as "-> target".
type tree map[string]string

const (
	none    = "0000000000000000"
	network = "0000000000003000"
	ids     = "00000000000000c0"
)

func status3(name string, ppid int, uid, permitted, bounding, seccomp string) string {
	return fmt.Sprintf("Name:\t%s\nPPid:\t%d\nUid:\t%s\nGid:\t%s\nGroups:\t\nCapInh:\t%s\nCapPrm:\t%s\nCapEff:\t%s\nCapBnd:\t%s\nCapAmb:\t%s\nNoNewPrivs:\t1\nSeccomp:\t%s\nSeccomp_filters:\t1\n",
		name, ppid, strings.Repeat(uid+"\t", 4), strings.Repeat(uid+"\t", 4), none, permitted, permitted, bounding, none, seccomp)
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
	for i, fd := range fds {
		t[dir+fmt.Sprintf("fd/%d", i)] = "-> " + fd
	}
	t[dir+"limits"] = limitsText(limits)
	t[dir+"net/dev"] = "Inter-|\n face |\n    lo: 0\n"
	t[dir+"net/unix"] = "Num RefCount Protocol Flags Type St Inode Path\n0: 2 0 0 5 03 77\n"
	t[dir+"cmdline"] = "rvrrpd\x00-m1\x00"
}

// proper is a daemon as it should be.
func proper() tree {
	t := make(tree)
	t.process(100, status3("rvrrpd", 1, "0", network, network, "2"), "1", []string{"/dev/null", "socket:[5]"}, map[string]string{"Max core file size": "0"})
	t["100/root/bin"] = "x"
	t.process(101, status3("rvrrpd-spawn", 100, "0", ids, ids, "2"), "1", []string{"socket:[77]", "pipe:[1]", "pipe:[1]", "anon_inode:[eventpoll]", "anon_inode:[eventfd]"}, map[string]string{"Max core file size": "0"})
	t.process(102, status3("rvrrpd-netproc", 101, "65534", none, none, "2"), "2",
		[]string{"pipe:[1]", "pipe:[1]", "pipe:[1]", "socket:[8]", "socket:[9]", "anon_inode:[eventpoll]", "anon_inode:[eventfd]"},
		map[string]string{"Max core file size": "0", "Max open files": "2", "Max processes": "32", "Max file size": "0", "Max data size": "268435456"})
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

func (t tree) replace(path, old, new string) func() {
	return func() {
		if !strings.Contains(t[path], old) {
			panic(path + " has no " + old)
		}
		t[path] = strings.Replace(t[path], old, new, 1)
	}
}

func TestProper(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	ok, err := Run(Options{Out: &out, Proc: proper().write(t)})
	if err != nil || !ok || strings.Contains(out.String(), "FAIL") {
		t.Errorf("ok %v, %v:\n%s", ok, err, out.String())
	}
	out.Reset()
	if ok, err := Run(Options{Out: &out, Proc: proper().write(t), JSON: true}); err != nil || !ok {
		t.Errorf("ok %v, %v", ok, err)
	}
	var got struct {
		Pass    bool
		Daemons []Daemon
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || !got.Pass || len(got.Daemons) != 1 || len(got.Daemons[0].Processes) != 3 {
		t.Errorf("%v: %s", err, out.String())
	}
}

// TestBroken breaks each promise, and looks whether that one and no other fails.
func TestBroken(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path, old, new, sentence string
	}{
		{"privileges", "101/task/101/status", "NoNewPrivs:\t1", "NoNewPrivs:\t0", "no process of the daemon can gain privileges (no_new_privs)"},
		{"no filter", "102/task/102/status", "Seccomp:\t2", "Seccomp:\t0", "every thread is behind a seccomp filter"},
		{"core dump", "100/limits", "Max core file size        0                    0", "Max core file size        0                    unlimited", "no process leaves a core dump"},
		{"ambient", "100/task/100/status", "CapAmb:\t" + none, "CapAmb:\t" + network, "no capability is ambient"},
		{"parent's capabilities", "100/task/100/status", "CapPrm:\t" + network, "CapPrm:\t00000000002030c0", "the parent has CAP_NET_ADMIN and CAP_NET_RAW"},
		{"parent's bounding set", "100/task/100/status", "CapBnd:\t" + network, "CapBnd:\t000001ffffffffff", "the parent can get no other capability"},
		{"parent's inheritable set", "100/task/100/status", "CapInh:\t" + none, "CapInh:\t0000000000200000", "the parent inherits no capability to a program"},
		{"spawner's capabilities", "101/task/101/status", "CapEff:\t" + ids, "CapEff:\t00000000000030c0", "the spawner has CAP_SETUID and CAP_SETGID"},
		{"spawner's descriptors", "101/fd/9", "", "-> /etc/passwd", "the spawner holds no socket but that to the parent"},
		{"child's bounding set", "102/task/102/status", "CapBnd:\t" + none, "CapBnd:\t" + network, "the child has no capability in any set"},
		{"child is root", "102/task/102/status", "Uid:\t65534", "Uid:\t0", "the child runs as a user of its own, not root"},
		{"child's group", "102/task/102/status", "Groups:\t", "Groups:\t4 24", "the child runs as a user of its own, not root"},
		{"child's namespace", "102/ns/net", "net:[2]", "net:[1]", "the child has every namespace to itself"},
		{"child's root", "102/root/etc", "", "x", "the child's root directory is empty"},
		{"child's interface", "102/net/dev", "lo: 0", "eth0: 0", "the child's network has no interface but its own loopback"},
		{"child's descriptors", "102/fd/9", "", "-> socket:[10]", "the child holds its two lanes, the pipe for its last words, and nothing else"},
		{"child's files", "102/limits", "Max open files            2                    2", "Max open files            2                    20000", "the child can open no descriptor"},
		{"child's processes", "102/limits", "Max processes             32                   32", "Max processes             32                   4096", "the child can start a few threads, and no process"},
		{"child's file size", "102/limits", "Max file size             0                    0", "Max file size             0                    unlimited", "the child can write no file"},
		{"child's memory", "102/limits", "Max data size             268435456            268435456", "Max data size             268435456            unlimited", "the child's memory is bounded"},
	}
	shown := make(map[string]bool)
	for _, test := range tests {
		shown[test.sentence] = true
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tree := proper()
			tree.replace(test.path, test.old, test.new)()
			var out bytes.Buffer
			ok, err := Run(Options{Out: &out, Proc: tree.write(t)})
			if err != nil || ok {
				t.Fatalf("ok %v, %v", ok, err)
			}
			if n := strings.Count(out.String(), "FAIL"); n != 1 || !strings.Contains(out.String(), "FAIL "+test.sentence+": ") {
				t.Errorf("%d failures:\n%s", n, out.String())
			}
		})
	}
	for _, p := range promises {
		if !shown[p.sentence] && p.profile != "user" {
			t.Errorf("no test breaks %q", p.sentence)
		}
	}
}

// TestService: of a parent that is not root the spawner has nothing, and the
// child the same user.
func TestService(t *testing.T) {
	t.Parallel()
	tree := proper()
	for _, pid := range []string{"100", "101", "102"} {
		path := pid + "/task/" + pid + "/status"
		for _, old := range []string{"0\t0\t0\t0\t", "65534\t65534\t65534\t65534\t"} {
			tree[path] = strings.ReplaceAll(tree[path], "id:\t"+old, "id:\t990\t990\t990\t990\t")
		}
	}
	var out bytes.Buffer
	if ok, err := Run(Options{Out: &out, Proc: tree.write(t)}); err != nil || ok || !strings.Contains(out.String(), "FAIL the spawner has no capability") {
		t.Errorf("a spawner with capabilities: ok %v, %v:\n%s", ok, err, out.String())
	}
	tree["101/task/101/status"] = strings.ReplaceAll(tree["101/task/101/status"], ids, none)
	out.Reset()
	if ok, err := Run(Options{Out: &out, Proc: tree.write(t)}); err != nil || !ok {
		t.Errorf("ok %v, %v:\n%s", ok, err, out.String())
	}
	tree["102/task/102/status"] = strings.ReplaceAll(tree["102/task/102/status"], "990", "65534")
	out.Reset()
	if ok, err := Run(Options{Out: &out, Proc: tree.write(t)}); err != nil || ok || !strings.Contains(out.String(), "FAIL the child runs as the service user") {
		t.Errorf("another user: ok %v, %v:\n%s", ok, err, out.String())
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
	var out bytes.Buffer
	if ok, err := Run(Options{Out: &out, Proc: tree.write(t)}); err != nil || ok || !strings.Contains(out.String(), "0 processes are its child, not 1") {
		t.Errorf("ok %v, %v:\n%s", ok, err, out.String())
	}
	if ok, err := Run(Options{Out: &out, Proc: t.TempDir()}); ok || !errors.Is(err, ErrNone) {
		t.Errorf("nobody: ok %v, %v", ok, err)
	}
}
