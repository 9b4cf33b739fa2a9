// Command attempt goes behind the walls of package sandbox and then tries one
// thing, named by the environment variable ATTEMPT. What it has to say goes
// out through the control lane. The sandbox's tests start it in the place of
// rvrrpd-netproc.
package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"golang.org/x/sys/unix"
)

func init() { runtime.LockOSThread() }

func main() {
	if os.Getenv(sandbox.StageVariable) == "1" {
		fmt.Fprintln(os.Stderr, sandbox.Confine())
		os.Exit(70)
	}
	name := os.Getenv("ATTEMPT")
	try, known := attempts[name]
	if !known {
		fmt.Fprintln(os.Stderr, "no such attempt:", name)
		os.Exit(71)
	}
	if _, err := sandbox.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(70)
	}
	say("confined")
	hear() // the test has looked at us
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

// hear waits for a datagram.
func hear() string {
	b := make([]byte, 4096)
	n, errno := call(unix.SYS_RECVFROM, sandbox.ControlFD, address(b), uintptr(len(b)), 0, 0, 0)
	if errno != 0 {
		return errno.Error()
	}
	return string(b[:n])
}
