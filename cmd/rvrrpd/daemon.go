package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/rvrrpd/rvrrpd/cmd/signals"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/parent"
	"golang.org/x/sys/unix"
)

// A daemon is started in three steps, each a process: the launcher stays on
// the terminal until the daemon is ready or has failed; the second leads a
// session of its own and ends at once; the third, which leads nothing and so
// can never get a terminal, is the daemon. Go cannot fork, so each executes
// the program again.

// bootFD is the launcher's pipe in the other two: lines of text, then a zero
// byte and the exit code of the launcher: 0 when the daemon is ready, that of the
// daemon when it has ended before.
const bootFD = 3

// umask keeps others from what the daemon writes, and its group from writing.
const umask = 0o027

// launch starts a daemon with these arguments and waits until it is ready, or
// has ended in order. Signals until then are the daemon's.
func launch(args []string, stderr io.Writer) int {
	signals.Launch()
	r, w, err := os.Pipe()
	if err != nil {
		return failed(stderr, exitFailure, err)
	}
	defer r.Close()
	pid, err := again(signals.Session, args, w.Fd(), true)
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

// again executes this program as another step.
func again(stage string, args []string, boot uintptr, session bool) (pid int, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	env := append(os.Environ(), signals.StageVariable+"="+stage)
	return syscall.ForkExec(self, append([]string{os.Args[0]}, args...), &syscall.ProcAttr{
		Env: env, Files: []uintptr{null.Fd(), null.Fd(), null.Fd(), boot}, Sys: &syscall.SysProcAttr{Setsid: session},
	})
}

// boot is the daemon's end of the launcher's pipe; it is written to until
// the daemon is ready or ends.
type boot struct{ f atomic.Pointer[os.File] }

func newBoot(f *os.File) *boot {
	b := &boot{}
	b.f.Store(f)
	return b
}

func (b *boot) Write(p []byte) (int, error) {
	if f := b.f.Load(); f != nil {
		return f.Write(p)
	}
	return len(p), nil
}

// end lets the launcher end, with a code.
func (b *boot) end(code int) {
	if f := b.f.Swap(nil); f != nil {
		f.Write([]byte{0, byte(code)})
		f.Close()
	}
}

// serve is the daemon itself.
func serve(o options, b *boot) int {
	o.file = full(o.file)
	begun, code := begin(o, b)
	if begun == nil {
		return code
	}
	return serveBegun(begun, o, b)
}

// serveBegun is serve once the configuration has been read.
func serveBegun(begun *parent.Begun, o options, b *boot) int {
	c := begun.Config
	unix.Umask(umask)
	if err := os.Chdir(c.WorkingDir); err != nil {
		return failed(b, exitConfig, fmt.Errorf("working_dir: %w", err))
	}
	all, err1 := openLog(c.Within(c.MainLog))
	errs, err2 := openLog(c.Within(c.ErrorLog))
	if err := errors.Join(named("main_log", err1), named("error_log", err2)); err != nil {
		return failed(b, exitConfig, fmt.Errorf("%s: %w", o.file, err))
	}
	// What the runtime says before it dies.
	if err := unix.Dup3(int(errs.file.Load().Fd()), 2, 0); err != nil {
		return failed(b, exitFailure, err)
	}
	remove, err := lockPID(c.Within(c.PIDFile))
	switch {
	case errors.Is(err, errRuns): // and may end
		return failed(b, exitFailure, fmt.Errorf("%s: %w", o.file, err))
	case err != nil:
		return failed(b, exitConfig, fmt.Errorf("%s: %w", o.file, err))
	}
	defer remove()
	s := newStyle(c, o.debug)
	mainQueue, mainLog := newQueue(all, s.stamped)
	errorQueue, errorLog := newQueue(errs, s.stamped)
	bootQueue, bootLog := newQueue(b, s.stamped)
	log := slog.New(slog.NewMultiHandler(mainLog,
		branch{slog.LevelWarn, highest, errorLog}, branch{slog.LevelWarn, highest, bootLog}))
	p := s.options(begun, o, log)
	applied := p.Applied
	p.Applied = func(next *conf.Config, left []string) {
		mainQueue.do(func() { told(log, follow(all, "main_log", c.Within(next.MainLog), left)) })
		errorQueue.do(func() { told(log, follow(errs, "error_log", c.Within(next.ErrorLog), left)) })
		applied(next, left)
	}
	p.Ready = func() { bootQueue.do(func() { b.end(0) }) }
	// Opening a file may take as long as writing it.
	p.Reopen = func() {
		mainQueue.do(func() { told(log, named("main_log", all.reopen())) })
		errorQueue.do(func() { told(log, named("error_log", errs.reopen())) })
	}
	p.LogDirs, p.RemoveDirs = []string{filepath.Dir(all.path), filepath.Dir(errs.path)}, []string{filepath.Dir(c.Within(c.PIDFile))}
	return runParent(p, log, queues{mainQueue, errorQueue, bootQueue})
}

// told tells of a log file that could not be opened.
func told(log *slog.Logger, err error) {
	if err != nil {
		log.Error("log files", "error", err)
	}
}

// follow has a log go where a configuration says, unless that is left for a
// restart.
func follow(l *logFile, key, path string, left []string) error {
	if slices.ContainsFunc(left, func(change string) bool { return strings.HasPrefix(change, key+" ") }) {
		return nil
	}
	return named(key, l.move(path))
}

func named(key string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// lockPID writes the process number to a file that appears as a whole: that of a
// daemon that is gone is replaced, one of a daemon that lives is respected. Everybody
// can read it, and so could lock it: the lock is elsewhere.
func lockPID(path string) (remove func(), err error) {
	defer func() { err = named("pid", err) }()
	dir, err := parent.OwnDirectory(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	path = filepath.Join(dir, filepath.Base(path))
	said, err := readPID(path)
	if err != nil {
		return nil, err
	}
	release, err := parent.LockFile(path)
	if errors.Is(err, parent.ErrLocked) {
		return nil, fmt.Errorf("%s: %w %s", path, errRuns, said)
	} else if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".")
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
		if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}
	mine, err1 := os.Lstat(path)
	if err = errors.Join(err, err1); err != nil {
		release()
		return nil, err
	}
	return func() {
		// The process reads no file any more; this one is known without.
		if there, err := os.Lstat(path); err == nil && os.SameFile(mine, there) && mine.ModTime().Equal(there.ModTime()) {
			os.Remove(path)
		}
		release()
	}, nil
}

// errRuns is that another daemon has the file of the process number.
var errRuns = errors.New("rvrrpd runs already, process")

// readPID reads the file of another daemon, "" if there is none. What is not ours
// to replace is an error: it holds something else, or a daemon that lives has locked
// it, as earlier releases did.
func readPID(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 32))
	text := strings.TrimSpace(string(b))
	if _, number := strconv.Atoi(text); err != nil || len(b) > 0 && number != nil {
		return "", fmt.Errorf("%s: holds something else than a process number; accepted: a file of a daemon, or none", path)
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == unix.EWOULDBLOCK && isDaemon(text) {
		return "", fmt.Errorf("%s: %w %s", path, errRuns, text)
	}
	return text, nil
}

