//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// background is a daemon started with -m2.
type background struct {
	dir string
	n   *lab.Node
}

// start runs the command to its end, on a terminal that is a pipe.
func (b background) start(conf string) (status int, said string, took time.Duration) {
	begin := time.Now()
	argv := b.n.CommandLine(lab.Binary("rvrrpd"), "-m2", "-c", conf)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = filepath.Dir(conf)
	out, _ := cmd.CombinedOutput() // returns when nobody holds the pipe any more
	return cmd.ProcessState.ExitCode(), string(out), time.Since(begin)
}

func (b background) path(name string) string { return filepath.Join(b.dir, name) }

func (b background) read(name string) string {
	text, _ := os.ReadFile(b.path(name))
	return string(text)
}

func (b background) pid() int {
	pid, _ := strconv.Atoi(strings.TrimSpace(b.read("pid")))
	return pid
}

// await waits until a file has some words.
func (b background) await(t *testing.T, name, words string) {
	t.Helper()
	if !lab.Until(10*time.Second, func() bool { return strings.Contains(b.read(name), words) }) {
		t.Fatalf("no %q in %s:\n%s", words, name, b.read(name))
	}
}

// TestDaemonMode: rvrrpd -m2 comes back when the first states are reached, or
// with what is wrong; the daemon has no terminal, one pid file, logs that can
// be rotated, and leaves nothing behind.
func TestDaemonMode(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	before := l.R1.AtRest()
	b := background{t.TempDir(), l.R1}
	conf := filepath.Join(b.dir, "rvrrpd.conf")
	write := func(top, rest string) {
		if !strings.Contains(top, "user = ") { // a warning of nobody would be said at each start
			top = "user = \"61000\"\n" + top
		}
		text := fmt.Sprintf("pid = \"pid\"\nworking_dir = %q\nmain_log = \"main.log\"\nerror_log = \"error.log\"\nstate_dir = %q\n%s%s%s", b.dir, b.path("state"), top, auditConfiguration, rest)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("", "")
	if status, said, _ := b.start("rvrrpd.conf"); status == 0 || !strings.Contains(said, "rvrrpd.conf") { // not where the shell is
		t.Fatalf("a file that is not there: status %d: %s", status, said)
	}
	status, said, took := b.start(conf)
	if status != 0 || said != "" {
		t.Fatalf("status %d: %s\n%s", status, said, b.read("error.log"))
	}
	pid := b.pid()
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	if !strings.Contains(b.read("main.log"), "initialize->backup") {
		t.Errorf("came back after %v before the first state was reached:\n%s", took, b.read("main.log"))
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if f := strings.Fields(string(stat[strings.LastIndex(string(stat), ")")+1:])); err != nil || f[3] == strconv.Itoa(pid) || f[4] != "0" || f[2] == strconv.Itoa(os.Getpid()) {
		t.Errorf("session %s, terminal %s: %v", f[3], f[4], err)
	}
	if cwd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); cwd != b.dir {
		t.Errorf("works in %s", cwd)
	}
	if mask := lab.Status(pid)["Umask"]; mask != "0027" {
		t.Errorf("umask %s", mask)
	}
	for fd := range 3 {
		if target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); target != os.DevNull && target != b.path("error.log") {
			t.Errorf("descriptor %d is %s", fd, target)
		}
	}
	daemons, _ := audited(t)
	if d := one(t, daemons, pid); !d.Pass {
		t.Errorf("the audit: %q", failures(d))
	}

	if status, said, _ := b.start(conf); status != 1 || !strings.Contains(said, "runs already, process "+strconv.Itoa(pid)) {
		t.Errorf("a second daemon: status %d: %s", status, said)
	}
	if b.pid() != pid {
		t.Errorf("pid file: %q", b.read("pid"))
	}

	b.await(t, "main.log", "backup->active")
	for _, name := range []string{"main.log", "error.log"} {
		if err := os.Rename(b.path(name), b.path(name+".1")); err != nil {
			t.Fatal(err)
		}
	}
	syscall.Kill(pid, syscall.SIGUSR1)
	for _, name := range []string{"main.log", "error.log"} {
		if !lab.Until(5*time.Second, func() bool { _, err := os.Stat(b.path(name)); return err == nil }) {
			t.Errorf("%s is not opened anew", name)
		}
	}
	write("debug = 1\ntime_format = \"short\"\n", "version = 9\n")
	syscall.Kill(pid, syscall.SIGHUP)
	b.await(t, "main.log", "reload refused, nothing has changed")
	b.await(t, "error.log", "reload refused, nothing has changed")
	write("debug = 1\ntime_format = \"short\"\n", "")
	syscall.Kill(pid, syscall.SIGHUP)
	b.await(t, "main.log", "configuration loaded")
	if strings.Contains(b.read("error.log"), "configuration loaded") || strings.Contains(b.read("main.log.1"), "configuration loaded") || strings.Contains(b.read("error.log.1"), "reload refused") {
		t.Error("lines in the wrong file")
	}
	if lines := strings.Split(strings.TrimSpace(b.read("main.log")), "\n"); !strings.HasPrefix(lines[len(lines)-1], `time="`+time.Now().Format("Jan _2 2006 ")) {
		t.Errorf("time_format after the reload: %s", lines[len(lines)-1])
	}

	ended := lab.WatchExit(pid)
	syscall.Kill(pid, syscall.SIGUSR2)
	if !ended(5 * time.Second) {
		t.Fatal("it does not end for the next one")
	}
	if status, said, _ := b.start(conf); status != 0 {
		t.Fatalf("the next one: status %d: %s", status, said)
	}
	b.await(t, "main.log", "initialize->active")
	pid = b.pid()

	gone := lab.WatchExit(pid)
	syscall.Kill(pid, syscall.SIGTERM)
	if !gone(5 * time.Second) {
		t.Fatal("it does not end")
	}
	for _, name := range []string{"pid"} {
		if _, err := os.Stat(b.path(name)); !os.IsNotExist(err) {
			t.Errorf("%s is left behind: %v", name, err)
		}
	}
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}

	for words, change := range map[string][2]string{
		"no such user":            {"user = \"no-such-user\"\n", ""},
		"group: 300 is out of":    {"", "[[vrouter]]\ngroup = 300\ninterface = \"eth0\"\nvip = \"10.9.0.253\"\n"},
		"error_log: lstat /none:": {"", ""},
	} {
		write(change[0], change[1])
		if strings.HasPrefix(words, "error_log") {
			text, _ := os.ReadFile(conf)
			os.WriteFile(conf, []byte(strings.Replace(string(text), `"error.log"`, `"/none/x"`, 1)), 0o600)
		}
		want := 1
		if words != "no such user" {
			want = 78
		}
		if status, said, _ := b.start(conf); status != want || !strings.Contains(said, words) {
			t.Errorf("%s: status %d: %s", words, status, said)
		}
		if _, err := os.Stat(b.path("pid")); !os.IsNotExist(err) {
			t.Errorf("%s: pid file: %v", words, err)
		}
	}
}
