//go:build lab

package lab_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// serviceManager is the socket of one, and what it was told.
type serviceManager struct {
	lab.Record[lab.Line]
	path string
}

func newServiceManager(t *testing.T) *serviceManager {
	t.Helper()
	m := &serviceManager{path: filepath.Join(t.TempDir(), "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		for b := make([]byte, 4096); ; {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			m.Add(lab.Line{Time: time.Now(), Text: string(b[:n])})
		}
	}()
	return m
}

// await waits for a message that begins so, from a mark on.
func (m *serviceManager) await(t *testing.T, mark int, timeout time.Duration, prefix string) lab.Line {
	t.Helper()
	line, ok := m.Wait(mark, timeout, func(l lab.Line) bool { return strings.HasPrefix(l.Text, prefix) })
	if !ok {
		t.Fatalf("the service manager was not told %q within %v, but %v", prefix, timeout, m.From(0))
	}
	return line
}

// TestServiceManager: readiness comes with the first states, the watchdog is
// fed by a loop that turns and by no other, and a reload and a stop are told.
func TestServiceManager(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	m := newServiceManager(t)
	file := filepath.Join(t.TempDir(), "conf")
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	if err := os.WriteFile(file, []byte(r.Configuration("")), 0o600); err != nil {
		t.Fatal(err)
	}
	p := l.R1.Start("env", "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=4000000", lab.Binary("rvrrpd"), "-m1", "-c", file)
	ready := m.await(t, 0, 5*time.Second, "READY=1")
	if first := p.AwaitLine(0, time.Second, "initialize->backup"); ready.Time.Before(first.Said()) {
		t.Errorf("ready %v before the first state", first.Said().Sub(ready.Time))
	}
	m.await(t, 0, 5*time.Second, "STATUS=1 of 1 virtual routers Active")
	fed := m.await(t, 0, 5*time.Second, "WATCHDOG=1")
	mark := m.Len()
	if next := m.await(t, mark, 5*time.Second, "WATCHDOG=1"); over(fed.Time, next.Time, 4*time.Second) {
		t.Errorf("the watchdog was fed after %v", next.Time.Sub(fed.Time))
	}

	mark = m.Len()
	p.Signal(syscall.SIGHUP)
	m.await(t, mark, 5*time.Second, "RELOADING=1\nMONOTONIC_USEC=")
	m.await(t, mark, 5*time.Second, "READY=1")
	if err := os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	mark = m.Len()
	p.Signal(syscall.SIGHUP)
	m.await(t, mark, 5*time.Second, "RELOADING=1")
	m.await(t, mark, 5*time.Second, "READY=1")

	// A network process that hangs: nobody feeds the watchdog, and after a
	// while another one goes on.
	old := lab.Children(p.PID)[0]
	syscall.Kill(old, syscall.SIGSTOP)
	stopped := time.Now()
	hangs := p.AwaitLine(0, 15*time.Second, "network process hangs").Said()
	for _, line := range m.From(0) { // once that is said the parent alone makes progress
		if line.Text == "WATCHDOG=1" && line.Time.Before(hangs) && over(stopped, line.Time, 1500*time.Millisecond) {
			t.Errorf("the watchdog was fed %v after the network process was stopped", line.Time.Sub(stopped))
		}
	}
	mark = m.Len()
	p.AwaitLine(0, 5*time.Second, "network process crashed")
	m.await(t, mark, 5*time.Second, "WATCHDOG=1")
	mark = m.Len()
	p.Signal(syscall.SIGTERM)
	m.await(t, mark, 5*time.Second, "STOPPING=1")
	if status := p.AwaitExit(5 * time.Second); status != 0 {
		t.Errorf("status %d; it said\n%s", status, p.Output())
	}
}
