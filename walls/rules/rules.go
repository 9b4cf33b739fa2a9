// Package rules lists the system calls of the processes that hold a privilege,
// for the generator of their filters and for tests: no program links it.
package rules

// Rule lets a system call pass, or makes it deadly; what no rule names
// fails with EPERM: unlike the network process, whose every forbidden call is
// an attack, the parent must not die of a call that some kernel makes its
// libraries use. Several rules for one call are alternatives.
type Rule struct {
	// Call is the name of the system call.
	Call string
	// Arch, if not empty, is the only architecture (a GOARCH) with this rule.
	Arch string
	// Args are conditions that must all hold.
	Args []Arg
	// Kill ends the process instead: nothing of ours makes this call.
	Kill bool
	// Reason is why the process needs it, or must not have it.
	Reason string
}

// Arg is a condition on one argument: value & Mask == Value.
type Arg struct {
	Index uint
	Mask  uint64
	Value uint64
}

// Values of the conditions, the same on every architecture.
const (
	low32 = 0xffffffff

	protExec     = 0x4
	cloneThread  = 0x50f00 // Go's flags for a thread: VM, FS, FILES, SIGHAND, SYSVSEM, THREAD
	cloneSetTLS  = 0x80000 // and on amd64 SETTLS
	cloneChild   = 0x7e020011
	familyUnix   = 1
	familyINET   = 2
	familyINET6  = 10
	familyLink   = 16
	familyPacket = 17

	protocolVRRP = 112

	futexWait = 0x80 // with FUTEX_PRIVATE_FLAG
	futexWake = 0x81

	netlinkRoute  = 0
	netlinkFilter = 12

	signalQuit = 3 // SIGQUIT

	setAddress = 0x8916 // SIOCSIFADDR
	setMask    = 0x891c // SIOCSIFNETMASK
	outQueue   = 0x5411 // SIOCOUTQ
)

func intArg(index uint, value uint64) Arg { return Arg{index, low32, value} }

// runtimeRules are what the Go runtime needs once it runs.
var runtimeRules = []Rule{
	{Call: "mmap", Args: []Arg{{2, protExec, 0}}, Reason: "heap; never executable"},
	{Call: "munmap", Reason: "heap"},
	{Call: "madvise", Reason: "heap"},
	{Call: "clone", Arch: "amd64", Args: []Arg{{0, ^uint64(0), cloneThread | cloneSetTLS}}, Reason: "a thread; exactly Go's flags"},
	{Call: "clone", Arch: "arm64", Args: []Arg{{0, ^uint64(0), cloneThread}}, Reason: "a thread; exactly Go's flags"},
	{Call: "clone", Arch: "riscv64", Args: []Arg{{0, ^uint64(0), cloneThread}}, Reason: "a thread; exactly Go's flags"},
	{Call: "futex", Args: []Arg{intArg(1, futexWait)}, Reason: "locks: wait; neither with a priority to inherit, nor requeued, nor in shared memory"},
	{Call: "futex", Args: []Arg{intArg(1, futexWake)}, Reason: "locks: wake"},
	{Call: "nanosleep", Reason: "back off, and the monitor thread"},
	{Call: "sched_yield", Reason: "spinning locks"},
	{Call: "gettid", Reason: "a new thread's own id"},
	{Call: "getpid", Reason: "preemption signals, names of what is ours"},
	{Call: "tgkill", Reason: "preemption signals; Landlock's scope and the user id keep others"},
	{Call: "kill", Args: []Arg{intArg(1, signalQuit)}, Reason: "last words: the runtime asks the other threads for theirs, or waits ten seconds"},
	{Call: "sigaltstack", Reason: "a new thread's signal stack"},
	{Call: "rt_sigprocmask", Reason: "a new thread's signal mask"},
	{Call: "rt_sigaction", Reason: "signals"},
	{Call: "rt_sigreturn", Reason: "end of a signal handler"},
	{Call: "restart_syscall", Reason: "go on after SIGSTOP and SIGCONT"},
	{Call: "exit", Reason: "end of a thread"},
	{Call: "exit_group", Reason: "end of the process"},
	{Call: "clock_gettime", Reason: "where the clock is not in the vDSO"},
	{Call: "getrandom", Reason: "seed of random numbers"},
	{Call: "epoll_create1", Reason: "the runtime's poller"},
	{Call: "eventfd2", Reason: "the runtime's poller"},
	{Call: "epoll_ctl", Reason: "the runtime's poller"},
	{Call: "epoll_pwait", Reason: "the runtime's poller"},
	{Call: "read", Reason: "files, signals, answers"},
	{Call: "write", Reason: "files, log, wake the poller"},
	{Call: "close", Reason: "descriptors"},
	{Call: "fcntl", Reason: "flags of descriptors, duplicates that close on execution"},
	{Call: "fstat", Reason: "kind and owner of an open file"},
	{Call: "newfstatat", Reason: "kind and owner of a file"},
	{Call: "openat", Reason: "files; Landlock says which"},
	{Call: "readlinkat", Reason: "namespaces, symbolic links"},
	{Call: "getdents64", Reason: "directories"},
	{Call: "getuid", Reason: "owner of files"},
	{Call: "geteuid", Reason: "owner of files"},
	{Call: "getppid", Reason: "who started us"},
	{Call: "pipe2", Reason: "a child's last words"},
	{Call: "wait4", Reason: "how a process ended"},
	{Call: "recvmsg", Reason: "sockets"},
	{Call: "sendto", Reason: "sockets"},
}

