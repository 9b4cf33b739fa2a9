//go:build lab

package lab_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
	"golang.org/x/sys/unix"
)

const (
	// stalledRouters fill a log fast, stalledInterval is that of each.
	stalledRouters  = 40
	stalledInterval = 100 * time.Millisecond
	// stalledLines are more than a pipe and the daemon's queue take.
	stalledLines = 2500
)

// pipeLog is a log that is read only when the test wants it.
type pipeLog struct {
	path string
	f    *os.File
}

// newPipeLog makes one that takes a page.
func newPipeLog(t *testing.T) pipeLog {
	t.Helper()
	p := pipeLog{path: filepath.Join(t.TempDir(), "log")}
	if err := unix.Mkfifo(p.path, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(p.path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, 4096); err != nil {
		t.Fatal(err)
	}
	p.f = os.NewFile(uintptr(fd), p.path)
	t.Cleanup(func() { p.f.Close() })
	return p
}

// readUntil reads lines until one has some words.
func (p pipeLog) readUntil(t *testing.T, in *bufio.Reader, words string) {
	t.Helper()
	if err := p.f.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("no %q in the log: %v", words, err)
		}
		if strings.Contains(line, words) {
			t.Log(strings.TrimSpace(line))
			return
		}
	}
}

func stalledConfiguration() string {
	text := "lease = \"off\"\n"
	for i := range stalledRouters {
		text += fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = %q\nvip = \"10.9.0.%d/24\"\nversion = 3\ntimers = { advert = %v }\n", i+1, lab.Interface, 100+i, stalledInterval.Seconds())
	}
	return text
}

// TestStalledLog: a log that nobody reads, standard error or main_log, stops
// neither advertisements nor an end in order. When it is read again the lines
// that are lost are told of. Not beside other tests: what it measures is
// whether advertisements come in time.
func TestStalledLog(t *testing.T) {
	for _, mode := range []string{"-m1", "-m2"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			dir, log := t.TempDir(), newPipeLog(t)
			conf := filepath.Join(dir, "conf")
			top := fmt.Sprintf("working_dir = %q\npid = \"pid\"\nmain_log = %q\nerror_log = \"error.log\"\nstate_dir = %q\n", dir, log.path, filepath.Join(dir, "state"))
			if err := os.WriteFile(conf, []byte(top+stalledConfiguration()), 0o600); err != nil {
				t.Fatal(err)
			}
			p := l.R1.Start("sh", "-c", `exec 2>>"$0"; exec "$@"`, log.path, lab.Binary("rvrrpd"), mode, "-d5", "-c", conf)
			pid, ended := p.PID, func(limit time.Duration) bool { return p.AwaitExit(limit) == 0 }
			if mode == "-m2" {
				if status := p.AwaitExit(20 * time.Second); status != 0 {
					t.Fatalf("status %d", status)
				}
				pid = background{dir, l.R1}.pid()
				t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
				ended = lab.WatchExit(pid)
			}

			ours := lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil })
			if !lab.Until(60*time.Second, func() bool { return len(lab.Select(l.Tap.From(0), ours)) > stalledLines }) {
				t.Fatalf("%d advertisements, and no more", len(lab.Select(l.Tap.From(0), ours)))
			}
			unbroken(t, lab.Select(l.Tap.From(0), ours))
			in := bufio.NewReader(log.f)
			log.readUntil(t, in, `msg="log lines lost" count=`)
			log.readUntil(t, in, "advertisement sent")

			seen := len(lab.Select(l.Tap.From(0), ours))
			lab.Until(10*time.Second, func() bool { return len(lab.Select(l.Tap.From(0), ours)) > seen+stalledRouters })
			syscall.Kill(pid, syscall.SIGTERM)
			if !ended(10 * time.Second) {
				t.Fatal("it does not end in order")
			}
			goodbyes := lab.Select(l.Tap.From(0), func(f lab.Frame) bool { return ours(f) && f.VRRP.Priority == 0 })
			if len(goodbyes) != stalledRouters {
				t.Errorf("%d goodbyes, want %d", len(goodbyes), stalledRouters)
			}
		})
	}
}

// unbroken checks that no virtual router falls silent for a takeover's time.
func unbroken(t *testing.T, frames []lab.Frame) {
	t.Helper()
	before := map[int]time.Time{}
	for _, f := range frames {
		id := f.VRRP.VRID
		if at, known := before[id]; known && over(at, f.Time, 3*stalledInterval) {
			t.Errorf("virtual router %d is silent for %v", id, f.Time.Sub(at))
		}
		before[id] = f.Time
	}
	if len(before) != stalledRouters {
		t.Errorf("%d virtual routers advertise, want %d", len(before), stalledRouters)
	}
}
