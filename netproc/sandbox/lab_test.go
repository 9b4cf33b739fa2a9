//go:build lab

package sandbox_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// expected is what must come of the attempts that are not simply killed.
var expected = map[string]string{
	"name of a mapping": "refused: invalid argument", "three descriptors": "refused: invalid argument",
	"wait": "done", "timeouts": "done", "threads": "done", "collector": "done", "timers": "done", "wake": "done", "random": "done",
	"memory": "exit 2", "thread bomb": "exit 2", "panic": "exit 2",
}

// ofKeeper is what comes of those that the keeper may do: it writes to what it was handed, and
// asks on its second lane.
var ofKeeper = map[string]string{
	"three descriptors": "succeeded", "write control lane": "/", "write standard output": "succeeded", "close": "exit 0",
	"sendto frames lane": "succeeded",
}

// words are what must be among the last words of some.
var words = map[string][]string{
	"panic":       {"nil pointer dereference", "main.crash", "goroutine 1 "},
	"memory":      {"out of memory"},
	"thread bomb": {"failed to create new OS thread"},
}

// conversations are the attempts with tests of their own.
var conversations = []string{"exchange", "busy", "sleep"}

// names lists the attempts.
func names(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command(programs.attempt).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// TestAttempts tries one thing after another, each behind walls of its own.
func TestAttempts(t *testing.T) {
	t.Parallel()
	all := names(t)
	if len(all) < 100 {
		t.Fatalf("only %d attempts: %v", len(all), all)
	}
	for name := range expected {
		if !slices.Contains(all, name) {
			t.Errorf("attempt %q is not there", name)
		}
	}
	ways := maps.Clone(profiles)
	ways["keeper"] = asKeeper
	for profile, way := range ways {
		table := newTable(t, profile)
		for _, name := range all {
			if slices.Contains(conversations, name) {
				continue
			}
			t.Run(profile+" "+name, func(t *testing.T) {
				t.Parallel()
				want, got := try(t, way(name))
				table.add(name, want, got)
			})
		}
	}
}

// try makes one attempt and says what came of it.
func try(t *testing.T, h how) (want, got string) {
	t.Helper()
	name := h.attempt
	want, special := expected[name]
	if h.walls == "rvrrpd-keeper" && ofKeeper[name] != "" {
		want, special = ofKeeper[name], true
	}
	switch {
	case strings.HasPrefix(name, "int 0x80") && !gated(name):
		want = "exit 2"
	case !special:
		want = "SIGSYS"
	}
	c := begin(t, h)
	c.proceed()
	if got = c.result(); got != want {
		t.Errorf("%s: %s, want %s; last words %q", name, got, want, c.lastWords())
	}
	if want == "done" {
		if got := c.ending(); got != "exit 0" {
			t.Errorf("%s: %s in the end; last words %q", name, got, c.lastWords())
		}
	}
	for _, w := range words[name] {
		if got := c.lastWords(); !strings.Contains(got, w) {
			t.Errorf("%s: %q is not in its last words %q", name, w, got)
		}
	}
	return want, got
}

// gated says whether this machine has the 32-bit gate: where the kernel, or who
// emulates the processor, has none, an interrupt is a fault for everybody,
// behind walls or not.
func gated(name string) bool {
	cmd := exec.Command(programs.attempt)
	cmd.Env = append(os.Environ(), "ATTEMPT="+name, "GOTRACEBACK=none")
	said, err := cmd.Output()
	return err == nil && strings.TrimSpace(string(said)) == "succeeded"
}

// table prints at the end what came of every attempt.
type table struct {
	sync.Mutex
	rows []string
}

func newTable(t *testing.T, profile string) *table {
	tab := &table{}
	t.Cleanup(func() {
		slices.Sort(tab.rows)
		t.Logf("attempts of a hostile network process, profile %s:\n%-40s %-30s %s\n%s", profile, "attempt", "must be", "was", strings.Join(tab.rows, ""))
	})
	return tab
}

func (tab *table) add(name, want, got string) {
	tab.Lock()
	defer tab.Unlock()
	tab.rows = append(tab.rows, fmt.Sprintf("%-40s %-30s %s\n", name, want, got))
}

// TestExchange: what comes on the frames lane goes back on the control lane,
// datagram by datagram.
func TestExchange(t *testing.T) {
	t.Parallel()
	c := start(t, "exchange")
	c.proceed()
	for _, s := range []string{"a frame", strings.Repeat("x", 4096), "\x00"} {
		if _, err := unix.Write(c.frames, []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"a frame", strings.Repeat("x", 4096), "\x00", "done"} {
		if got := c.hear(); got != want {
			t.Errorf("got %.20q, %d bytes, want %.20q; last words %q", got, len(got), want, c.lastWords())
		}
	}
}

// TestStopAndContinue: a process that is stopped in a system call and goes on
// makes one that it did not make before. Its threads wait in several ways.
func TestStopAndContinue(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"wait": "done", "busy": "done", "exchange": "hello"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, name)
			c.proceed()
			for range 20 {
				unix.Kill(c.pid, unix.SIGSTOP)
				var ws unix.WaitStatus
				if _, err := unix.Wait4(c.pid, &ws, unix.WUNTRACED, nil); err != nil || !ws.Stopped() {
					c.once.Do(func() { c.ws = syscall.WaitStatus(ws) })
					t.Fatalf("instead of stopping: %s, %v; last words %q", c.ending(), err, c.lastWords())
				}
				unix.Kill(c.pid, unix.SIGCONT)
			}
			unix.Write(c.frames, []byte("hello"))
			c.proceed()
			if got := c.result(); got != want {
				t.Errorf("after SIGCONT: %s; last words %q", got, c.lastWords())
			}
		})
	}
}

