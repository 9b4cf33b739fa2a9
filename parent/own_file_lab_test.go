//go:build lab

package parent

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestLogDirectory: the group of one directory, /var/log, may write it where root
// owns it, and what is below it; of others nobody may. Not in parallel: the
// directory is another for the test.
func TestLogDirectory(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root")
	}
	before := logDirectory
	defer func() { logDirectory = before }()
	if before != "/var/log" {
		t.Errorf("it is %s", before)
	}
	dir := t.TempDir()
	log, other := filepath.Join(dir, "log"), filepath.Join(dir, "other")
	logDirectory = log
	for _, err := range []error{os.Chmod(dir, 0o755), os.MkdirAll(filepath.Join(log, "rvrrpd"), 0o755), os.MkdirAll(filepath.Join(other, "log"), 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name        string
		uid, gid    int
		mode, below os.FileMode
		accepted    bool
	}{
		{"Debian's", 0, 0, 0o755, 0o755, true},
		{"Ubuntu's", 0, 104, 0o775, 0o755, true},
		{"all can write it", 0, 104, 0o777, 0o755, false},
		{"somebody else's", 104, 104, 0o775, 0o755, false},
		{"what is below it has a group, too", 0, 104, 0o775, 0o775, false},
	} {
		for at, mode := range map[string]os.FileMode{log: tt.mode, other: tt.mode, filepath.Join(log, "rvrrpd"): tt.below, filepath.Join(other, "log"): tt.below} {
			if err := errors.Join(os.Chown(at, tt.uid, tt.gid), os.Chmod(at, mode)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chown(filepath.Join(log, "rvrrpd"), 0, 104); err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{log, filepath.Join(log, "rvrrpd")} {
			if _, err := OwnDirectory(at); (err == nil) != tt.accepted && !(at == log && tt.below != 0o755) {
				t.Errorf("%s: %s: %v", tt.name, at, err)
			}
		}
		if _, err := OwnDirectory(filepath.Join(other, "log")); (err == nil) != (tt.mode == 0o755) {
			t.Errorf("%s: a directory of another name: %v", tt.name, err)
		}
	}
}
