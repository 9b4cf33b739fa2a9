package parent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

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

var errLocked = errors.New("another rvrrpd runs on it")

// lockInterface takes the lock of an interface name in this network
// namespace; close and remove it with unlock.
func lockInterface(name string) (*os.File, error) {
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return nil, err
	}
	var ns unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &ns); err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	path := filepath.Join(runDir, fmt.Sprintf("%d.%s.lock", ns.Ino, name))
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
			if err == unix.EWOULDBLOCK {
				return nil, fmt.Errorf("%s: %w", name, errLocked)
			}
			return nil, fmt.Errorf("%s: lock: %w", path, err)
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

// unlock removes a lock while it is still held.
func unlock(f *os.File) {
	os.Remove(f.Name())
	f.Close()
}
