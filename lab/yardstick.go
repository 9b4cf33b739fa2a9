package lab

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What a test measures is the daemon's and the machine's doing. The yardstick
// tells them apart: a process on each processor, scheduled like the daemons,
// that asks to be woken every few milliseconds and writes down how late it was.

// Implementation constants.
const (
	// yardstickVariable makes this program a yardstick; its value is the
	// processor to measure.
	yardstickVariable = "RVRRPD_LAB_YARDSTICK"
	// pace is the time from one waking to the next.
	pace = 2 * time.Millisecond
	// notable is the lateness that is written down: the kernel's timer is not
	// exact to less.
	notable = time.Millisecond
	// hands is how many processes are woken one after the other between a cause
	// and what can be seen of it: parent, network process, parent, and the kernel.
	hands = 4
	// shortly is how long before an instant a stall may have ended that made it late.
	shortly = 50 * time.Millisecond
)

// stall is a time during which a processor was withheld.
type stall struct{ from, to time.Time }

// yardsticks are the stalls of each processor, the latest last.
var yardsticks struct {
	sync.Mutex
	stalls [][]stall
}

// Measure starts the yardsticks; it must be called first in a test's main
// function, because they are processes of the same program. Without it, or
// while they have nothing to tell, no time was withheld.
func Measure() error {
	if cpu, err := strconv.Atoi(os.Getenv(yardstickVariable)); err == nil {
		err := measure(cpu, os.Stdout)
		fmt.Fprintln(os.Stderr, "yardstick:", err)
		os.Exit(1)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return fmt.Errorf("processors: %w", err)
	}
	for cpu := range 1024 {
		if !allowed.IsSet(cpu) {
			continue
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), yardstickVariable+"="+strconv.Itoa(cpu), "GOMAXPROCS=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return fmt.Errorf("yardstick: %w", err)
		}
		yardsticks.stalls = append(yardsticks.stalls, nil)
		go collect(out, len(yardsticks.stalls)-1)
	}
	return nil
}

// measure writes each stall of a processor down: when it ended, and how long
// it was, in nanoseconds.
func measure(cpu int, out io.Writer) error {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return err
	}
	for {
		due := time.Now().Add(pace)
		request := unix.NsecToTimespec(int64(pace))
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &request, nil)
		now := time.Now()
		late := now.Sub(due)
		if late < notable {
			continue
		}
		b := binary.NativeEndian.AppendUint64(nil, uint64(now.UnixNano()))
		if _, err := out.Write(binary.NativeEndian.AppendUint64(b, uint64(late))); err != nil {
			return err
		}
	}
}

func collect(in io.Reader, which int) {
	for b := make([]byte, 16); ; {
		if _, err := io.ReadFull(in, b); err != nil {
			return
		}
		end := time.Unix(0, int64(binary.NativeEndian.Uint64(b)))
		late := time.Duration(binary.NativeEndian.Uint64(b[8:]))
		yardsticks.Lock()
		yardsticks.stalls[which] = append(yardsticks.stalls[which], stall{end.Add(-late), end})
		yardsticks.Unlock()
	}
}

// withheld is, of the processor that was withheld most, the longest time at a
// stretch, and all of it together, between two instants.
func withheld(from, to time.Time) (longest, sum time.Duration) {
	yardsticks.Lock()
	defer yardsticks.Unlock()
	for _, stalls := range yardsticks.stalls {
		i, _ := slices.BinarySearchFunc(stalls, from, func(s stall, t time.Time) int { return s.to.Compare(t) })
		var together time.Duration
		for ; i < len(stalls) && stalls[i].from.Before(to); i++ {
			longest = max(longest, stalls[i].to.Sub(stalls[i].from))
			together += stalls[i].to.Sub(stalls[i].from)
		}
		sum = max(sum, together)
	}
	return longest, sum
}

// Slack is by how much what took place between two instants may be off
// because of the machine: the longest stall, once for each process that had a
// hand in it. A stall that ended shortly before has made the first of the two
// late. On a machine that has nothing else to do it is next to nothing.
func Slack(from, to time.Time) time.Duration {
	longest, _ := withheld(from.Add(-shortly), to)
	return hands * longest
}

// patience prolongs a wait that began at an instant by what the machine has
// withheld since.
func patience(begin time.Time, timeout time.Duration) (until time.Time) {
	_, sum := withheld(begin, time.Now())
	return begin.Add(timeout + hands*sum)
}
