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
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a test measures is the daemon's and the machine's doing. Yardsticks tell
// them apart: a process on each processor, scheduled like the daemons, that asks
// to be woken every few milliseconds and writes down how late it was; and one
// that asks the kernel for a change of an interface that changes nothing, and
// writes down how long that took: the kernel makes such changes one after the
// other, for all namespaces, and removing those of another test takes a while.

// Implementation constants.
const (
	// yardstickVariable makes this program a yardstick; its value is the
	// processor to measure, or changes.
	yardstickVariable = "RVRRPD_LAB_YARDSTICK"
	// changes measures the kernel's changes of interfaces.
	changes = "changes"
	// pace is the time from one waking to the next.
	pace = 2 * time.Millisecond
	// changePace is the time from the end of one change to the next.
	changePace = 10 * time.Millisecond
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

// yardsticks are the stalls that each has seen, the latest last.
var yardsticks struct {
	sync.Mutex
	stalls [][]stall
}

// Measure starts the yardsticks; it must be called first in a test's main
// function, because they are processes of the same program. Without it, or
// while they have nothing to tell, no time was withheld.
func Measure() error {
	if what := os.Getenv(yardstickVariable); what != "" {
		runtime.LockOSThread()
		fmt.Fprintln(os.Stderr, "yardstick:", measure(what, os.Stdout))
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
	subjects := []string{changes}
	for cpu := range 1024 {
		if allowed.IsSet(cpu) {
			subjects = append(subjects, strconv.Itoa(cpu))
		}
	}
	realTime() // while nothing of ours runs beside
	yardsticks.stalls = make([][]stall, len(subjects))
	for i, what := range subjects {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), yardstickVariable+"="+what, "GOMAXPROCS=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return fmt.Errorf("yardstick: %w", err)
		}
		go collect(out, i)
	}
	return nil
}

// measure writes each stall down: when it ended, and how long it was, in
// nanoseconds.
func measure(what string, out io.Writer) error {
	late := wake
	if what == changes {
		c, err := newChange()
		if err != nil {
			return err
		}
		late = c.make
	} else if err := stayOn(what); err != nil {
		return err
	}
	for {
		d, err := late()
		if err != nil {
			return err
		}
		if d < notable {
			continue
		}
		b := binary.NativeEndian.AppendUint64(nil, uint64(time.Now().UnixNano()))
		if _, err := out.Write(binary.NativeEndian.AppendUint64(b, uint64(d))); err != nil {
			return err
		}
	}
}

// sleep does without the scheduler of the runtime, which would measure itself.
func sleep(d time.Duration) {
	request := unix.NsecToTimespec(int64(d))
	unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&request)), 0, 0, 0)
}

// wake sleeps once, and says how late it was woken.
func wake() (late time.Duration, err error) {
	due := time.Now().Add(pace)
	sleep(pace)
	return time.Since(due), nil
}

// stayOn keeps the thread on a processor.
func stayOn(cpu string) error {
	n, err := strconv.Atoi(cpu)
	if err != nil {
		return err
	}
	var set unix.CPUSet
	set.Set(n)
	return unix.SchedSetaffinity(0, &set)
}

// change asks for a change of the loopback interface in a namespace of its own.
type change struct {
	fd             int
	request, reply []byte
}

func newChange() (*change, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("namespace: %w", err)
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	const size, loopback = unix.SizeofNlMsghdr + unix.SizeofIfInfomsg, 1
	b := make([]byte, size)
	binary.NativeEndian.PutUint32(b, size)
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_SETLINK)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	binary.NativeEndian.PutUint32(b[unix.SizeofNlMsghdr+4:], loopback)
	return &change{fd: fd, request: b, reply: make([]byte, 4096)}, nil
}

// make makes it once, after a while, and says how long it took.
func (c *change) make() (late time.Duration, err error) {
	sleep(changePace)
	begin := time.Now()
	if err := unix.Sendto(c.fd, c.request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, fmt.Errorf("netlink: %w", err)
	}
	n, _, err := unix.Recvfrom(c.fd, c.reply, 0)
	if err != nil {
		return 0, fmt.Errorf("netlink: %w", err)
	}
	if n < unix.SizeofNlMsghdr+4 {
		return 0, fmt.Errorf("netlink: %d bytes", n)
	}
	if errno := int32(binary.NativeEndian.Uint32(c.reply[unix.SizeofNlMsghdr:])); errno != 0 {
		return 0, fmt.Errorf("netlink: %w", unix.Errno(-errno))
	}
	return time.Since(begin), nil
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

// withheld is, of what was withheld most, the longest time at a stretch, and
// all of it together, between two instants.
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
	if Emulated() {
		return emulatedReaction + hands*longest
	}
	return hands * longest
}

// patience prolongs a wait that began at an instant by what the machine has
// withheld since, so many times over at most.
func patience(begin time.Time, timeout time.Duration) (until time.Time) {
	if Emulated() {
		timeout *= emulatedWait
	}
	_, sum := withheld(begin, time.Now())
	return begin.Add(timeout + hands*min(sum, timeout))
}
