package parent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rvrrpd/rvrrpd/children"
	"golang.org/x/sys/unix"
)

// What the daemon writes to is named by the configuration, and what it writes
// is partly the words of others. So no file of logs, of the process number or
// of state may be one that somebody executes, reads as commands, or can
// exchange for one.

// notForUs are directories whose files are programs or settings of others, and
// namesOfOthers what such directories are called wherever they are: in the root
// directory of a container or a machine, too. Homes of users come on top.
var (
	notForUs      = []string{"/boot", "/dev", "/lib", "/lib32", "/lib64", "/nix", "/opt", "/proc", "/snap", "/sys", "/var/lib/cloud", "/var/lib/dpkg", "/var/spool"}
	namesOfOthers = []string{"bin", "etc", "home", "root", "sbin", "usr"}
)

// logDirectory may be writable by its group, where root owns it: Ubuntu's is. Who is
// in that group can rename root's files there, and make none that OpenOwn accepts.
var logDirectory = "/var/log"

// acceptedDirectory is what OwnDirectory accepts.
var acceptedDirectory = "accepted: a directory that root alone can write, or the service user, with all above it, and not in " + strings.Join(notForUs, ", ") + ", a directory called " + strings.Join(namesOfOthers, ", ") + ", or the home of a user"

// homes are the users that can log in, by number, and their homes. A process behind
// Landlock reaches /etc/passwd no more.
var homes = sync.OnceValue(func() (all [][2]string) {
	text, _ := os.ReadFile("/etc/passwd")
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 7 && f[5] != "/" && !slices.Contains([]string{"nologin", "false"}, filepath.Base(f[6])) {
			all = append(all, [2]string{f[2], filepath.Clean(f[5])})
		}
	}
	return all
})

// OwnDirectory finds out where a directory is, without symbolic links. The
// error says why files of ours may not be there. The homes of the effective user
// and of those given by number are for what is theirs; root's never is.
func OwnDirectory(dir string, users ...int) (string, error) {
	full, err := filepath.Abs(dir)
	if err == nil {
		full, err = filepath.EvalSymlinks(full)
	}
	if err != nil {
		return "", err
	}
	refused, ours := slices.Clone(notForUs), slices.Concat(users, []int{os.Geteuid()})
	for _, h := range homes() {
		if uid, _ := strconv.Atoi(h[0]); uid == 0 || !slices.Contains(ours, uid) {
			refused = append(refused, h[1])
		}
	}
	for at := full; ; at = filepath.Dir(at) {
		if slices.Contains(refused, at) || slices.Contains(namesOfOthers, filepath.Base(at)) {
			return "", fmt.Errorf("%s is in %s; %s", dir, at, acceptedDirectory)
		}
		var st unix.Stat_t
		if err := unix.Lstat(at, &st); err != nil {
			return "", fmt.Errorf("%s: %w", at, err)
		}
		switch {
		case at == logDirectory && st.Uid == 0:
			st.Mode &^= 0o020
		case at != full && st.Mode&unix.S_ISVTX != 0: // what is in it, its owner alone can exchange
			st.Mode &^= 0o022
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR || children.Foreign(&st) {
			return "", fmt.Errorf("%s: mode %o, owner %d; %s", at, st.Mode, st.Uid, acceptedDirectory)
		}
		if at == "/" {
			return full, nil
		}
	}
}

// makeOwnDirectory is OwnDirectory, and makes it where there is none.
func makeOwnDirectory(dir string, users ...int) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return OwnDirectory(dir, users...)
}

// OpenOwn opens or makes a file in a directory as of OwnDirectory, with the
// flags of open(2) and a mode: a regular file, or a pipe with a name, that has
// no other name, that nobody else can write and nobody execute. Its Name has no symbolic links.
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
	if kind := st.Mode & unix.S_IFMT; err == nil && (kind != unix.S_IFREG && kind != unix.S_IFIFO || children.Foreign(&st) || st.Nlink != 1 || st.Mode&0o111 != 0) {
		err = fmt.Errorf("%s: mode %o, owner %d, %d names; accepted: a new file, or one with one name that only root can write, or the service user, and nobody execute", path, st.Mode, st.Uid, st.Nlink)
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
	if err = children.OwnFile(int(f.Fd()), max); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
