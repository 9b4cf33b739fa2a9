package main

import (
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

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"github.com/rvrrpd/rvrrpd/parent"
	"github.com/rvrrpd/rvrrpd/parent/logger"
	"golang.org/x/sys/unix"
)

// umask keeps others from what the daemon writes, and its group from writing.
const umask = 0o027

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

// fd is the descriptor of the pipe.
func (b *boot) fd() int { return int(b.f.Load().Fd()) }

// end lets the launcher end, with a code.
func (b *boot) end(code int) {
	if f := b.f.Swap(nil); f != nil {
		f.Write([]byte{0, byte(code)})
		f.Close()
	}
}

// serve is the daemon that a launcher waits for.
func serve(p parent.Options, o options, log *logger.Logger, b *boot) int {
	c := p.Begun.Config
	unix.Umask(umask)
	if err := os.Chdir(c.WorkingDir); err != nil {
		return failed(b, exitConfig, fmt.Errorf("working_dir: %w", err))
	}
	all, err1 := openLog(log, "main_log", parent.LevelExtensive, c.Within(c.MainLog))
	errs, err2 := openLog(log, "error_log", slog.LevelWarn, c.Within(c.ErrorLog))
	if err := errors.Join(err1, err2); err != nil {
		return failed(b, exitConfig, fmt.Errorf("%s: %w", o.file, err))
	}
	// What the runtime says before it dies.
	if err := unix.Dup3(int(errs.file.Fd()), 2, 0); err != nil {
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
	log.Sink(keeping.Sink{Name: "launcher", Least: slog.LevelWarn, Temporary: true}, b.fd())
	applied := p.Applied
	p.Applied = func(next *conf.Config, left []string) {
		all.follow(c.Within(next.MainLog), left)
		errs.follow(c.Within(next.ErrorLog), left)
		applied(next, left)
	}
	p.Ready = func() { log.Mark(func() { go b.end(0) }) } // which may have to wait
	// Opening a file may take as long as writing it.
	p.Reopen = func() {
		go all.follow("", nil)
		go errs.follow("", nil)
	}
	p.LogDirs, p.RemoveDirs = []string{filepath.Dir(all.path), filepath.Dir(errs.path)}, []string{filepath.Dir(c.Within(c.PIDFile))}
	return runParent(p, log, io.MultiWriter(b, os.Stderr))
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
	defer unix.Umask(unix.Umask(0o022)) // for all to read
	err = parent.ReplaceFile(path, []byte(fmt.Sprintln(os.Getpid())), 0o644)
	mine, err1 := os.Lstat(path)
	if err = errors.Join(err, err1); err != nil {
		os.Remove(path)
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
// is its status says: the owner of its directory is root where it is not dumpable. Up to
// 0.9.0 the daemon was the command itself.
func isDaemon(number string) bool {
	exe, _ := os.Readlink("/proc/" + number + "/exe")
	status, _ := os.ReadFile("/proc/" + number + "/status")
	trusted := strings.Contains(string(status), "\nUid:\t0\t") || strings.Contains(string(status), fmt.Sprintf("\nUid:\t%d\t", os.Geteuid()))
	return trusted && slices.Contains([]string{"rvrrpd", program}, filepath.Base(strings.TrimSuffix(exe, " (deleted)")))
}

// foreground is -m1.
func foreground(p parent.Options, log *logger.Logger, stderr io.Writer) int {
	fd := unix.Stderr
	if inJournal(os.Stderr) {
		fd = -1
	}
	log.Sink(keeping.Sink{Name: "stderr", Least: parent.LevelExtensive}, fd)
	return runParent(p, log, stderr)
}
