//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestReloadThroughLinks: the configuration that a symbolic link leads to when
// the daemon reloads is read, wherever near the first one that is.
func TestReloadThroughLinks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		links  map[string]string
		file   string // what -c names
		first  string // where it is
		second string
		again  map[string]string
	}{
		{"current -> releases", map[string]string{"current": "releases/2"}, "current/rvrrpd.conf", "releases/2/rvrrpd.conf", "releases/3/rvrrpd.conf", map[string]string{"current": "releases/3"}},
		{"ConfigMap", map[string]string{"rvrrpd.conf": "..data/rvrrpd.conf", "..data": "..1"}, "rvrrpd.conf", "..1/rvrrpd.conf", "..2/rvrrpd.conf", map[string]string{"..data": "..2"}},
		{"the file's own link", map[string]string{"rvrrpd.conf": "releases/2/rvrrpd.conf"}, "rvrrpd.conf", "releases/2/rvrrpd.conf", "releases/3/rvrrpd.conf", map[string]string{"rvrrpd.conf": "releases/3/rvrrpd.conf"}},
		{"a relative path", nil, "rvrrpd.conf", "rvrrpd.conf", "rvrrpd.conf", nil},
	} {
		for _, mode := range []string{"-m1", "-m2"} {
			t.Run(tt.name+" "+mode, func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				b := background{t.TempDir(), l.R1}
				dir := b.path("etc")
				write := func(file string, links map[string]string, priority int) {
					t.Helper()
					text := fmt.Sprintf("pid = %q\nmain_log = %q\nerror_log = %q\nstate_dir = %q\ndebug = 0\n%s",
						b.path("pid"), b.path("main.log"), b.path("error.log"), b.path("state"), reloads(1, priority, ""))
					err := os.MkdirAll(filepath.Join(dir, filepath.Dir(file)), 0o700)
					if err == nil {
						err = os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600)
					}
					for link, target := range links {
						if err == nil {
							err = os.Symlink(target, filepath.Join(dir, link+".new"))
						}
						if err == nil {
							err = os.Rename(filepath.Join(dir, link+".new"), filepath.Join(dir, link))
						}
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				write(tt.first, tt.links, low)
				p := b.n.Start("sh", "-c", `cd "$0" && exec "$@"`, dir, lab.Binary("rvrrpd"), mode, "-c", tt.file)
				said := func() string { return p.Output() + b.read("main.log") }
				await := func(words string) {
					t.Helper()
					if !lab.Until(10*time.Second, func() bool { return strings.Contains(said(), words) }) {
						t.Fatalf("no %q in\n%s", words, said())
					}
				}
				await("backup->active")
				pid := p.PID
				if mode == "-m2" {
					if status := p.AwaitExit(10 * time.Second); status != 0 {
						t.Fatalf("status %d: %s", status, said())
					}
					pid = b.pid()
					ended := lab.WatchExit(pid)
					t.Cleanup(func() {
						syscall.Kill(pid, syscall.SIGTERM)
						if !ended(5 * time.Second) {
							t.Errorf("it does not end; it said\n%s", said())
						}
					})
				}
				write(tt.second, tt.again, high)
				syscall.Kill(pid, syscall.SIGHUP)
				await("configuration loaded")
				l.Tap.Await(l.Tap.Len(), 5*time.Second, "an advertisement with the new priority", lab.AdvertOf(l.R1, high))
			})
		}
	}
}

// TestReloadOfReplacedDirectory: a directory that takes the place of the
// configuration's is out of reach. The reload says what to do, and the daemon
// that takes over reads it.
func TestReloadOfReplacedDirectory(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	dir := filepath.Join(t.TempDir(), "etc")
	file := filepath.Join(dir, "rvrrpd.conf")
	write := func(priority int) {
		t.Helper()
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(reloads(1, priority, "")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(low)
	argv := []string{lab.Binary("rvrrpd"), "-m1", "-c", file}
	a := l.R1.Start(argv...)
	a.AwaitLine(0, 10*time.Second, "backup->active")
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	write(high)
	mark := a.Len()
	a.Signal(syscall.SIGHUP)
	a.AwaitLine(mark, 5*time.Second, "reload refused, nothing has changed.*permission denied")
	a.AwaitLine(mark, 5*time.Second, "reload refused, nothing has changed.*restart it: systemctl restart, or SIGUSR2, hands over")
	a.Signal(syscall.SIGUSR2)
	if status := a.AwaitExit(5 * time.Second); status != 0 {
		t.Errorf("status %d; it said\n%s", status, a.Output())
	}
	l.R1.Start(argv...).AwaitLine(0, 10*time.Second, "taken over from the daemon before")
	l.Tap.Await(0, 5*time.Second, "an advertisement with the new priority", lab.AdvertOf(l.R1, high))
	if got := lab.Select(l.Tap.From(0), lab.AdvertOf(l.R1, 0)); len(got) > 0 {
		t.Errorf("it said goodbye: %v", got)
	}
}
