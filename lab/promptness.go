package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// inRealTime is what gives a program real time, as docs/systemd.md advises for busy
// machines: what is measured is the program, and not whom the kernel lets wait beside
// whatever else runs. Nothing on a machine that is not busy; where it is refused; and in
// an emulated machine, whose clock goes with what it computes.
func inRealTime(args ...string) []string {
	if !Busy() {
		return nil
	}
	return append([]string{"chrt", "--rr", "1"}, args...)
}

// Busy says whether daemons are to run in real time here.
func Busy() bool { return !Emulated() && realTime() }

// autogroup is how the kernel shares processors with this session, as one, beside others
// and its own threads.
const autogroup = "/proc/self/autogroup"

// Yield has the kernel's own threads come before this session where the machine is busy,
// until restore is called. Beside a session that computes without end Linux 6.18 keeps
// them waiting for seconds, and with them whoever waits for what they end: to close a
// packet socket, to remove an interface, to leave a namespace has taken ten.
func Yield() (restore func()) {
	was, err := os.ReadFile(autogroup) // "/autogroup-7 nice 0"
	_, nice, found := strings.Cut(strings.TrimSpace(string(was)), " nice ")
	if err != nil || !found || !Busy() || os.WriteFile(autogroup, []byte("19"), 0) != nil {
		return func() {}
	}
	return func() { _ = os.WriteFile(autogroup, []byte(nice), 0) }
}

// preferred waits until the daemon has been given real time, where it is to be: what
// comes after its start is no matter of the machine's then.
func (p *Process) preferred() {
	if p.prompt != nil {
		<-p.prompt
	}
}

// prefer gives a daemon of ours, its spawner and its network process real time, once they
// are confined: before that Go waits for all its threads without giving up the
// processor, and several that did so in real time at once would keep the test itself
// from running for a second. Whom they start later inherits it. Where the spawner is
// somebody else's child there is no network process to wait for.
func (p *Process) prefer() {
	defer close(p.prompt)
	confined := func(pid int) bool { return Status(pid)["Seccomp"] == "2" }
	starts := func() bool {
		children := Children(p.PID)
		return len(children) == 0 || slices.ContainsFunc(children, func(pid int) bool { return !confined(pid) })
	}
	for end := time.Now().Add(2 * time.Second); starts() && !p.Ended() && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	for _, pid := range append(Descendants(p.PID), p.PID) {
		if confined(pid) {
			argv := inRealTime("--all-tasks", "--pid", "1", strconv.Itoa(pid))
			exec.Command(argv[0], argv[1:]...).Run() // it may have ended
		}
	}
}

// Ordinary is what a command line begins with so that the program gets its share of
// the time and no more, as one that computes without end should: the kernel's own
// threads, which end what it defers, would not get theirs.
func Ordinary() []string { return []string{"chrt", "--other", "0"} }

// isOurs says whether a command line runs a daemon of ours, or its spawner. Other
// programs, such as analysers of captures, compute too much to be preferred; so may a
// daemon that a command line wants in the ordinary class.
func isOurs(argv []string) bool {
	ours := slices.ContainsFunc(argv, func(a string) bool {
		return slices.Contains([]string{"rvrrpd", "rvrrpd-spawn"}, filepath.Base(a))
	})
	return ours && !slices.Contains(argv, "-m0") && !slices.Contains(argv, Ordinary()[1])
}

// isPeer says whether a command line runs another project's daemon.
func isPeer(argv []string) bool { return argv[0] == "keepalived" || strings.HasPrefix(argv[0], frrDir) }

// realTime says whether the machine is busy before the first test begins: a thread that
// computes gets less than most of a processor. It must be allowed, too.
var realTime = sync.OnceValue(func() bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begin, before := time.Now(), threadTime()
	for time.Since(begin) < 300*time.Millisecond {
	}
	busy := threadTime()-before < time.Since(begin)*8/10
	return busy && exec.Command("chrt", "--rr", "1", "true").Run() == nil
})

// threadTime is the processor's time that this thread has had.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}
