package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/file"
)

const minimal = "[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"192.0.2.254\"\n"

// written writes a file with exactly these permissions and returns its path.
func written(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rvrrpd.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o400, 0o600, 0o640, 0o644, 0o755} {
		if _, err := Load(written(t, minimal, mode), conf.TOML); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(written(t, minimal, 0o600), link); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(link, conf.TOML); err != nil {
		t.Errorf("symbolic link: %v", err)
	}
	path := written(t, "debug = 9\n"+minimal, 0o600)
	if _, err := Load(path, conf.TOML); err == nil || err.Error() != path+":1:1: debug: 9 is out of range; accepted: 0..5" {
		t.Errorf("error of the content: %v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	if err := os.Chmod(directory, 0o750); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(written(t, minimal, 0o666), link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, path, want string }{
		{"written by the group", written(t, minimal, 0o660), "can be written by others (mode 0660); accepted: a mode without group and other write permission, such as 0640"},
		{"written by others", written(t, minimal, 0o602), "can be written by others (mode 0602); accepted: a mode without group and other write permission, such as 0640"},
		{"link to such a file", link, "can be written by others (mode 0666); accepted: a mode without group and other write permission, such as 0640"},
		{"directory", directory, "is not a regular file (mode drwxr-x---); accepted: a regular file"},
		{"fifo", fifo, "is not a regular file (mode prw-------); accepted: a regular file"},
		{"device", "/dev/null", "is not a regular file (mode Dcrw-rw-rw-); accepted: a regular file"},
		{"too long", written(t, strings.Repeat("\n", conf.MaxFile+1), 0o640), "is too long (mode 0640); accepted: at most 1048576 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := Load(test.path, conf.TOML)
			var errs Errors
			if c != nil || !errors.As(err, &errs) {
				t.Fatalf("configuration %v, error %v; want errors", c, err)
			}
			if want := test.path + ": " + test.want; err.Error() != want {
				t.Errorf("error\n%v\nwant\n%s", err, want)
			}
		})
	}
	if _, err := Load(filepath.Join(directory, "none"), conf.TOML); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		uid  int
		euid int
		want string
	}{
		{"root's, root reads", 0, 0, ""},
		{"root's, a service user reads", 0, 998, ""},
		{"the service user's own", 998, 998, ""},
		{"somebody's, root reads", 1000, 0, "belongs to user 1000 (mode 0644); accepted: a file of root or of user 0"},
		{"somebody's, a service user reads", 1000, 998, "belongs to user 1000 (mode 0644); accepted: a file of root or of user 998"},
	} {
		if got := untrusted(file.Attributes{Mode: 0o644, UID: test.uid, Size: 100}, test.euid); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// The example that is shipped is a valid configuration.
func TestExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../rvrrpd.conf")
	if err != nil {
		t.Fatal(err)
	}
	// The permissions of a checkout are not those of /etc.
	c, err := Load(written(t, string(text), 0o640), conf.TOML)
	if err != nil {
		t.Fatal(err)
	}
	v := c.Routers[0]
	if len(c.Routers) != 1 || v.InterfaceType != conf.MACVLAN || v.Interface != "eth0" || len(v.Addresses) != 1 || v.Addresses[0].String() != "192.0.2.254/24" {
		t.Errorf("configuration %+v", *c)
	}
}
