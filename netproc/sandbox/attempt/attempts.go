package main

import (
	"unsafe"

	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"golang.org/x/sys/unix"
)

func call(nr uintptr, args ...uintptr) (uintptr, unix.Errno) {
	var a [6]uintptr
	copy(a[:], args)
	r, _, errno := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	return r, errno
}

// address is that of a buffer, which from then on stays where it is: an attempt hands over its
// number, which neither the compiler nor the collector takes for a use of it.
func address(b []byte) uintptr {
	kept = append(kept, b)
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))
}

var kept [][]byte

var path = []byte("/\x00")

// What a lock is in, and another: aligned, as the kernel wants them.
var word, other = make([]byte, 8), make([]byte, 8)

// Operations of futex(2).
const (
	futexWake             = 1
	futexRequeue          = 3
	futexCompareRequeue   = 4
	futexWakeOp           = 5
	futexLockPI           = 6
	futexWakeBitset       = 10
	futexCompareRequeuePI = 12
	futexPrivate          = 128
	futexRealtime         = 256
)

// made tells what came of a system call that should not have come back.
func made(nr uintptr, args ...uintptr) func() string {
	return func() string {
		_, errno := call(nr, args...)
		if errno != 0 {
			return "refused: " + errno.Error()
		}
		return "succeeded"
	}
}