// deadlyRules are calls that nothing of ours makes once it runs, and that
// code of a stranger would.
var deadlyRules = []Rule{
	{Call: "ptrace", Kill: true, Reason: "other processes"},
	{Call: "process_vm_readv", Kill: true, Reason: "other processes"},
	{Call: "process_vm_writev", Kill: true, Reason: "other processes"},
	{Call: "pidfd_getfd", Kill: true, Reason: "other processes"},
	{Call: "bpf", Kill: true, Reason: "code in the kernel"},
	{Call: "init_module", Kill: true, Reason: "code in the kernel"},
	{Call: "finit_module", Kill: true, Reason: "code in the kernel"},
	{Call: "kexec_load", Kill: true, Reason: "another kernel"},
	{Call: "kexec_file_load", Kill: true, Reason: "another kernel"},
	{Call: "io_uring_setup", Kill: true, Reason: "a way around this filter"},
	{Call: "userfaultfd", Kill: true, Reason: "a tool of attacks on the kernel"},
	{Call: "perf_event_open", Kill: true, Reason: "a tool of attacks on the kernel"},
	{Call: "keyctl", Kill: true, Reason: "keys of the kernel"},
	{Call: "add_key", Kill: true, Reason: "keys of the kernel"},
	{Call: "unshare", Kill: true, Reason: "namespaces"},
	{Call: "setns", Kill: true, Reason: "namespaces"},
	{Call: "memfd_create", Kill: true, Reason: "programs that are in no file"},
	{Call: "open_by_handle_at", Kill: true, Reason: "files around every path"},
}

// Parent is everything the parent may do once it has started: its
// sockets, the files of the configuration, and the descriptors of a child.
var Parent = append(append([]Rule{
	{Call: "execve", Kill: true, Reason: "the spawner does that"},
	{Call: "execveat", Kill: true, Reason: "the spawner does that"},
	{Call: "mount", Kill: true, Reason: "file systems"},
	{Call: "ppoll", Reason: "wait for whatever comes first"},
	{Call: "socket", Args: []Arg{intArg(0, familyLink), intArg(2, netlinkRoute)}, Reason: "interfaces, addresses, routes"},
	{Call: "socket", Args: []Arg{intArg(0, familyLink), intArg(2, netlinkFilter)}, Reason: "nftables"},
	{Call: "socket", Args: []Arg{intArg(0, familyPacket)}, Reason: "advertisements, ARP, neighbor advertisements"},
	{Call: "socket", Args: []Arg{intArg(0, familyINET), intArg(2, protocolVRRP)}, Reason: "receive VRRP"},
	{Call: "socket", Args: []Arg{intArg(0, familyINET6), intArg(2, protocolVRRP)}, Reason: "receive VRRP"},
	{Call: "ioctl", Args: []Arg{intArg(1, setAddress)}, Reason: "put an address (netdrv = \"ioctl\"), on a socket that is open already"},
	{Call: "ioctl", Args: []Arg{intArg(1, setMask)}, Reason: "its prefix"},
	{Call: "ioctl", Args: []Arg{intArg(1, outQueue)}, Reason: "whether what a socket has sent has left the interface"},
	{Call: "socketpair", Args: []Arg{intArg(0, familyUnix)}, Reason: "lanes of a child"},
	{Call: "bind", Reason: "packet and netlink sockets"},
	{Call: "setsockopt", Reason: "filters, memberships, buffers"},
	{Call: "getsockopt", Reason: "what the kernel made of them"},
	{Call: "getsockname", Reason: "own netlink address"},
	{Call: "recvfrom", Reason: "lanes, netlink"},
	{Call: "sendmsg", Reason: "netlink, descriptors for the spawner"},
	{Call: "shutdown", Reason: "the lane of a keeper that does not read"},
	{Call: "mlock", Reason: "memory of secrets"},
	{Call: "munlock", Reason: "memory of secrets"},
	{Call: "flock", Reason: "lock of an interface"},
	{Call: "ftruncate", Reason: "what a lock remembers"},
	{Call: "pwrite64", Reason: "what a lock remembers"},
	{Call: "pread64", Reason: "what a lock remembers"},
	{Call: "lseek", Reason: "what a lock remembers"},
	{Call: "fsync", Reason: "state that survives"},
	{Call: "unlinkat", Reason: "locks, state"},
	{Call: "renameat", Reason: "state, as a whole or not at all"},
	{Call: "renameat2", Reason: "state, where there is no renameat"},
	{Call: "mkdirat", Reason: "directory of locks, of state"},
}, runtimeRules...), deadlyRules...)

