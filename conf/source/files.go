package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/rvrrpd/rvrrpd/conf"
)

// Files is where a configuration is read from.
type Files interface {
	// Read returns what is in a file, up to limit bytes, and what it is; nothing but
	// that of what is no regular file.
	Read(path string, limit int) (data []byte, of Attributes, err error)
	// Identity is the effective user and group that files are read as.
	Identity() (uid, gid int)
	// Group is the group of a user, if the system knows him.
	Group(user string) (gid int, known bool)
	// Credentials is systemd's directory of credentials, "" for none.
	Credentials() string
}

// Attributes are those of a file, and links followed.
type Attributes struct {
	Mode     fs.FileMode
	UID, GID int
	Size     int64 // bytes
}

// writableByOthers are the permission bits a configuration must not have.
const writableByOthers = 0o022

// unsafe says why a file with such attributes is not to be trusted by a
// process of user euid, "" when it is.
func (a Attributes) unsafe(euid int) string {
	switch {
	case !a.Mode.IsRegular():
		return fmt.Sprintf("is not a regular file (mode %v); accepted: a regular file", a.Mode)
	case a.UID != 0 && a.UID != euid:
		return fmt.Sprintf("belongs to user %d (mode %04o); accepted: a file of root or of user %d", a.UID, a.Mode.Perm(), euid)
	case a.Mode.Perm()&writableByOthers != 0:
		return fmt.Sprintf("can be written by others (mode %04o); accepted: a mode without group and other write permission, such as 0640", a.Mode.Perm())
	case a.Size > maxFile:
		return fmt.Sprintf("is too long (mode %04o); accepted: at most %d bytes", a.Mode.Perm(), maxFile)
	}
	return ""
}

// System is the file system of this process.
type System struct{}

// Read reads a file without waiting for whoever may be at its other end.
func (System) Read(path string, limit int) (data []byte, of Attributes, err error) {
	// Without O_NONBLOCK the opening of a FIFO would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, of, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, of, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, of, errors.ErrUnsupported
	}
	of = Attributes{Mode: info.Mode(), UID: int(stat.Uid), GID: int(stat.Gid), Size: info.Size()}
	if !of.Mode.IsRegular() {
		return nil, of, nil
	}
	// The file may have grown since.
	data, err = readFile(f, limit)
	return data, of, err
}

// Identity is that of this process.
func (System) Identity() (uid, gid int) { return os.Geteuid(), os.Getegid() }

// Group asks the user database.
func (System) Group(name string) (gid int, known bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, false
	}
	gid, err = strconv.Atoi(u.Gid)
	return gid, err == nil
}

// Credentials is where the service manager has put them.
func (System) Credentials() string { return os.Getenv(conf.CredentialsVariable) }

// readFile reads up to limit bytes into one piece of memory, so that there is
// one to wipe.
func readFile(f io.Reader, limit int) ([]byte, error) {
	data := make([]byte, limit)
	n, err := io.ReadFull(f, data)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return data[:n], err
}
