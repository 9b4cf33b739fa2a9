package sandbox

// Rule lets a system call pass, or refuses it softly; what no rule names
// kills the process. Several rules for one call are alternatives.
type Rule struct {
	// Call is the name of the system call.
	Call string
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

// all is the mask of a plain comparison.
const all = ^uint64(0)

func is(index uint, value uint64) Arg { return Arg{index, all, value} }

// Values of the conditions, the same on every architecture.
const (
	protExec     = 0x4
	mapAnonymous = 0x20
	mapPrivate   = 0x2
	fdNone       = 0xffffffff
	prSetVMA     = 0x53564d41
	einval       = 22
	// cloneThread is how Go starts a thread without cgo: VM, FS, FILES,
	// SIGHAND, SYSVSEM, THREAD and SETTLS.
	cloneThread = 0xd0f00
)

// int32Arg compares the lower half only: the upper is not defined for an int.
func int32Arg(index uint, value uint64) Arg { return Arg{index, 0xffffffff, value} }

// Rules is everything the network process may do.
var Rules = []Rule{
	// The lanes.
	{Call: "ppoll", Reason: "wait for a message or a deadline"},
	{Call: "recvfrom", Args: []Arg{int32Arg(0, ControlFD), is(4, 0), is(5, 0)}, Reason: "read the control lane; no address"},
	{Call: "recvfrom", Args: []Arg{int32Arg(0, FramesFD), is(4, 0), is(5, 0)}, Reason: "read the frames lane; no address"},
	{Call: "sendto", Args: []Arg{int32Arg(0, ControlFD), is(4, 0), is(5, 0)}, Reason: "write the control lane; no address"},

	// The Go runtime: memory.
	{Call: "mmap", Args: []Arg{{2, protExec, 0}, {3, mapAnonymous | mapPrivate, mapAnonymous | mapPrivate}, int32Arg(4, fdNone)}, Reason: "heap; never executable, never a file"},
	{Call: "munmap", Reason: "heap"},
	{Call: "madvise", Reason: "heap: return pages"},
	{Call: "prctl", Args: []Arg{int32Arg(0, prSetVMA)}, Errno: einval, Reason: "names of mappings, which the runtime can do without"},

	// The Go runtime: threads.
	{Call: "clone", Args: []Arg{is(0, cloneThread)}, Reason: "a thread; exactly Go's flags, so never a process or a namespace"},
	{Call: "futex", Reason: "locks"},
	{Call: "nanosleep", Reason: "back off, and the monitor thread"},
	{Call: "sched_yield", Reason: "spinning locks"},
	{Call: "gettid", Reason: "a new thread's own id"},
	{Call: "getpid", Reason: "preemption signals"},
	{Call: "tgkill", Args: []Arg{int32Arg(0, 1)}, Reason: "preemption signals to own threads: pid 1 of the namespace is we"},
	{Call: "sigaltstack", Reason: "a new thread's signal stack"},
	{Call: "rt_sigprocmask", Reason: "a new thread's signal mask"},
	{Call: "rt_sigaction", Reason: "restore a default action before dying of it"},
	{Call: "rt_sigreturn", Reason: "end of a signal handler"},
	{Call: "restart_syscall", Reason: "go on after SIGSTOP and SIGCONT"},
	{Call: "exit", Reason: "end of a thread"},
	{Call: "exit_group", Reason: "end of the process"},

	// The Go runtime: time and poller.
	{Call: "clock_gettime", Reason: "where the clock is not in the vDSO"},
	{Call: "getrandom", Reason: "where random numbers are not in the vDSO"},
	{Call: "epoll_pwait", Args: []Arg{int32Arg(0, epollFD)}, Reason: "the runtime's poller"},
	{Call: "read", Args: []Arg{int32Arg(0, eventFD)}, Reason: "wake the poller: reset"},
	{Call: "write", Args: []Arg{int32Arg(0, eventFD)}, Reason: "wake the poller"},
	{Call: "write", Args: []Arg{int32Arg(0, 2)}, Reason: "last words of a panic, into the parent's pipe"},
}
