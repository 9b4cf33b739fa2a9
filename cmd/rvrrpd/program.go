package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"unsafe"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/cmd/signals"
	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// parentName is the program of -m1, and of the daemon of -m2.
const parentName = "rvrrpd-parent"

// parent are its arguments.
func (o *options) parent() []string {
	file, err := filepath.Abs(o.file) // the daemon has another working directory
	if err != nil {
		file = o.file
	}
	return []string{"--conf=" + file, "--format=" + o.format, fmt.Sprintf("--debug=%d", o.debug), fmt.Sprintf("--daemon=%t", o.mode == 2)}
}

// argv are the arguments of another program of ours, which is to be of our build.
func argv(name string, args ...string) []string {
	return append([]string{name, "--build=" + ipc.Build()}, args...)
}

// keepSignals leaves what comes now, and what has come, to the next program, which catches it:
// it waits, because no thread takes it any more. Go lets SIGHUP, SIGINT and SIGTERM through
// before it has come so far: the first has no meaning yet, and is ignored; the others end what
// has not begun, as they do here, where it says so.
func keepSignals() (ended bool) {
	signal.Ignore(unix.SIGHUP)
	set := signals.Set()
	_, _, _ = syscall.AllThreadsSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, uintptr(unsafe.Pointer(&set)), 0, unsafe.Sizeof(set.Val[0]), 0, 0)
	signal.Stop(signals.Caught)
	for len(signals.Caught) > 0 {
		s := <-signals.Caught
		ended = ended || s == unix.SIGTERM || s == unix.SIGINT
		_ = unix.Kill(os.Getpid(), s.(unix.Signal))
	}
	return ended
}

// become executes another of our programs in the place of this one, which then
// needs not contain it. It returns where that fails.
func become(name string, stderr io.Writer, args ...string) int {
	path, err := children.ProgramPath(name)
	if err == nil {
		if err = unix.Exec(path, argv(name, args...), os.Environ()); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	return failed(stderr, exitFailure, err)
}
