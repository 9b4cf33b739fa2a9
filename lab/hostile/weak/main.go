// Command weak is the network process with one wall missing. It is built and
// started by the lab's tests in the place of rvrrpd-netproc, to see who
// notices.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"golang.org/x/sys/unix"
)

// missing is the wall that is not there, set by the linker: "nothing",
// "filter", "limits" or "dumpable".
var missing = "nothing"

func init() { runtime.LockOSThread() }

func main() {
	fmt.Fprintln(os.Stderr, run())
	os.Exit(1)
}

func run() error {
	switch os.Getenv(sandbox.StageVariable) {
	case "1":
		return sandbox.Confine()
	case "2":
	default:
		return errors.New("started by the lab only")
	}
	if err := enter(); err != nil {
		return err
	}
	return netproc.Run(netproc.Options{Control: ipc.FromFD(sandbox.ControlFD), Frames: ipc.FromFD(sandbox.FramesFD), Landlock: 1})
}

// enter builds the walls of the second stage, with others in the place of
// some that only the sandbox itself can build: no Landlock, which nobody sees,
// and a filter that lets everything pass.
func enter() error {
	if missing == "nothing" {
		_, err := sandbox.Enter()
		return err
	}
	name := []byte("rvrrpd-netproc\x00")
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0); err != nil {
		return err
	}
	if missing != "dumpable" {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			return err
		}
	}
	time.Sleep(time.Nanosecond) // the runtime's poller, with descriptors 5 and 6
	if missing != "limits" {
		if err := limit(); err != nil {
			return err
		}
	}
	if missing != "filter" {
		return filter()
	}
	return nil
}

func limit() error {
	for resource, most := range map[int]uint64{
		unix.RLIMIT_NOFILE: 2, unix.RLIMIT_NPROC: 32, unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0,
		unix.RLIMIT_MEMLOCK: 0, unix.RLIMIT_MSGQUEUE: 0, unix.RLIMIT_DATA: 256 << 20,
	} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return err
		}
	}
	return nil
}

// filter allows everything: one that counts, and is no wall.
func filter() error {
	pass := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	prog := unix.SockFprog{Len: 1, Filter: &pass}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	return nil
}
