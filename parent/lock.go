package parent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"golang.org/x/sys/unix"
)

// runDir holds the locks, one per network namespace and interface. A lock
// dies with its holder whatever kills it, so what carries our mark on an
// interface whose lock is free is an orphan.
var runDir = runtimeDirectory()

// runtimeDirectory is what a service manager has made for us, or the usual.
func runtimeDirectory() string {
	if dir := os.Getenv("RUNTIME_DIRECTORY"); filepath.IsAbs(dir) {
		return dir
	}
	return "/run/rvrrpd"
}

// Implementation constants: a look at a lock takes it for less than that.
const (
	lockTries = 5
	lockRetry = 2 * time.Millisecond
)

// lockPause waits until a look at a lock is over.
var lockPause = time.Sleep

// ErrLocked is that another process has a lock.
var ErrLocked = errors.New("another rvrrpd runs on it")

// namespace is the number of this network namespace.
func namespace() (uint64, error) {
	var ns unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &ns); err != nil {
		return 0, fmt.Errorf("network namespace: %w", err)
	}
	return ns.Ino, nil
}

// runFile is where a file about an interface name in this network namespace is.
func (d *daemon) runFile(name, kind string) string {
	return filepath.Join(runDir, fmt.Sprintf("%d.%s.%s", d.namespace, name, kind))
}

// lockFile is where the lock of an interface name is.
func (d *daemon) lockFile(name string) string { return d.runFile(name, "lock") }

// ownRunDirectory is makeOwnDirectory of the run directory, and says how one that
// is another user's, as after a change of profile, or that others can write is mended.
func ownRunDirectory(dir string) (string, error) {
	full, err := makeOwnDirectory(dir)
	if err != nil {
		owner := "root"
		if uid := os.Geteuid(); uid != 0 {
			owner = strconv.Itoa(uid)
		}
		err = fmt.Errorf("run directory: %w; once it holds nothing of others: chown %s: %s; chmod 0700 %s", err, owner, dir, dir)
	}
	return full, err
}

// lockInterface takes the lock of an interface name in this network
// namespace; close and remove it with unlock.
func (d *daemon) lockInterface(name string) (*os.File, error) {
	if _, err := ownRunDirectory(runDir); err != nil {
		return nil, err
	}
	f, err := takeLock(d.lockFile(name))
	if errors.Is(err, ErrLocked) {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return f, err
}

// LockFile takes a lock for a file that others can open, and so flock(2): a file of
// another name, in the run directory, where nobody else can. It goes by the file's
// directory, whatever path leads there. The error is ErrLocked where another
// process has it.
func LockFile(path string) (release func(), err error) {
	var st unix.Stat_t
	dir, err := ownRunDirectory(runtimeDirectory())
	if err = errors.Join(unix.Stat(filepath.Dir(path), &st), err); err != nil {
		return nil, err
	}
	f, err := takeLock(filepath.Join(dir, fmt.Sprintf("%d.%d.%s.pid", st.Dev, st.Ino, filepath.Base(path))))
	return func() { unlock(f) }, err
}

// takeLock takes the lock that a file is, and makes the file; the error is
// ErrLocked where somebody else has it. A file that somebody else could write is
// refused.
func takeLock(path string) (*os.File, error) {
	for tries := 0; ; tries++ {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
		if err != nil {
			return nil, err
		}
		if err = children.OwnFile(int(f.Fd()), recordMax); err == nil {
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		}
		if err != nil {
			f.Close()
			if err == unix.EWOULDBLOCK && tries < lockTries { // another that starts has a look, perhaps
				lockPause(lockRetry)
				continue
			}
			if err == unix.EWOULDBLOCK {
				return nil, ErrLocked
			}
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		// Its last holder may have removed the file between open and lock.
		mine, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			return f, nil
		}
		f.Close()
	}
}

// unlock removes a lock while it is still held, unless it still says what its
// interface is without.
func unlock(f *os.File) {
	if info, err := f.Stat(); err != nil || info.Size() == 0 {
		os.Remove(f.Name())
	}
	f.Close()
}

// locked says whether a living daemon has the lock in a file. Where it cannot
// be told it has. What the file says stays.
func locked(path string) bool {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
}

// orphaned says whether what carries our mark on an interface belongs to
// nobody: we hold its lock, or nobody does.
func (d *daemon) orphaned(name string) bool {
	return d.locks[name] != nil || !locked(d.lockFile(name))
}

// alone says whether no other daemon lives in this network namespace.
func (d *daemon) alone() bool {
	files, err := filepath.Glob(d.lockFile("*"))
	ours := make(map[string]bool)
	for _, f := range d.locks {
		ours[f.Name()] = true
	}
	return err == nil && !slices.ContainsFunc(files, func(path string) bool { return !ours[path] && locked(path) })
}
