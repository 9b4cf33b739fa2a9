package sandbox

import "slices"

// Rule lets a system call pass, or refuses it softly; what no rule names
// kills the process. Several rules for one call are alternatives.
type Rule struct {
	// Call is the name of the system call.
	Call string
	// Arch, if not empty, is the only architecture (a GOARCH) with this rule.
	Arch string
	// Args are conditions that must all hold.
	Args []Arg
	// Errno, if not zero, is returned instead of making the call.
	Errno int
	// Reason is why the process needs it.
	Reason string
}

// Arg is a condition on one argument: value & Mask == Value.
type Arg struct {
	Index uint
	Mask  uint64
	Value uint64
}

// Masks: all is that of a plain comparison, low that of an int, whose upper
// half is not defined.
const (
	all = ^uint64(0)
	low = 0xffffffff
)

func is(index uint, value uint64) Arg { return Arg{index, all, value} }

// Values of the conditions, the same on every architecture.
const (
	protExec     = 0x4
	mapPrivate   = 0x2
	mapDroppable = 0x8
	mapFixed     = 0x10
	mapAnonymous = 0x20
	fdNone       = 0xffffffff
	prSetVMA     = 0x53564d41
	einval       = 22

	msgDontWait    = 0x40
	msgCloseOnExec = 0x40000000

	madvDontNeed   = 4
	madvNoHugePage = 15

	// Of futex, both with FUTEX_PRIVATE_FLAG.
	futexWait = 0x80
	futexWake = 0x81

	// cloneThread is how Go starts a thread without cgo: VM, FS, FILES,
	// SIGHAND, SYSVSEM and THREAD; on amd64 the runtime adds SETTLS.
	cloneThread = 0x50f00
	cloneSetTLS = 0x80000
)

func int32Arg(index uint, value uint64) Arg { return Arg{index, low, value} }

// KeeperRules is everything the keeper may do: it is handed descriptors, and reads and writes
// them.
var KeeperRules = append(slices.DeleteFunc(slices.Clone(Rules), func(r Rule) bool { return r.Call == "recvfrom" || r.Call == "sendto" || r.Call == "write" }),
	Rule{Call: "recvmsg", Args: []Arg{int32Arg(0, ControlFD), int32Arg(2, msgDontWait|msgCloseOnExec)}, Reason: "read the control lane, and get descriptors"},
	Rule{Call: "recvfrom", Args: []Arg{is(4, 0), is(5, 0)}, Reason: "read the lane of lines, and what the kernel says of routes; no address"},
	Rule{Call: "sendto", Args: []Arg{is(4, 0), is(5, 0)}, Reason: "write the control lane, and ask the kernel about routes; no address"},
	Rule{Call: "write", Reason: "write logs, wake the poller, last words of a panic"},
	Rule{Call: "close", Reason: "a log that goes on elsewhere"},
)

// Rules is everything the network process and the reader may do.
var Rules = []Rule{
	// The lanes.
	{Call: "ppoll", Reason: "wait for a message or a deadline"},
	{Call: "recvfrom", Args: []Arg{int32Arg(0, ControlFD), is(4, 0), is(5, 0)}, Reason: "read the control lane; no address"},
	{Call: "recvfrom", Args: []Arg{int32Arg(0, FramesFD), is(4, 0), is(5, 0)}, Reason: "read the frames lane; no address"},
	{Call: "sendto", Args: []Arg{int32Arg(0, ControlFD), is(4, 0), is(5, 0)}, Reason: "write the control lane; no address"},

	// The Go runtime: memory.
	{Call: "mmap", Args: []Arg{{2, protExec, 0}, {3, low &^ mapFixed, mapPrivate | mapAnonymous}, int32Arg(4, fdNone)}, Reason: "heap; never executable, shared, locked, of huge pages or a file"},
	{Call: "mmap", Args: []Arg{{2, protExec, 0}, int32Arg(3, mapDroppable|mapAnonymous), int32Arg(4, fdNone)}, Reason: "state of the random numbers in the vDSO"},
	{Call: "munmap", Reason: "heap"},
	{Call: "madvise", Args: []Arg{int32Arg(2, madvDontNeed)}, Reason: "heap: return pages at once"},
	{Call: "madvise", Args: []Arg{int32Arg(2, madvNoHugePage)}, Reason: "heap: no huge pages for its index; never merged with those of other processes"},
	{Call: "prctl", Args: []Arg{int32Arg(0, prSetVMA)}, Errno: einval, Reason: "names of mappings, which the runtime can do without"},

	// The Go runtime: threads.
	{Call: "clone", Arch: "amd64", Args: []Arg{is(0, cloneThread|cloneSetTLS)}, Reason: "a thread; exactly Go's flags, so never a process or a namespace"},
	{Call: "clone", Arch: "riscv64", Args: []Arg{is(0, cloneThread)}, Reason: "a thread; exactly Go's flags, so never a process or a namespace"},
	{Call: "clone", Arch: "arm64", Args: []Arg{is(0, cloneThread)}, Reason: "a thread; exactly Go's flags, so never a process or a namespace"},
	{Call: "futex", Args: []Arg{int32Arg(1, futexWait)}, Reason: "locks: wait; neither with a priority to inherit, nor requeued, nor in shared memory"},
	{Call: "futex", Args: []Arg{int32Arg(1, futexWake)}, Reason: "locks: wake"},
	{Call: "nanosleep", Reason: "back off, and the monitor thread"},
	{Call: "sched_yield", Reason: "spinning locks"},
	{Call: "gettid", Reason: "a new thread's own id"},
	{Call: "getpid", Reason: "preemption signals"},
	{Call: "tgkill", Args: []Arg{int32Arg(0, 1)}, Reason: "preemption signals to own threads: pid 1 of the namespace is we"},
	{Call: "sigaltstack", Reason: "a new thread's signal stack"},
	{Call: "rt_sigprocmask", Reason: "a new thread's signal mask"},
	{Call: "rt_sigreturn", Reason: "end of a signal handler"},
	{Call: "restart_syscall", Reason: "go on after SIGSTOP and SIGCONT"},
	{Call: "exit", Reason: "end of a thread"},
	{Call: "exit_group", Reason: "end of the process"},

	// The Go runtime: time and poller.
	{Call: "clock_gettime", Reason: "where the clock is not in the vDSO"},
	{Call: "getrandom", Reason: "seed of the random numbers in the vDSO, or instead of them"},
	{Call: "epoll_pwait", Args: []Arg{int32Arg(0, epollFD)}, Reason: "the runtime's poller"},
	{Call: "read", Args: []Arg{int32Arg(0, eventFD)}, Reason: "wake the poller: reset"},
	{Call: "write", Args: []Arg{int32Arg(0, eventFD)}, Reason: "wake the poller"},
	{Call: "write", Args: []Arg{int32Arg(0, 2)}, Reason: "last words of a panic, into the parent's pipe"},
}
