//go:build lab

package sandbox_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"golang.org/x/sys/unix"
)

// nobody is the user and group the attempts run as.
const nobody = 65534

// expected is what must come of the attempts that are not simply killed.
var expected = map[string]string{
	"threads": "done", "collector": "done", "wait": "done",
	"memory": "exit 2", "panic": "exit 2",
}

// child is an attempt that stands behind its walls.
type child struct {
	pid  int
	lane *os.File
	word *os.File
	ws   syscall.WaitStatus
	once sync.Once
}

var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sandbox")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "attempt")
	cmd := exec.Command("go", "build", "-o", path, "./attempt")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	// What whoever started the test left open is not for the children.
	if err := unix.CloseRange(3, 1<<32-1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		panic(err)
	}
	code := m.Run()
	if path, err := program(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// start starts an attempt exactly as the parent starts the network process,
// and waits until it says that it is confined.
func start(tb testing.TB, attempt string) *child {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Fatal("needs root")
	}
	path, err := program()
	if err != nil {
		tb.Fatal(err)
	}
	var ours, theirs []int
	for range 2 {
		lane, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			tb.Fatal(err)
		}
		ours, theirs = append(ours, lane[0]), append(theirs, lane[1])
	}
	r, w, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	c := &child{word: r}
	// As the parent does: by a descriptor that is out of the way.
	exe, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	high, err := unix.FcntlInt(uintptr(exe), unix.F_DUPFD_CLOEXEC, 100)
	if err != nil {
		tb.Fatal(err)
	}
	ids := []syscall.SysProcIDMap{{ContainerID: nobody, HostID: nobody, Size: 1}}
	c.pid, err = syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(high), []string{"attempt"}, &syscall.ProcAttr{
		Dir: "/", Files: []uintptr{w.Fd(), w.Fd(), w.Fd(), uintptr(theirs[0]), uintptr(theirs[1])},
		Env: []string{sandbox.StageVariable + "=1", "ATTEMPT=" + attempt, "GOMAXPROCS=2", "GODEBUG=updatemaxprocs=0",
			"GOMEMLIMIT=64MiB", "GOTRACEBACK=all"},
		Sys: &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC |
				unix.CLONE_NEWUTS | unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP,
			UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
			Credential:  &syscall.Credential{Uid: nobody, Gid: nobody},
			AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP},
			Setsid:      true,
		},
	})
	w.Close()
	for _, fd := range append(theirs, exe, high) {
		unix.Close(fd)
	}
	if err != nil {
		tb.Fatal(err)
	}
	c.lane = os.NewFile(uintptr(ours[0]), "lane")
	tb.Cleanup(func() {
		unix.Kill(c.pid, unix.SIGKILL)
		c.wait()
		c.lane.Close()
		unix.Close(ours[1])
		r.Close()
	})
	unix.SetsockoptTimeval(ours[0], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10})
	if got := c.hear(); got != "confined" {
		c.wait()
		words, _ := io.ReadAll(r)
		tb.Fatalf("%s: it said %q and %s, status %#x", attempt, got, words, c.ws)
	}
	return c
}

// hear reads one datagram; "" is the end.
func (c *child) hear() string {
	b := make([]byte, 4096)
	for {
		n, err := unix.Read(int(c.lane.Fd()), b)
		if err != unix.EINTR {
			return string(b[:max(n, 0)])
		}
	}
}

func (c *child) proceed() { unix.Write(int(c.lane.Fd()), []byte("go")) }

func (c *child) wait() {
	c.once.Do(func() {
		for {
			if _, err := syscall.Wait4(c.pid, &c.ws, 0, nil); err != syscall.EINTR {
				return
			}
		}
	})
}

// result is what came of it: what it said, or how it ended.
func (c *child) result() string {
	if said := c.hear(); said != "" {
		return said
	}
	c.wait()
	if c.ws.Signaled() {
		return unix.SignalName(c.ws.Signal())
	}
	return fmt.Sprintf("exit %d", c.ws.ExitStatus())
}

// names lists the attempts.
func names(t *testing.T) (out []string) {
	t.Helper()
	source, err := os.ReadFile("attempt/attempts.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(source)) {
		if rest, is := strings.CutPrefix(strings.TrimSpace(line), `"`); is {
			for _, part := range strings.Split(`"`+rest, ", ") {
				if name, _, is := strings.Cut(strings.TrimPrefix(part, `"`), `":`); is && strings.HasPrefix(part, `"`) {
					out = append(out, name)
				}
			}
		}
	}
	return out
}

