//go:build lab

package lab_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestStall stops a Backup, or one of its two processes, for longer than its
// Active_Down_Interval while the Active goes on. When it runs again it finds
// its deadline long past, and what it had not read: it must not take over. It
// does when the Active is really gone.
func TestStall(t *testing.T) {
	t.Parallel()
	for _, protocol := range []struct {
		name   string
		router lab.Router
	}{
		{"v2 1s", lab.Router{Kind: lab.Rvrrpd, Version: 2}},
		{"v3 100ms", lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3}},
	} {
		for _, stopped := range []struct {
			name string
			pids func(d *lab.Daemon) []int
		}{
			{"both", func(d *lab.Daemon) []int { return []int{d.PID, d.Child()} }},
			{"child", func(d *lab.Daemon) []int { return []int{d.Child()} }},
			{"parent", func(d *lab.Daemon) []int { return []int{d.PID} }},
		} {
			t.Run(protocol.name+" "+stopped.name, func(t *testing.T) {
				t.Parallel()
				stall(t, protocol.router, stopped.pids)
			})
		}
	}
}

func stall(t *testing.T, r lab.Router, pids func(*lab.Daemon) []int) {
	l := lab.New(t)
	r.Priority = high
	a := l.R1.Run(r)
	a.AwaitActive(0)
	r.Priority = low
	b := l.R2.Run(r)
	b.AwaitBackup()
	awaitAdverts(l, l.R1, r, 2)

	mark := b.Len()
	frozen := pids(b)
	signal(t, syscall.SIGSTOP, frozen...)
	from := time.Now()
	for time.Since(from) < r.ActiveDown()*3/2 {
		awaitAdverts(l, l.R1, r, 1)
	}
	signal(t, syscall.SIGCONT, frozen...)
	awaitAdverts(l, l.R1, r, 5)
	if said := lab.Select(l.Tap.From(0), lab.From(l.R2, func(f lab.Frame) bool { return f.VRRP != nil })); len(said) > 0 {
		t.Errorf("after %v without the processor r2 says %s", r.ActiveDown()*3/2, said[0])
	}
	if b.Said(mark, "->|crashed|level=ERROR") {
		t.Errorf("r2 has noticed; it said\n%s", b.Output())
	}

	seen := l.Tap.Len()
	killed := a.Kill()
	takeover := l.Tap.Await(seen, r.ActiveDown()+time.Second, "r2's advertisement", advertisement(l.R2))
	before := last(t, l.Tap.From(0), killed, "r1's last advertisement", advertisement(l.R1))
	within(t, "the takeover", takeover.Time.Sub(before.Time), r.ActiveDown())
}

func signal(t *testing.T, s syscall.Signal, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatalf("process %d: %v", pid, err)
		}
	}
}
