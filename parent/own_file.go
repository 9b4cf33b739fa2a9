package parent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// What the daemon writes to is named by the configuration, and what it writes
// is partly the words of others. So no file of logs, of the process number or
// of state may be one that somebody executes, reads as commands, or can
// exchange for one.

// notForUs are directories whose files are programs or settings of others.
// Homes of users come on top.
var notForUs = []string{"/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/opt", "/proc", "/root", "/sbin", "/sys", "/usr", "/var/spool"}

// acceptedDirectory is what OwnDirectory accepts.
var acceptedDirectory = "accepted: a directory that root alone can write, or the service user, with all above it, and not in " + strings.Join(notForUs, ", ") + " or the home of a user"

// homes are the homes of users that can log in. A process behind Landlock
// reaches /etc/passwd no more.
var homes = sync.OnceValue(func() (dirs []string) {
	text, _ := os.ReadFile("/etc/passwd")
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 7 && f[5] != "/" && !slices.Contains([]string{"nologin", "false"}, filepath.Base(f[6])) {
			dirs = append(dirs, f[5])
		}
	}
	return dirs
})

// OwnDirectory finds out where a directory is, without symbolic links. The
// error says why files of ours may not be there.
func OwnDirectory(dir string) (string, error) {
	full, err := filepath.Abs(dir)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return "", err
	}
	for _, no := range append(homes(), notForUs...) {
		if strings.HasPrefix(full+"/", filepath.Clean(no)+"/") {
			return "", fmt.Errorf("%s is in %s; %s", dir, no, acceptedDirectory)
		}
	}
	for at := full; ; at = filepath.Dir(at) {
		var st unix.Stat_t
		if err := unix.Lstat(at, &st); err != nil {
			return "", fmt.Errorf("%s: %w", at, err)
		}
		if at != full && st.Mode&unix.S_ISVTX != 0 { // what is in it, its owner alone can exchange
			st.Mode &^= 0o022
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR || foreign(&st) {
			return "", fmt.Errorf("%s: mode %o, owner %d; %s", at, st.Mode, st.Uid, acceptedDirectory)
		}
		if at == "/" {
			return full, nil
		}
	}
}

// makeOwnDirectory is OwnDirectory, and makes it where there is none.
func makeOwnDirectory(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return OwnDirectory(dir)
}

// OpenOwn opens or makes a file in a directory as of OwnDirectory, with the
// flags of open(2) and a mode: a regular file, or a pipe with a name, that has
// no other name and that nobody else can write. Its Name has no symbolic links.
func OpenOwn(path string, flags int, mode os.FileMode) (*os.File, error) {
	dir, err := OwnDirectory(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, filepath.Base(path)), flags|unix.O_NOFOLLOW|unix.O_NOCTTY|unix.O_NONBLOCK, mode)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(int(f.Fd()), &st)
	if kind := st.Mode & unix.S_IFMT; err == nil && (kind != unix.S_IFREG && kind != unix.S_IFIFO || foreign(&st) || st.Nlink != 1) {
		err = fmt.Errorf("%s: mode %o, owner %d, %d names; accepted: a new file, or one with one name that only root can write, or the service user", path, st.Mode, st.Uid, st.Nlink)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// openOurs opens a file that a daemon of ours has written, of max bytes at the most
// and such that nobody else can write it; nil where there is none.
func openOurs(path string, max int64) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err = ownFile(int(f.Fd()), max); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ownFile refuses what is no file of so many bytes at the most that only root and
// the service user can write.
func ownFile(fd int, size int64) error {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	switch {
	case err != nil:
		return err
	case st.Mode&unix.S_IFMT != unix.S_IFREG || foreign(&st):
		return fmt.Errorf("mode %o, owner %d: must be a file that only root can write", st.Mode, st.Uid)
	case st.Size > size:
		return fmt.Errorf("holds more than %d bytes", size)
	}
	return nil
}

// foreign says whether somebody else than root and the service user can write.
func foreign(st *unix.Stat_t) bool {
	return st.Mode&0o022 != 0 || st.Uid != 0 && int(st.Uid) != os.Geteuid()
}
