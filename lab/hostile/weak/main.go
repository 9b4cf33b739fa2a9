// Command weak is the network process with one wall missing. It is built and
// started by the lab's tests in the place of rvrrpd-netproc, to see who
// notices.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"golang.org/x/sys/unix"
)

// missing is the wall that is not there, set by the linker: "nothing",
// "filter", "limits", "dumpable", "read-only", or "all" of the second stage, which
// never comes.
var missing = "nothing"

func init() { runtime.LockOSThread() }

func main() {
	fmt.Fprintln(os.Stderr, run())
	os.Exit(1)
}

func run() error {
	switch os.Getenv(sandbox.StageVariable) {
	case "1":
		if missing == "read-only" {
			return writable()
		}
		return sandbox.Confine()
	case "2":
	default:
		return errors.New("started by the lab only")
	}
	if missing == "all" {
		time.Sleep(time.Hour)
	}
	if err := enter(); err != nil {
		return err
	}
	return netproc.Run(netproc.Options{Control: ipc.FromFD(sandbox.ControlFD), Frames: ipc.FromFD(sandbox.FramesFD), Landlock: 1})
}

// writable is the first stage with a root that can be written.
func writable() error {
	program, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	const bits = 0xef // user id 0 means nothing, no ambient capability, all locked
	header, none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	err = errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("empty", "/proc", "tmpfs", 0, "size=4k"),
		unix.Chdir("/proc"), unix.PivotRoot(".", "."), unix.Unmount(".", unix.MNT_DETACH), unix.Chdir("/"))
	for c := range uintptr(unix.CAP_LAST_CAP + 1) {
		unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
	}
	err = errors.Join(err, unix.Prctl(unix.PR_SET_SECUREBITS, bits, 0, 0, 0), unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0),
		unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), unix.Capset(&header, &none[0]))
	if err != nil {
		return err
	}
	argv, _ := syscall.SlicePtrFromStrings(os.Args[:1])
	env, _ := syscall.SlicePtrFromStrings(append(os.Environ()[1:], sandbox.StageVariable+"=2"))
	empty := [1]byte{}
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(program), uintptr(unsafe.Pointer(&empty[0])),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])), unix.AT_EMPTY_PATH, 0)
	return errno
}

// enter builds the walls of the second stage, with others in the place of
// some that only the sandbox itself can build: no Landlock, which nobody sees,
// and a filter that lets everything pass.
func enter() error {
	if missing == "nothing" || missing == "read-only" {
		_, err := sandbox.Enter("rvrrpd-netproc")
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