// attempts are what can be tried. What comes of each is in the test's table;
// most must kill the process.
var attempts = map[string]func() string{
	"openat":          made(unix.SYS_OPENAT, ^uintptr(99), address(path), unix.O_RDONLY),
	"openat2":         made(unix.SYS_OPENAT2, ^uintptr(99), address(path), address(make([]byte, 24)), 24),
	"socket packet":   made(unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_RAW, 0),
	"socket inet":     made(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0),
	"socket unix":     made(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM, 0),
	"socket netlink":  made(unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, 0),
	"socket vsock":    made(unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM, 0),
	"memory of init":  made(unix.SYS_OPENAT, ^uintptr(99), address([]byte("/proc/1/mem\x00")), unix.O_RDWR),
	"kill the group":  made(unix.SYS_KILL, 0, uintptr(unix.SIGTERM)),
	"kill the parent": func() string { return made(unix.SYS_KILL, uintptr(unix.Getppid()), uintptr(unix.SIGTERM))() },
	"memfd and execute": func() string {
		fd, _ := call(unix.SYS_MEMFD_CREATE, address(path), 0)
		return made(unix.SYS_EXECVEAT, fd, address([]byte{0}), 0, 0, unix.AT_EMPTY_PATH)()
	},
	"socket mptcp":        made(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 262),
	"socketpair":          made(unix.SYS_SOCKETPAIR, unix.AF_UNIX, unix.SOCK_STREAM, 0, address(make([]byte, 8))),
	"connect":             made(unix.SYS_CONNECT, sandbox.ControlFD, address(make([]byte, 16)), 16),
	"bind":                made(unix.SYS_BIND, sandbox.ControlFD, address(make([]byte, 16)), 16),
	"listen":              made(unix.SYS_LISTEN, sandbox.ControlFD, 1),
	"accept4":             made(unix.SYS_ACCEPT4, sandbox.ControlFD),
	"setsockopt":          made(unix.SYS_SETSOCKOPT, sandbox.ControlFD, unix.SOL_SOCKET, unix.SO_SNDBUF, address(make([]byte, 4)), 4),
	"sendmsg":             made(unix.SYS_SENDMSG, sandbox.ControlFD, address(make([]byte, 56))),
	"recvmsg":             made(unix.SYS_RECVMSG, sandbox.ControlFD, address(make([]byte, 56))),
	"sendto an address":   made(unix.SYS_SENDTO, sandbox.ControlFD, address(path), 1, 0, address(make([]byte, 16)), 16),
	"sendto frames lane":  made(unix.SYS_SENDTO, sandbox.FramesFD, address(path), 1),
	"write control lane":  made(unix.SYS_WRITE, sandbox.ControlFD, address(path), 1),
	"read control lane":   made(unix.SYS_READ, sandbox.ControlFD, address(make([]byte, 8)), 8),
	"dup":                 made(unix.SYS_DUP, sandbox.ControlFD),
	"dup3":                made(unix.SYS_DUP3, sandbox.ControlFD, 9, 0),
	"fcntl":               made(unix.SYS_FCNTL, sandbox.ControlFD, unix.F_DUPFD, 0),
	"close":               made(unix.SYS_CLOSE, sandbox.ControlFD),
	"ioctl":               made(unix.SYS_IOCTL, sandbox.ControlFD, unix.SIOCGIFCONF, address(make([]byte, 64))),
	"pipe2":               made(unix.SYS_PIPE2, address(make([]byte, 8)), 0),
	"memfd_create":        made(unix.SYS_MEMFD_CREATE, address(path), 0),
	"fork":                made(unix.SYS_CLONE, uintptr(unix.SIGCHLD)),
	"clone user":          made(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD)),
	"clone3":              made(unix.SYS_CLONE3, address(make([]byte, 88)), 88),
	"execve":              made(unix.SYS_EXECVE, address(path), 0, 0),
	"execveat":            made(unix.SYS_EXECVEAT, 5, address(path), 0, 0, unix.AT_EMPTY_PATH),
	"unshare":             made(unix.SYS_UNSHARE, unix.CLONE_NEWUSER),
	"setns":               made(unix.SYS_SETNS, 5, 0),
	"mount":               made(unix.SYS_MOUNT, address(path), address(path), 0, unix.MS_BIND, 0),
	"chroot":              made(unix.SYS_CHROOT, address(path)),
	"setuid":              made(unix.SYS_SETUID, 0),
	"capset":              made(unix.SYS_CAPSET, address(make([]byte, 8)), address(make([]byte, 24))),
	"prctl dumpable":      made(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1),
	"seccomp":             made(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_STRICT),
	"kill":                made(unix.SYS_KILL, 1, uintptr(unix.SIGTERM)),
	"kill all":            made(unix.SYS_KILL, ^uintptr(0), uintptr(unix.SIGTERM)),
	"tgkill another":      made(unix.SYS_TGKILL, 2, 2, uintptr(unix.SIGTERM)),
	"tkill":               made(unix.SYS_TKILL, 1, uintptr(unix.SIGTERM)),
	"pidfd_open":          made(unix.SYS_PIDFD_OPEN, 1),
	"ptrace":              made(unix.SYS_PTRACE, unix.PTRACE_TRACEME),
	"process_vm_readv":    made(unix.SYS_PROCESS_VM_READV, 1),
	"process_vm_writev":   made(unix.SYS_PROCESS_VM_WRITEV, 1),
	"mmap executable":     made(unix.SYS_MMAP, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uintptr(0)),
	"mmap a descriptor":   made(unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, 3),
	"mmap shared":         made(unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_SHARED|unix.MAP_ANONYMOUS, ^uintptr(0)),
	"mprotect":            made(unix.SYS_MPROTECT, 0, 4096, unix.PROT_EXEC),
	"userfaultfd":         made(unix.SYS_USERFAULTFD, 0),
	"io_uring_setup":      made(unix.SYS_IO_URING_SETUP, 1, address(make([]byte, 120))),
	"bpf":                 made(unix.SYS_BPF, 0),
	"perf_event_open":     made(unix.SYS_PERF_EVENT_OPEN, address(make([]byte, 128))),
	"keyctl":              made(unix.SYS_KEYCTL, 0),
	"add_key":             made(unix.SYS_ADD_KEY, address(path), address(path)),
	"init_module":         made(unix.SYS_INIT_MODULE, 0, 0, address(path)),
	"reboot":              made(unix.SYS_REBOOT, 0),
	"settimeofday":        made(unix.SYS_SETTIMEOFDAY, 0, 0),
	"clock_settime":       made(unix.SYS_CLOCK_SETTIME, 0, address(make([]byte, 16))),
	"setrlimit":           made(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, address(make([]byte, 16))),
	"sched_setscheduler":  made(unix.SYS_SCHED_SETSCHEDULER, 0, 1, address(make([]byte, 4))),
	"personality":         made(unix.SYS_PERSONALITY, 0),
	"shmget":              made(unix.SYS_SHMGET, 0, 4096, 0o1600),
	"mq_open":             made(unix.SYS_MQ_OPEN, address(path), unix.O_CREAT),
	"getdents64":          made(unix.SYS_GETDENTS64, 0, address(make([]byte, 64)), 64),
	"epoll_ctl":           made(unix.SYS_EPOLL_CTL, 5, unix.EPOLL_CTL_ADD, 3, address(make([]byte, 12))),
	"number out of range": made(100000),
	"name_to_handle_at":   made(unix.SYS_NAME_TO_HANDLE_AT, 5, address(path), address(make([]byte, 64)), address(make([]byte, 4)), unix.AT_EMPTY_PATH),
	"open_by_handle_at":   made(unix.SYS_OPEN_BY_HANDLE_AT, 5, address(make([]byte, 64)), 0),
	"quotactl":            made(unix.SYS_QUOTACTL, 0, 0, 0, 0),
	"swapon":              made(unix.SYS_SWAPON, address(path), 0),
	"acct":                made(unix.SYS_ACCT, address(path)),
	"kexec_load":          made(unix.SYS_KEXEC_LOAD, 0, 0, 0, 0),
	"finit_module":        made(unix.SYS_FINIT_MODULE, 3, address(path), 0),
	"delete_module":       made(unix.SYS_DELETE_MODULE, address(path), 0),
	"setpriority":         made(unix.SYS_SETPRIORITY, 0, 0, ^uintptr(19)),
	"sched_setaffinity":   made(unix.SYS_SCHED_SETAFFINITY, 0, 8, address(make([]byte, 8))),
	"mlockall":            made(unix.SYS_MLOCKALL, 3),
	"request_key":         made(unix.SYS_REQUEST_KEY, address(path), address(path), 0, 0),
	"io_uring_register":   made(unix.SYS_IO_URING_REGISTER, 3, 0, 0, 0),
	"io_setup":            made(unix.SYS_IO_SETUP, 1, address(make([]byte, 8))),
	"signalfd4":           made(unix.SYS_SIGNALFD4, ^uintptr(0), address(make([]byte, 8)), 8, 0),
	"fanotify_init":       made(unix.SYS_FANOTIFY_INIT, 0, 0),
	"fsopen":              made(unix.SYS_FSOPEN, address([]byte("proc\x00")), 0),
	"open_tree":           made(unix.SYS_OPEN_TREE, ^uintptr(99), address(path), 1),
	"move_mount":          made(unix.SYS_MOVE_MOUNT, 3, address(path), 3, address(path), 0),
	"process_madvise":     made(unix.SYS_PROCESS_MADVISE, 3, 0, 0, 0, 0),
	"pidfd_send_signal":   made(unix.SYS_PIDFD_SEND_SIGNAL, 3, uintptr(unix.SIGTERM), 0, 0),
	"vmsplice":            made(unix.SYS_VMSPLICE, 2, address(make([]byte, 16)), 1, 0),
	"tee":                 made(unix.SYS_TEE, 2, 0, 1, 0),
	"sendmmsg":            made(unix.SYS_SENDMMSG, sandbox.ControlFD, address(make([]byte, 64)), 1, 0),
	"sendfile":            made(unix.SYS_SENDFILE, sandbox.ControlFD, 2, 0, 1),
	"shutdown":            made(unix.SYS_SHUTDOWN, sandbox.ControlFD, 2),
	"setsockopt filter":   made(unix.SYS_SETSOCKOPT, sandbox.ControlFD, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, address(make([]byte, 16)), 16),
	"getppid":             made(unix.SYS_GETPPID),
	"rseq":                made(unix.SYS_RSEQ, address(make([]byte, 32)), 32, 0, 0),
	"mseal":               made(462, 0, 4096, 0),

	// Of a lock that nobody else holds, which the kernel would take or wake at once.
	"futex shared":                          made(unix.SYS_FUTEX, address(word), futexWake, 1),
	"futex requeue":                         made(unix.SYS_FUTEX, address(word), futexRequeue|futexPrivate, 1, 1, address(other)),
	"futex compare and requeue":             made(unix.SYS_FUTEX, address(word), futexCompareRequeue|futexPrivate, 1, 1, address(other)),
	"futex wake with operation":             made(unix.SYS_FUTEX, address(word), futexWakeOp|futexPrivate, 1, 1, address(other)),
	"futex priority inheritance":            made(unix.SYS_FUTEX, address(word), futexLockPI|futexPrivate),
	"futex requeue to priority inheritance": made(unix.SYS_FUTEX, address(word), futexCompareRequeuePI|futexPrivate, 1, 1, address(other)),
	"futex wake some":                       made(unix.SYS_FUTEX, address(word), futexWakeBitset|futexPrivate, 1, 0, 0, 1),
	"futex by the wall clock":               made(unix.SYS_FUTEX, address(word), futexWake|futexPrivate|futexRealtime, 1),
	"futex_waitv":                           made(unix.SYS_FUTEX_WAITV, 0, 0, 0, 0, 1),
	"futex_wake":                            made(454, address(word), 1, 1, futexPrivate|2),
	"futex_wait":                            made(455, address(word), 1, 1, futexPrivate|2, 0, 1),
	"futex_requeue":                         made(456, 0, 0, 1, 1),
	"set_robust_list":                       made(unix.SYS_SET_ROBUST_LIST, address(make([]byte, 24)), 24),

	"clone a thread into a user namespace": made(unix.SYS_CLONE, 0xd0f00|unix.CLONE_NEWUSER),
	"madvise mergeable":                    made(unix.SYS_MADVISE, 0, 0, unix.MADV_MERGEABLE),
	"mmap huge pages":                      made(unix.SYS_MMAP, 0, 1<<21, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_HUGETLB, ^uintptr(0)),
	"mmap locked":                          made(unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_LOCKED, ^uintptr(0)),
	"mremap":                               made(unix.SYS_MREMAP, 0, 4096, 8192, 1),
	"memfd_secret":                         made(unix.SYS_MEMFD_SECRET, 0),
	"prctl parent death":                   made(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, 0),
	"prctl seccomp":                        made(unix.SYS_PRCTL, unix.PR_GET_SECCOMP),
	"rt_sigqueueinfo":                      made(unix.SYS_RT_SIGQUEUEINFO, 1, uintptr(unix.SIGTERM), address(make([]byte, 128))),
	"pidfd_getfd":                          made(unix.SYS_PIDFD_GETFD, 3, 0, 0),
	"pivot_root":                           made(unix.SYS_PIVOT_ROOT, address(path), address(path)),
	"umount2":                              made(unix.SYS_UMOUNT2, address(path), unix.MNT_DETACH),
	"sethostname":                          made(unix.SYS_SETHOSTNAME, address(path), 1),
	"setsid":                               made(unix.SYS_SETSID),
	"write standard output":                made(unix.SYS_WRITE, 1, address(path), 1),
	"read standard input":                  made(unix.SYS_READ, 0, address(make([]byte, 8)), 8),
	"writev":                               made(unix.SYS_WRITEV, 2, address(make([]byte, 16)), 1),
	"splice":                               made(unix.SYS_SPLICE, 3, 0, 2, 0, 1),
	"epoll_create1":                        made(unix.SYS_EPOLL_CREATE1, 0),
	"eventfd2":                             made(unix.SYS_EVENTFD2, 0, 0),
	"timerfd_create":                       made(unix.SYS_TIMERFD_CREATE, 1, 0),
	"inotify_init1":                        made(unix.SYS_INOTIFY_INIT1, 0),
	"landlock_create_ruleset":              made(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1),
	"syslog":                               made(unix.SYS_SYSLOG, 3, address(make([]byte, 64)), 64),
	"stat":                                 made(unix.SYS_STATX, ^uintptr(99), address(path), 0, 0xfff, address(make([]byte, 256))),

	// Refused, the process goes on.
	"name of a mapping": made(unix.SYS_PRCTL, 0x53564d41, 0, 0, 4096, address(path)),
	"three descriptors": made(unix.SYS_PPOLL, address(make([]byte, 24)), 3, address(make([]byte, 16))),

	// What the network process does and must be able to do.
	"wait": patience, "sleep": sleep, "timeouts": timeouts, "exchange": exchange, "threads": threads, "collector": collector,
	"timers": timers, "wake": wake, "random": random, "busy": busy,

	// Ends of its own making.
	"memory": hog, "thread bomb": bomb, "panic": crash,
}