// Sniffer is everything the sniffer may do once it has opened what it reads and
// writes: hand frames over to a child, print, and write.
var Sniffer = append(append([]Rule{
	{Call: "execve", Kill: true, Reason: "the spawner does that"},
	{Call: "execveat", Kill: true, Reason: "the spawner does that"},
	{Call: "mount", Kill: true, Reason: "file systems"},
	{Call: "socket", Kill: true, Reason: "it has those that it needs"},
	{Call: "connect", Kill: true, Reason: "it has those that it needs"},
	{Call: "bind", Kill: true, Reason: "it has those that it needs"},
	{Call: "ppoll", Reason: "wait for whatever comes first"},
	{Call: "socketpair", Args: []Arg{intArg(0, familyUnix)}, Reason: "lanes of a child"},
	{Call: "setsockopt", Reason: "their buffers"},
	{Call: "recvfrom", Reason: "lanes"},
	{Call: "sendmsg", Reason: "lanes, descriptors for the spawner"},
	{Call: "ftruncate", Reason: "the capture that is written"},
}, runtimeRules...), deadlyRules...)

// Spawner is everything the spawner may do once it is confined, and the
// network process until it has its own filter, which is much tighter: the
// filters of a process are inherited.
var Spawner = append(append([]Rule{
	{Call: "socket", Kill: true, Reason: "the network is the parent's"},
	{Call: "connect", Kill: true, Reason: "the network is the parent's"},
	{Call: "bind", Kill: true, Reason: "the network is the parent's"},
	{Call: "clone", Args: []Arg{{0, ^uint64(0), cloneChild}}, Reason: "the child, in seven namespaces of its own"},
	{Call: "execve", Reason: "the child's program"},
	{Call: "execveat", Reason: "the child: again, outside any file system"},
	{Call: "kill", Reason: "end the child"},
	{Call: "setuid", Reason: "the child's user"},
	{Call: "setgid", Reason: "the child's group"},
	{Call: "setgroups", Reason: "the child's groups: none"},
	{Call: "getgroups", Reason: "groups of who is not root"},
	{Call: "getgid", Reason: "groups of who is not root"},
	{Call: "getegid", Reason: "groups of who is not root"},
	{Call: "dup3", Reason: "the child's descriptors"},
	{Call: "chdir", Reason: "the child's root"},
	{Call: "mount", Reason: "the child: an empty file system"},
	{Call: "pivot_root", Reason: "the child: for a root"},
	{Call: "umount2", Reason: "the child: without the old one"},
	{Call: "sethostname", Reason: "the child: a name of its own"},
	{Call: "capget", Reason: "the child: capabilities in its own namespace"},
	{Call: "capset", Reason: "the child: none"},
	{Call: "prctl", Reason: "the child: bounding set, securebits, no_new_privs, name"},
	{Call: "prlimit64", Reason: "the child: limits"},
	{Call: "setrlimit", Reason: "the child: limits"},
	{Call: "getrlimit", Reason: "the child: limits"},
	{Call: "landlock_create_ruleset", Reason: "the child: Landlock"},
	{Call: "landlock_restrict_self", Reason: "the child: Landlock"},
	{Call: "seccomp", Reason: "the child: its filter"},
	{Call: "arch_prctl", Arch: "amd64", Reason: "start of a Go program"},
	{Call: "sched_getaffinity", Reason: "start of a Go program"},
	{Call: "ppoll", Reason: "the child's loop"},
	{Call: "recvfrom", Reason: "the child's lanes"},
}, runtimeRules...), deadlyRules...)
