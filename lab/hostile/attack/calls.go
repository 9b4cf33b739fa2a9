package attack

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Call is a system call that a compromised network process may not make.
type Call struct {
	Name string
	Make func()
}

func call(nr uintptr, args ...uintptr) func() {
	return func() {
		var a [6]uintptr
		copy(a[:], args)
		unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	}
}

// text is the address of a string, which from then on stays where it is: neither the compiler nor
// the collector takes a number for a use of it.
func text(s string) uintptr {
	b := append([]byte(s), 0)
	kept = append(kept, b)
	return uintptr(unsafe.Pointer(&b[0]))
}

var kept [][]byte

// Calls are made behind the real walls of a child of the real daemon; the
// VRID, less one and all of All, is the index.
var Calls = []Call{
	{"open /proc of the parent", call(unix.SYS_OPENAT, ^uintptr(99), text("/proc/1/mem"), unix.O_RDWR)},
	{"signal the parent", func() { unix.Kill(unix.Getppid(), unix.SIGTERM) }},
	{"signal everybody", call(unix.SYS_KILL, ^uintptr(0), uintptr(unix.SIGKILL))},
	{"signal the process group", call(unix.SYS_KILL, 0, uintptr(unix.SIGTERM))},
	{"trace the parent", call(unix.SYS_PTRACE, unix.PTRACE_ATTACH, 1)},
	{"write the parent's memory", call(unix.SYS_PROCESS_VM_WRITEV, 1)},
	{"Unix socket", call(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM, 0)},
	{"netlink socket", call(unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, 0)},
	{"packet socket", call(unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_RAW, 0)},
	{"vsock", call(unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM, 0)},
	{"MPTCP socket", call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)},
	{"fork", call(unix.SYS_CLONE, uintptr(unix.SIGCHLD))},
	{"execute", call(unix.SYS_EXECVE, text("/bin/sh"), 0, 0)},
	{"memory that can be executed", call(unix.SYS_MPROTECT, 0, 4096, unix.PROT_EXEC)},
	{"a program in memory", func() {
		if fd, err := unix.MemfdCreate("x", 0); err == nil {
			call(unix.SYS_EXECVEAT, uintptr(fd), text(""), 0, 0, unix.AT_EMPTY_PATH)()
		}
	}},
	{"mount", call(unix.SYS_MOUNT, text("/"), text("/"), 0, unix.MS_BIND)},
	{"new user namespace", call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER)},
	{"namespace of the parent", call(unix.SYS_SETNS, 5, 0)},
	{"duplicate a lane", call(unix.SYS_DUP, 3)},
	{"send a descriptor", call(unix.SYS_SENDMSG, 3)},
	{"io_uring", call(unix.SYS_IO_URING_SETUP, 1)},
	{"bpf", call(unix.SYS_BPF)},
}
