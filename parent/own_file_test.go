package parent

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpenOwn: what the daemon writes is new or its own, in a directory that
// nobody else can write, and in none whose files mean something to others.
func TestOpenOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.Mkdir(at("open"), 0o755), os.Chmod(at("open"), 0o777), os.Mkdir(at("open/below"), 0o755),
		os.Mkdir(at("shared"), 0o755), os.Chmod(at("shared"), 0o777|os.ModeSticky), os.Mkdir(at("shared/own"), 0o755),
		os.Mkdir(at("own"), 0o755), os.Symlink("own", at("link")), os.Symlink("/etc/profile.d", at("elsewhere")),
		os.WriteFile(at("own/log"), []byte("before\n"), 0o640), os.Symlink("log", at("own/symbolic")),
		os.WriteFile(at("own/two"), nil, 0o640), os.Link(at("own/two"), at("own/names")),
		os.WriteFile(at("own/theirs"), nil, 0o640), os.Chmod(at("own/theirs"), 0o666),
		unix.Mkfifo(at("own/pipe"), 0o600), unix.Mkfifo(at("own/listened"), 0o600),
		os.WriteFile(at("own/script"), []byte("#!/bin/sh\n"), 0o755), os.WriteFile(at("own/one bit"), nil, 0o641), os.MkdirAll(at("machine/etc/cron.d"), 0o755),
		os.MkdirAll(at("machine/usr/lib"), 0o755), os.MkdirAll(at("etcetera"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	listener, err := os.OpenFile(at("own/listened"), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, tt := range []struct{ path, wrong string }{
		{at("own/new"), ""},
		{at("own/log"), ""},
		{at("link/new"), ""},
		{at("shared/own/new"), ""},
		{at("own/listened"), ""},
		{at("own/pipe"), "no such device"}, // nobody reads it
		{at("missing/new"), "no such file"},
		{at("open/new"), "a directory that root alone can write"},
		{at("open/below/new"), "a directory that root alone can write"},
		{at("shared/new"), "a directory that root alone can write"},
		{at("own/symbolic"), "too many levels of symbolic links"},
		{at("own/two"), "2 names; accepted: a new file, or one with one name"},
		{at("own/theirs"), "accepted: a new file"},
		{at("own"), "is a directory"},
		{at("own/script"), "mode 100755, owner 0, 1 names; accepted: a new file, or one with one name that only root can write, or the service user, and nobody execute"},
		{at("own/one bit"), "and nobody execute"},
		{at("machine/new"), ""},
		{at("etcetera/new"), ""},
		{at("machine/etc/new"), "is in " + at("machine/etc") + "; accepted: "},
		{at("machine/etc/cron.d/new"), "is in " + at("machine/etc") + "; accepted: "},
		{at("machine/usr/lib/new"), "is in " + at("machine/usr") + "; accepted: "},
		{at("elsewhere/rvrrpd.sh"), "is in /etc; accepted: "},
		{"/etc/profile.d/rvrrpd.sh", "is in /etc; accepted: "},
		{"/etc/cron.d/rvrrpd", "is in /etc; accepted: "},
		{"/root/.bashrc", "is in /root; accepted: "},
		{"/home/.profile", "is in /home; accepted: "},
		{"/usr/bin/rvrrpd.log", "is in /usr/bin; accepted: "},
		{"/dev/null", "is in /dev; accepted: "},
		{"/tmp/rvrrpd.log", "a directory that root alone can write"},
	} {
		var err error
		if strings.HasPrefix(tt.path, dir) {
			var f *os.File
			if f, err = OpenOwn(tt.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640); err == nil {
				f.Close()
			}
		} else { // nothing is made there, whatever is wrong with this
			_, err = OwnDirectory(filepath.Dir(tt.path))
		}
		if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
			t.Errorf("%s: %v, want %q", tt.path, err, tt.wrong)
		}
		if _, missing := os.Lstat(tt.path); strings.Contains(tt.wrong, "accepted: a directory") && missing == nil {
			t.Errorf("%s was made", tt.path)
		}
	}
	if text, err := os.ReadFile(at("own/log")); err != nil || string(text) != "before\n" {
		t.Errorf("the log is now %q, %v", text, err)
	}
}

// TestHomes: the home of who can log in is none of ours, wherever it is; that of
// a service is no home.
func TestHomes(t *testing.T) {
	t.Parallel()
	for _, h := range homes() {
		dir := h[1]
		if dir == "/" || dir == "" {
			t.Errorf("%q is a home", dir)
		}
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		if _, err := OwnDirectory(dir); err == nil {
			t.Errorf("%s is accepted", dir)
		}
	}
	if len(homes()) == 0 {
		t.Error("nobody has a home, not even root")
	}
}

// TestPlacesOfOthers: no directory that is refused can be had by a name below it,
// of those that are here.
func TestPlacesOfOthers(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, dir := range slices.Concat(notForUs, []string{"/bin", "/etc", "/home", "/root", "/sbin", "/usr", "/usr/local/bin", "/usr/lib", "/var/lib/dpkg/info", "/var/spool/cron"}) {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		seen++
		if _, err := OwnDirectory(dir); err == nil || !strings.Contains(err.Error(), "is in /") || !strings.Contains(err.Error(), "; accepted: ") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if seen < 10 {
		t.Errorf("%d of them are here", seen)
	}
	if dir, err := OwnDirectory("/var/lib"); err != nil || dir != "/var/lib" {
		t.Errorf("/var/lib: %s, %v", dir, err)
	}
}

// TestHomesOfOurs: the home of the daemon's own user, and of the network
// process, is for their state; that of another, or of root, is not. Looking leaves
// the list as it is: several do at once. Not in parallel: the list is another.
func TestHomesOfOurs(t *testing.T) {
	before := homes
	defer func() { homes = before }()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		uid      string
		accepted bool
	}{{"998", true}, {"997", false}, {"0", false}} {
		list := append(make([][2]string, 0, 64), [][2]string{{"33", "/srv/somebody"}, {tt.uid, dir}, {"the next", "which is not there"}}...)
		homes = func() [][2]string { return list[:2] }
		if _, err := OwnDirectory(dir, 998); (err == nil) != tt.accepted {
			t.Errorf("the home of %s: %v", tt.uid, err)
		}
		if _, err := OwnDirectory(dir); err == nil {
			t.Errorf("the home of %s, whom nobody has named, is accepted", tt.uid)
		}
		if list[2][0] != "the next" {
			t.Error("the list has grown")
		}
	}
	homes = func() [][2]string { return [][2]string{{strconv.Itoa(os.Geteuid()), dir}} }
	if _, err := OwnDirectory(dir); (err == nil) != (os.Geteuid() != 0) {
		t.Errorf("the home of the effective user, %d: %v", os.Geteuid(), err)
	}
}