// isDaemon says whether a process is of this program, and root's or ours. Whose it
// is its status says: the owner of its directory is root where it is not dumpable.
func isDaemon(number string) bool {
	exe, _ := os.Readlink("/proc/" + number + "/exe")
	status, _ := os.ReadFile("/proc/" + number + "/status")
	trusted := strings.Contains(string(status), "\nUid:\t0\t") || strings.Contains(string(status), fmt.Sprintf("\nUid:\t%d\t", os.Geteuid()))
	return trusted && filepath.Base(strings.TrimSuffix(exe, " (deleted)")) == "rvrrpd"
}

// foreground is -m1.
func foreground(o options, stderr io.Writer) int {
	begun, code := begin(o, stderr)
	if begun == nil {
		return code
	}
	s := newStyle(begun.Config, o.debug)
	format := s.stamped
	if inJournal(stderr) {
		format = s.journal
	}
	q, h := newQueue(stderr, format)
	log := slog.New(h)
	return runParent(s.options(begun, o, log), log, queues{q})
}

// begin has the configuration read. Where that fails it tells why, and returns nil and
// with what code to end.
func begin(o options, stderr io.Writer) (*parent.Begun, int) {
	begun, err := parent.Begin(full(o.file), conf.Format(o.format))
	switch {
	case errors.Is(err, parent.ErrRefused):
		fmt.Fprintln(stderr, err)
		return nil, exitConfig
	case err != nil:
		return nil, failed(stderr, exitFailure, err)
	}
	return begun, 0
}

// full is a path that does not depend on the working directory.
func full(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
