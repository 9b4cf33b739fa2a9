package source

import (
	"fmt"
	"os"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/file"
	"github.com/rvrrpd/rvrrpd/walls/account"
)

// Files is where a configuration is read from.
type Files interface {
	// Read returns what is in a file, up to limit bytes, and what it is; nothing but
	// that of what is no regular file.
	Read(path string, limit int) (data []byte, of file.Attributes, err error)
	// Identity is the effective user and group that files are read as.
	Identity() (uid, gid int)
	// Group is the group of a user, if the system knows him.
	Group(user string) (gid int, known bool)
	// Credentials is systemd's directory of credentials, "" for none.
	Credentials() string
}

// writableByOthers are the permission bits a configuration must not have.
const writableByOthers = 0o022

// untrusted says why a file with such attributes is not to be trusted by a
// process of user euid, "" when it is.
func untrusted(a file.Attributes, euid int) string {
	switch {
	case !a.Mode.IsRegular():
		return fmt.Sprintf("is not a regular file (mode %v); accepted: a regular file", a.Mode)
	case a.UID != 0 && a.UID != euid:
		return fmt.Sprintf("belongs to user %d (mode %04o); accepted: a file of root or of user %d", a.UID, a.Mode.Perm(), euid)
	case a.Mode.Perm()&writableByOthers != 0:
		return fmt.Sprintf("can be written by others (mode %04o); accepted: a mode without group and other write permission, such as 0640", a.Mode.Perm())
	case a.Size > conf.MaxFile:
		return fmt.Sprintf("is too long (mode %04o); accepted: at most %d bytes", a.Mode.Perm(), conf.MaxFile)
	}
	return ""
}

// System is the file system of this process.
type System struct{}

// Read is file.Read.
func (System) Read(path string, limit int) ([]byte, file.Attributes, error) {
	return file.Read(path, limit)
}

// Identity is that of this process.
func (System) Identity() (uid, gid int) { return os.Geteuid(), os.Getegid() }

// Group asks the user database.
func (System) Group(name string) (gid int, known bool) { return account.Group(name) }

// Credentials is where the service manager has put them.
func (System) Credentials() string { return os.Getenv(conf.CredentialsVariable) }
