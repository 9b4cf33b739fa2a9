//go:build lab

package children

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestIdentity: the child never runs as root, nor as nobody in particular.
func TestIdentity(t *testing.T) {
	t.Parallel()
	if uid, gid, err := Identity("nobody"); err != nil || uid == 0 || gid == 0 {
		t.Errorf("nobody: %d, %d, %v", uid, gid, err)
	}
	for user, want := range map[string]string{"root": "privileged", "no-such-user": "no such user"} {
		if uid, gid, err := Identity(user); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d, %d, %v; want %q", user, uid, gid, err, want)
		}
	}
}

// TestProgramOfAStranger: a network process that somebody else could have
// written is not started.
func TestProgramOfAStranger(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		mode os.FileMode
		uid  int
		dir  bool
		ok   bool
	}{
		{name: "root's", mode: 0o755, ok: true},
		{name: "of its group", mode: 0o775},
		{name: "everybody's", mode: 0o757},
		{name: "another user's", mode: 0o755, uid: 61234},
		{name: "a directory", mode: 0o755, dir: true},
	} {
		path := filepath.Join(t.TempDir(), "rvrrpd-netproc")
		err := os.WriteFile(path, nil, 0o700)
		if tt.dir {
			err = os.Remove(path)
			if err == nil {
				err = os.Mkdir(path, 0o700)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, tt.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, tt.uid, 0); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Open(path, unix.O_PATH, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := OwnFile(fd, math.MaxInt64); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		unix.Close(fd)
	}
}
