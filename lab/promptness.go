package lab

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// prompt is what a command line begins with so that the program runs in real time, as
// docs/systemd.md advises for busy machines: what is measured is the program, and not
// whom the kernel lets wait beside whatever else runs. Nothing on a machine that is not
// busy, where several that start in real time at once would keep the test itself from a
// processor; where it is refused; and in an emulated machine, whose clock goes with what
// it computes.
func prompt() []string {
	if Emulated() || !realTime() {
		return nil
	}
	return []string{"chrt", "--rr", "1"}
}

// Ordinary is what a command line begins with so that the program gets its share of
// the time and no more, as one that computes without end should.
func Ordinary() []string { return []string{"chrt", "--other", "0"} }

// isRouter says whether a command line runs a VRRP daemon, or its spawner. Other
// programs, such as analysers of captures, compute too much to be preferred.
func isRouter(argv []string) bool {
	ours := slices.ContainsFunc(argv, func(a string) bool {
		return slices.Contains([]string{"rvrrpd", "rvrrpd-spawn"}, filepath.Base(a))
	})
	return ours && !slices.Contains(argv, "-m0") || isPeer(argv)
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