// TestAttempts tries one thing after another, each behind walls of its own.
func TestAttempts(t *testing.T) {
	all := names(t)
	if len(all) < 70 {
		t.Fatalf("only %d attempts found: %v", len(all), all)
	}
	for name := range expected {
		if !slices.Contains(all, name) {
			t.Errorf("attempt %q is not found", name)
		}
	}
	for _, name := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, special := expected[name]
			if !special {
				want = "SIGSYS"
			}
			c := start(t, name)
			c.proceed()
			if got := c.result(); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
			if name == "panic" {
				b := make([]byte, 1<<16)
				n, _ := c.word.Read(b)
				if words := string(b[:n]); !strings.Contains(words, "nil pointer dereference") || !strings.Contains(words, "main.crash") {
					t.Errorf("its last words are %q", words)
				}
			}
		})
	}
}

// TestStopAndContinue: a process that is stopped in a system call and goes on
// makes one that it did not make before.
func TestStopAndContinue(t *testing.T) {
	t.Parallel()
	c := start(t, "wait")
	c.proceed()
	stopped := func() bool {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.pid))
		_, after, _ := strings.Cut(string(b), ") ")
		return strings.HasPrefix(after, "T")
	}
	unix.Kill(c.pid, unix.SIGSTOP)
	for end := time.Now().Add(5 * time.Second); !stopped(); {
		if time.Now().After(end) {
			t.Fatal("does not stop")
		}
	}
	unix.Kill(c.pid, unix.SIGCONT)
	if got := c.result(); got != "done" {
		t.Errorf("after SIGCONT: %s", got)
	}
}

// TestSeenFromOutside compares what /proc tells about a confined process with
// what is promised, for every thread.
func TestSeenFromOutside(t *testing.T) {
	t.Parallel()
	c := start(t, "wait")
	proc := fmt.Sprintf("/proc/%d/", c.pid)
	none := "0000000000000000"
	want := map[string]string{
		"Uid": "65534 65534 65534 65534", "Gid": "65534 65534 65534 65534", "Groups": "",
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none, "NoNewPrivs": "1", "Seccomp": "2",
	}
	tasks, err := os.ReadDir(proc + "task")
	if err != nil || len(tasks) == 0 {
		t.Fatal(tasks, err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(proc + "task/" + task.Name() + "/status")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for line := range strings.Lines(string(status)) {
			key, value, _ := strings.Cut(line, ":")
			got[key] = strings.Join(strings.Fields(value), " ")
		}
		for key, value := range want {
			if got[key] != value {
				t.Errorf("thread %s: %s is %q, want %q", task.Name(), key, got[key], value)
			}
		}
	}
	for _, ns := range []string{"user", "pid", "net", "ipc", "uts", "mnt", "cgroup"} {
		ours, _ := os.Readlink("/proc/self/ns/" + ns)
		theirs, err := os.Readlink(proc + "ns/" + ns)
		if err != nil || ours == theirs {
			t.Errorf("%s namespace is %q, ours %q, %v", ns, theirs, ours, err)
		}
	}
	for folder, want := range map[string]string{"root": "", "fd": "0 1 2 3 4 5 6"} {
		entries, err := os.ReadDir(proc + folder)
		var got []string
		for _, e := range entries {
			got = append(got, e.Name())
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s holds %v, want %q, %v", folder, got, want, err)
		}
	}
	dev, err := os.ReadFile(proc + "net/dev")
	if err != nil || strings.Count(string(dev), "\n") != 3 || !strings.Contains(string(dev), "lo:") {
		t.Errorf("interfaces: %s, %v", dev, err)
	}
	limits, err := os.ReadFile(proc + "limits")
	for _, want := range []string{"Max open files 2 2", "Max processes 32 32", "Max core file size 0 0", "Max file size 0 0", "Max locked memory 0 0"} {
		if !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), want) {
			t.Errorf("no %q in the limits, %v:\n%s", want, err, limits)
		}
	}
	c.proceed()
	if got := c.result(); got != "done" {
		t.Errorf("afterwards: %s", got)
	}
}

// BenchmarkConfinement is the time from the start of the program to the word
// that it is confined.
func BenchmarkConfinement(b *testing.B) {
	for b.Loop() {
		start(b, "wait")
	}
}
