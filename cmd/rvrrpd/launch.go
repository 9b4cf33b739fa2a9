package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/cmd/effects"
	"github.com/rvrrpd/rvrrpd/cmd/signals"
	"golang.org/x/sys/unix"
)

// A daemon is started in three steps, each a process: the launcher stays on
// the terminal until the daemon is ready or has failed; the second leads a
// session of its own and ends at once; the third, which leads nothing and so
// can never get a terminal, is the daemon. Go cannot fork: the second executes
// this program again, the third is another one.

// launch starts a daemon with these arguments and waits until it is ready, or
// has ended in order. Signals until then are the daemon's.
func launch(args []string, stderr io.Writer) int {
	effects.Launch()
	r, w, err := os.Pipe()
	if err != nil {
		return failed(stderr, exitFailure, err)
	}
	defer r.Close()
	self, err := os.Executable()
	pid := 0
	if err == nil {
		pid, err = execute(self, append([]string{os.Args[0]}, args...), append(os.Environ(), signals.StageVariable+"="+signals.Session), w.Fd(), true)
	}
	w.Close()
	if err != nil {
		return failed(stderr, exitFailure, err)
	}
	var told atomic.Bool // to end
	go func() {
		for s := range signals.Caught {
			told.Store(true)
			_ = unix.Kill(-pid, s.(unix.Signal)) // the daemon's group is that of the one that starts it
		}
	}()
	var ws syscall.WaitStatus
	for {
		if _, err = syscall.Wait4(pid, &ws, 0, nil); err != syscall.EINTR {
			break
		}
	}
	code, said := await(r, stderr)
	switch {
	case said || code == 0:
	case told.Load(): // before it had begun
		return 0
	default:
		fmt.Fprintln(stderr, "rvrrpd: the daemon ended before it was ready, without a word: something has killed it")
	}
	return code
}

// await prints what comes through the pipe, until the daemon is ready or has
// ended, and says with what code, and whether anything came.
func await(r io.Reader, stderr io.Writer) (code int, said bool) {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		text, end, _ := strings.Cut(line, "\x00")
		said = said || text != ""
		io.WriteString(stderr, text)
		if end != "" {
			return int(end[0]), said
		}
		if err != nil {
			return exitFailure, said
		}
	}
}

// execute starts a program of ours as another step, with the launcher's pipe.
func execute(path string, argv, env []string, boot uintptr, session bool) (pid int, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	return syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env: env, Files: []uintptr{null.Fd(), null.Fd(), null.Fd(), boot}, Sys: &syscall.SysProcAttr{Setsid: session},
	})
}

// lead is the second step: it starts the daemon, and ends.
func lead(args []string) int {
	o, err := parse(args)
	path, err1 := children.ProgramPath(parentName)
	pid := 0
	if err = errors.Join(err, err1); err == nil {
		if pid, err = execute(path, argv(parentName, o.parent()...), os.Environ(), signals.LauncherFD, false); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err != nil {
		return failed(os.NewFile(signals.LauncherFD, "launcher"), exitFailure, err)
	}
	effects.Pass(pid)
	return 0
}
