package sandbox

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// Report tells what stands.
type Report struct {
	// Landlock is the ABI version of Landlock in force, at least 1.
	Landlock int
}

// Descriptors: the lanes, and those of the Go runtime's poller, which comes to
// life before the filter does.
const (
	ControlFD = 3
	FramesFD  = 4
	epollFD   = 5
	eventFD   = 6
)

// keeperName is the name of the program that has a profile of its own.
const keeperName = "rvrrpd-keeper"

// profile is what differs between programs: their system calls, and two limits.
type profile struct {
	files    uint64
	fileSize uint64 // kept as it is where that is noLimit
	filter   []unix.SockFilter
}

const noLimit = unix.RLIM_INFINITY

// profileOf is that of a program. The network process and the reader get no new descriptor (0
// to 6 are taken, and ppoll with its two needs a limit of two), and write no file.
func profileOf(name string) profile {
	if name == keeperName { // the lane of lines, and what it writes to
		return profile{files: 16, fileSize: noLimit, filter: keeperFilter}
	}
	return profile{files: 2, filter: filter}
}

type limit struct {
	name     string
	resource int
	max      uint64
}

// limits of every program: no core, a few threads of the runtime's own, and memory for many
// thousand virtual routers.
var limits = []limit{
	{"processes", unix.RLIMIT_NPROC, 32},
	{"core", unix.RLIMIT_CORE, 0},
	{"locked memory", unix.RLIMIT_MEMLOCK, 0},
	{"message queues", unix.RLIMIT_MSGQUEUE, 0},
	{"data", unix.RLIMIT_DATA, 256 << 20},
}

// Enter is the second stage. After it the process has the system calls of
// Rules, or KeeperRules, and no others; what breaks them kills it. The name is the process's own in the list
// of processes: the kernel would call it by the number of the descriptor that was executed.
func Enter(name string) (Report, error) {
	var r Report
	// The filter names this pid; only the first process of a pid namespace has it.
	if os.Getpid() != 1 {
		return r, fmt.Errorf("enter: pid is %d, not 1", os.Getpid())
	}
	ignoreSignals()
	if err := noPrivileges(); err != nil {
		return r, fmt.Errorf("enter: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(unsafe.StringData(name+"\x00"))), 0, 0, 0); err != nil {
		return r, fmt.Errorf("enter: name: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return r, fmt.Errorf("enter: dumpable: %w", err)
	}
	// The loop waits on this thread: its deadlines are not to be rounded.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return r, fmt.Errorf("enter: timer slack: %w", err)
	}
	if err := wakePoller(); err != nil {
		return r, fmt.Errorf("enter: %w", err)
	}
	var err error
	if r.Landlock, err = denyAll(); err != nil {
		return r, fmt.Errorf("enter: landlock: %w", err)
	}
	p := profileOf(name)
	for _, l := range append(limits, limit{"files", unix.RLIMIT_NOFILE, p.files}, limit{"file size", unix.RLIMIT_FSIZE, p.fileSize}) {
		if l.max == noLimit {
			continue
		}
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.max, Max: l.max}); err != nil {
			return r, fmt.Errorf("enter: limit of %s: %w", l.name, err)
		}
	}
	if err := loadFilter(p.filter); err != nil {
		return r, fmt.Errorf("enter: seccomp: %w", err)
	}
	return r, nil
}

// noPrivileges makes sure that the first stage has done its work.
func noPrivileges() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	if have != ([2]unix.CapUserData{}) {
		return fmt.Errorf("capabilities are left: %x", have)
	}
	set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if set != 1 {
		return errors.New("no_new_privs is not set")
	}
	// User id 0, if that is ours in this namespace, means nothing any more.
	if bits, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0); err != nil || bits != securebits {
		return fmt.Errorf("securebits are %#x: %v", bits, err)
	}
	return nil
}

// wakePoller makes the Go runtime create its poller, which it else does when
// it first needs a timer: too late, behind the filter. The filter knows its
// descriptors by number.
func wakePoller() error {
	time.Sleep(time.Nanosecond)
	for fd, name := range map[int]string{epollFD: "epoll", eventFD: "eventfd"} {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			return fmt.Errorf("descriptor %d is not the runtime's %s: %w", fd, name, err)
		}
	}
	if _, err := unix.FcntlInt(eventFD+1, unix.F_GETFD, 0); err == nil {
		return fmt.Errorf("descriptor %d is open", eventFD+1)
	}
	return nil
}

// landlockNewest is the newest ABI version that denyAll makes use of.
const landlockNewest = 11

// denyAll lets Landlock refuse every file, port, signal and socket it knows.
// The kernel may know fewer than we do, but must know Landlock.
func denyAll() (abi int, err error) {
	abi, err = ll.LandlockGetABIVersion()
	if err != nil {
		return 0, err
	}
	if abi < 1 {
		return 0, errors.New("not in this kernel")
	}
	return min(abi, landlockNewest), landlock.V11.BestEffort().Restrict()
}

// loadFilter puts the seccomp filter on every thread.
func loadFilter(filter []unix.SockFilter) error {
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	failed, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	if failed != 0 {
		return fmt.Errorf("thread %d could not be synchronised", failed)
	}
	return nil
}
