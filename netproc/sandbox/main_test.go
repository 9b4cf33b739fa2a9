//go:build lab

package sandbox_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// programs are those the tests start: attempts behind the walls, and the
// network process itself.
var programs struct{ attempt, netproc string }

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "parent":
		os.Exit(beParent())
	case "landlock":
		os.Exit(m.Run())
	}
	code, err := prepareAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func prepareAndRun(m *testing.M) (int, error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("the sandbox's lab tests need root")
	}
	// What whoever started the test left open is not for the children.
	if err := unix.CloseRange(3, 1<<32-1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return 0, err
	}
	dir, err := build()
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := startDoomed(); err != nil {
		return 0, fmt.Errorf("parent that is to die: %w", err)
	}
	defer doomed.Process.Kill()
	if err := asConfinedAsTheParent(); err != nil {
		return 0, fmt.Errorf("drop what the parent drops: %w (is the test static, CGO_ENABLED=0?)", err)
	}
	return m.Run(), nil
}

// build builds the programs in a new directory, unless they were built
// elsewhere, for this machine.
func build() (dir string, err error) {
	prebuilt := os.Getenv("RVRRPD_LAB_PREBUILT")
	if prebuilt == "" {
		if dir, err = os.MkdirTemp("", "sandbox"); err != nil {
			return "", err
		}
		prebuilt = dir
	}
	programs.attempt, programs.netproc = filepath.Join(prebuilt, "attempt"), filepath.Join(prebuilt, "rvrrpd-netproc")
	if dir == "" {
		return "", nil
	}
	for source, program := range map[string]string{"./attempt": programs.attempt, "../../cmd/rvrrpd-netproc": programs.netproc} {
		cmd := exec.Command("go", "build", "-o", program, source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return dir, fmt.Errorf("%s: %w\n%s", source, err, out)
		}
	}
	return dir, nil
}

// asConfinedAsTheParent takes from this process what rvrrpd takes from
// itself: a child is started, and looked at, with no more than NET_ADMIN,
// NET_RAW, SETUID and SETGID.
func asConfinedAsTheParent() error {
	kept := uint32(1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_RAW | 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID)
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if kept&(1<<c) == 0 || c > 31 {
			if err := onAllThreads(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c); err != nil && err != unix.EINVAL {
				return err
			}
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Permitted: kept, Effective: kept}}
	return errors.Join(
		onAllThreads(unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, 0xef), // user id 0 means nothing
		onAllThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1),
		onAllThreads(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0),
		onAllThreads(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data))),
	)
}

// onAllThreads makes a system call on every thread; what its arguments are addresses of stays where
// it is until then.
//
//go:uintptrescapes
func onAllThreads(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := syscall.AllThreadsSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

// doomed is a parent, with a child, that is to be killed; it says its child's
// number. It needs what this process gives up.
var (
	doomed     *exec.Cmd
	doomedSays io.Reader
)

func startDoomed() (err error) {
	doomed = exec.Command(os.Args[0])
	doomed.Env = append(os.Environ(), roleVariable+"=parent", "SANDBOX_TEST_PROGRAM="+programs.attempt)
	doomed.Stderr = os.Stderr
	if doomedSays, err = doomed.StdoutPipe(); err != nil {
		return err
	}
	return doomed.Start()
}

// beParent is what doomed does.
func beParent() int {
	runtime.LockOSThread() // the child's life hangs on this thread
	programs.attempt = os.Getenv("SANDBOX_TEST_PROGRAM")
	if err := asConfinedAsTheParent(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	c, err := spawn(asParent("sleep"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if said := c.hear(); said != "confined" {
		fmt.Fprintf(os.Stderr, "the child said %q: %s\n", said, c.lastWords())
		return 1
	}
	fmt.Println(c.pid)
	for {
		unix.Pause()
	}
}
