//go:build lab

package lab_test

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
)

// kept are the listed system calls that a run need not show, and why they
// stay on the list.
var kept = map[string]string{
	"mmap":            "a heap beyond the first 64 MiB, and the state of random numbers for a new thread",
	"munmap":          "the Go runtime gives address space back only after it tried another place",
	"clock_gettime":   "where the kernel's clock source is not in the vDSO",
	"getrandom":       "where the kernel has no getrandom in the vDSO, or its state is used up",
	"epoll_pwait":     "the runtime's poller, when it is idle with a timer of its own",
	"nanosleep":       "the runtime's monitor thread, when it is awake",
	"sched_yield":     "locks of the runtime, under contention",
	"restart_syscall": "after SIGCONT, where the kernel restarts the wait that way",
	"exit":            "a thread of the runtime that ends, which is rare",
	"read":            "the runtime's poller, when a thread has woken another",
	"prctl":           "names of mappings, where the kernel has them",
	"madvise":         "memory given back after a peak",
	"tgkill":          "preemption of a thread that does not give way",
	"clone":           "one more thread, when the runtime wants it",
	"sigaltstack":     "one more thread, when the runtime wants it",
	"gettid":          "one more thread, when the runtime wants it",
	"rt_sigaction":    "the runtime restores a signal's default before it dies of it",
	"exit_group":      "the end in order, which may come by the parent's hand",
	"getpid":          "preemption and the crash path",
	"rt_sigprocmask":  "one more thread, and the crash path",
	"rt_sigreturn":    "end of a signal handler",
	"write":           "last words, and the runtime's poller",
}

// TestSystemCalls traces the network process through its life: start,
// takeover, reload, stop and continue, crashes of several kinds, many reloads
// of many routers, and stop. Behind its filter it must make no call that is
// not on the list, and every entry must be used or have a reason to stay.
func TestSystemCalls(t *testing.T) {
	l := lab.New(t)
	dir := t.TempDir()
	file, trace := filepath.Join(dir, "conf"), filepath.Join(dir, "trace")
	write := func(routers int) {
		var b strings.Builder
		for i := range routers {
			fmt.Fprintf(&b, "[[vrouter]]\ngroup = %d\ninterface = \"eth0\"\nvip = \"10.9.1.%d/24\"\nversion = 3\ntimers = { advert = 0.1 }\n", i+1, i+1)
		}
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(1)
	p := l.R1.Start("strace", "-D", "-f", "-Y", "-qq", "-o", trace, lab.Binary("rvrrpd"), "-m1", "-c", file)
	p.AwaitLine(0, 20*time.Second, "backup->active")
	reload := func(routers int) {
		write(routers)
		mark := p.Len()
		p.Signal(syscall.SIGHUP)
		p.AwaitLine(mark, 30*time.Second, "configuration loaded")
	}
	for range 5 {
		reload(200)
		reload(1)
	}
	child := lab.Children(p.PID)[0]
	for range 5 {
		syscall.Kill(child, syscall.SIGSTOP)
		lab.Until(time.Second, func() bool {
			return strings.HasPrefix(lab.Status(child)["State"], "T") || strings.HasPrefix(lab.Status(child)["State"], "t")
		})
		syscall.Kill(child, syscall.SIGCONT)
	}
	for _, sig := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGQUIT, syscall.SIGKILL} {
		mark := p.Len()
		lab.Until(5*time.Second, func() bool { return len(lab.Children(p.PID)) == 1 })
		syscall.Kill(lab.Children(p.PID)[0], sig)
		p.AwaitLine(mark, 20*time.Second, "network process crashed")
		p.AwaitLine(mark, 20*time.Second, "msg=ready")
	}
	if status := p.Terminate(20 * time.Second); status != 0 {
		t.Errorf("status %d; it said\n%s", status, p.Output())
	}
	if strings.Contains(p.Output(), "forbidden") {
		t.Errorf("a forbidden call: %s", p.Output())
	}

	used, children := callsBehindFilter(t, trace)
	if children < 4 {
		t.Fatalf("only %d network processes were traced", children)
	}
	listed := make(map[string]string)
	for _, r := range sandbox.Rules {
		listed[r.Call] = r.Reason
	}
	for _, call := range slices.Sorted(maps.Keys(used)) {
		if listed[call] == "" {
			t.Errorf("%s is used %d times and not on the list", call, used[call])
		}
	}
	for _, call := range slices.Sorted(maps.Keys(listed)) {
		switch {
		case used[call] > 0:
			t.Logf("%-16s %6d times  %s", call, used[call], listed[call])
		case kept[call] != "":
			t.Logf("%-16s  never used, kept: %s", call, kept[call])
		default:
			t.Errorf("%s is on the list (%s) and never used", call, listed[call])
		}
	}
}

var (
	traced  = regexp.MustCompile(`^(\d+)<([^>]*)> (?:<\.\.\. )?(\w+)(.*)$`)
	threads = regexp.MustCompile(`= (\d+)<`)
)

// callsBehindFilter counts the calls of network processes from the moment
// their filter was loaded. Threads belong to who cloned them.
func callsBehindFilter(t *testing.T, trace string) (used map[string]int, children int) {
	t.Helper()
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	leader, behind := make(map[string]string), make(map[string]bool)
	used = make(map[string]int)
	of := func(tid string) string {
		if l := leader[tid]; l != "" {
			return l
		}
		return tid
	}
	begun := make(map[string]bool) // a clone of a thread whose end is another line
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		m := traced.FindStringSubmatch(s.Text())
		if m == nil || m[2] != "rvrrpd-netproc" {
			continue
		}
		tid, call, rest := m[1], m[3], m[4]
		if call == "clone" {
			begun[tid] = begun[tid] || strings.Contains(rest, "CLONE_THREAD")
			if n := threads.FindStringSubmatch(rest); n != nil && begun[tid] {
				leader[n[1]], begun[tid] = of(tid), false
			}
		}
		resumed := strings.HasPrefix(rest, " resumed")
		switch {
		case call == "execveat":
			behind[of(tid)] = false
		case call == "seccomp" && strings.HasSuffix(rest, "= 0"):
			behind[of(tid)] = true
			children++
		case behind[of(tid)] && !resumed && strings.HasPrefix(rest, "("):
			used[call]++
		}
	}
	return used, children
}
