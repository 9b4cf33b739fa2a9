package main

import "golang.org/x/sys/unix"

// What only this architecture has: calls that others have left out, and those
// of its 32-bit ancestor.
func init() {
	attempts["open"] = made(unix.SYS_OPEN, address(path), unix.O_RDONLY)
	attempts["fork, the old call"] = made(unix.SYS_FORK)
	attempts["vfork"] = made(unix.SYS_VFORK)
	attempts["dup2"] = made(unix.SYS_DUP2, 3, 9)
	attempts["pipe"] = made(unix.SYS_PIPE, address(make([]byte, 8)))
	attempts["poll"] = made(unix.SYS_POLL, 0, 0, 0)
	attempts["arch_prctl"] = made(unix.SYS_ARCH_PRCTL, 0x1003, address(make([]byte, 8)))
	attempts["modify_ldt"] = made(unix.SYS_MODIFY_LDT, 0, address(make([]byte, 16)), 16)
	attempts["iopl"] = made(unix.SYS_IOPL, 3)
	attempts["x32 getpid"] = made(0x40000000 + unix.SYS_GETPID)
	attempts["x32 recvfrom"] = made(0x40000000 + 517)
	attempts["int 0x80 getpid"] = func() string { return gate(20) }
	attempts["int 0x80 restart_syscall"] = func() string { return gate(0) }
}

// interrupt makes a system call without arguments through the 32-bit gate.
func interrupt(nr uint32) int32

func gate(nr uint32) string {
	interrupt(nr)
	return "succeeded"
}