// TestTerminated: a signal that ends the process ends it as the Go runtime
// does it, not as a violation; those that are the parent's do nothing.
func TestTerminated(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{unix.SIGABRT, unix.SIGQUIT} {
		c := start(t, "sleep")
		for _, ignored := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE} {
			unix.Kill(c.pid, ignored)
		}
		unix.Kill(c.pid, sig)
		if got := c.ending(); got != "exit 2" {
			t.Errorf("%s: %s; last words %q", unix.SignalName(sig), got, c.lastWords())
		}
	}
}

// TestDeathOfTheParent: the child does not outlive its parent.
func TestDeathOfTheParent(t *testing.T) {
	t.Parallel()
	var pid int
	if _, err := fmt.Fscan(doomedSays, &pid); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, 0); n != 0 || err != nil {
		t.Fatalf("process %d has ended before its parent, %v", pid, err)
	}
	if err := doomed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	doomed.Wait()
	if n, err := unix.Poll(fds, 5000); n != 1 || err != nil {
		t.Errorf("process %d lives on, %v", pid, err)
	}
}

// TestRefusals: whoever starts the program otherwise than the parent does
// gets no process at all.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*how)
		want   string
	}{
		{"by hand, as root", func(h *how) { h.unmapped, h.credential = true, false }, "user namespace is not ours"},
		{"by hand, as a user", func(h *how) { h.unmapped = true }, "user namespace is not ours"},
		{"second stage by hand", func(h *how) { h.unmapped, h.stage = true, "2" }, "pid is"},
		{"second stage at once", func(h *how) { h.stage = "2" }, "capabilities are left"},
		{"no pid namespace", func(h *how) { h.without = unix.CLONE_NEWPID }, "pid namespace is not ours"},
		{"no mount namespace", func(h *how) { h.without = unix.CLONE_NEWNS }, "file system: private mounts"},
		{"no UTS namespace", func(h *how) { h.without = unix.CLONE_NEWUTS }, "host name"},
		{"no capability", func(h *how) { h.noAmbient = true }, "file system: private mounts"},
		{"no frames lane", func(h *how) { h.lanes = 1 }, "descriptor 6 is not"},
		{"one descriptor more", func(h *how) { h.lanes = 3 }, "descriptor 7 is open"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := asParent("wait")
			tt.change(&h)
			c, err := spawn(h)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.end)
			if got := c.ending(); got != "exit 70" {
				t.Errorf("ends with %s", got)
			}
			if got := c.lastWords(); !strings.Contains(got, tt.want) || strings.Count(got, "\n") != 1 {
				t.Errorf("it says %q, want one line with %q", got, tt.want)
			}
		})
	}
}

// TestStartTime measures from the call that starts the program to its first
// word, behind all walls.
func TestStartTime(t *testing.T) {
	const rounds = 30
	for _, program := range []string{programs.attempt, programs.netproc} {
		h := asParent("wait")
		h.program = program
		var took []time.Duration
		for range rounds {
			before := time.Now()
			c := begin(t, h)
			took = append(took, time.Since(before))
			c.end()
		}
		slices.Sort(took)
		name := program[strings.LastIndexByte(program, os.PathSeparator)+1:]
		t.Logf("%s, both stages: median %v, 90%% %v, most %v", name, took[rounds/2], took[rounds*9/10], took[rounds-1])
		if took[rounds/2] > time.Second {
			t.Errorf("%s takes %v to start", name, took[rounds/2])
		}
	}
}

// BenchmarkConfinement is the time from the start of the program to its first
// word.
func BenchmarkConfinement(b *testing.B) {
	for b.Loop() {
		start(b, "wait").end()
	}
}

// fields is a line of /proc with single spaces.
func fields(s string) string { return strings.Join(strings.Fields(s), " ") }

// tasks lists the threads of a child.
func (c *child) tasks(t *testing.T) (out []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(c.pid) + "/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, "task/"+e.Name())
	}
	return out
}
