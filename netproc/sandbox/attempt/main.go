// Command attempt goes behind the walls of package sandbox and then tries one
// thing, named by the environment variable ATTEMPT. What it has to say goes
// out through the control lane. The sandbox's tests start it in the place of
// rvrrpd-netproc. Started by hand it lists the attempts.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"golang.org/x/sys/unix"
)

func init() { runtime.LockOSThread() }

func main() {
	if os.Getenv(sandbox.StageVariable) == "1" {
		fmt.Fprintln(os.Stderr, sandbox.Confine())
		os.Exit(70)
	}
	if os.Getenv(sandbox.StageVariable) == "" {
		// Whether this machine has the 32-bit gate at all is seen without walls.
		if name := os.Getenv("ATTEMPT"); strings.HasPrefix(name, "int 0x80") && attempts[name] != nil {
			fmt.Println(attempts[name]())
			return
		}
		for name := range attempts {
			fmt.Println(name)
		}
		return
	}
	name := os.Getenv("ATTEMPT")
	try, known := attempts[name]
	if !known {
		fmt.Fprintln(os.Stderr, "no such attempt:", name)
		os.Exit(71)
	}
	if _, err := sandbox.Enter(os.Getenv("WALLS")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(70)
	}
	say("confined")
	hear(sandbox.ControlFD) // the test has looked at us
	if result := try(); result != "" {
		say(result)
	}
	os.Exit(0)
}

// say sends a datagram, in the one form the filter allows.
func say(s string) {
	b := []byte(s)
	call(unix.SYS_SENDTO, sandbox.ControlFD, address(b), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
}

// hear waits for a datagram, as the network process does, with ppoll.
func hear(fd uintptr) string {
	fds := []unix.PollFd{{Fd: sandbox.ControlFD}, {Fd: sandbox.FramesFD}}
	fds[fd-sandbox.ControlFD].Events = unix.POLLIN
	b := make([]byte, 1<<16)
	for {
		if errno := poll(fds, nil); errno != 0 && errno != unix.EINTR {
			return errno.Error()
		}
		switch n, errno := call(unix.SYS_RECVFROM, fd, address(b), uintptr(len(b)), 0, 0, 0); errno {
		case 0:
			return string(b[:n])
		case unix.EAGAIN, unix.EINTR:
		default:
			return errno.Error()
		}
	}
}

// poll is ppoll; no timeout is for ever.
func poll(fds []unix.PollFd, timeout *unix.Timespec) unix.Errno {
	_, _, errno := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)),
		uintptr(unsafe.Pointer(timeout)), 0, 0, 0)
	return errno
}
