//go:build lab

package lab_test

import (
	"fmt"
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
		{"v3 300ms", lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3}},
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
				stall(t, lab.New(t), protocol.router, stopped.pids, func() {})
			})
		}
	}
}

// TestStallInFlood: meanwhile there come so many packets that the socket is
// full with the oldest, and the Active's last advertisements are lost. Not in
// parallel: the packets alone take much of a processor.
func TestStallInFlood(t *testing.T) {
	for _, six := range []bool{false, true} {
		t.Run(fmt.Sprintf("IPv6 %t", six), func(t *testing.T) {
			l := lab.New(t)
			spoiled := floods[0].forgery
			spoiled.IPv6 = six
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, IPv6: six}
			b := stall(t, l, r, func(d *lab.Daemon) []int { return []int{d.PID, d.Child()} }, func() {
				l.Client.Flood(floodRate, 4*time.Second, interval3, spoiled)
			})
			b.AwaitLine(0, time.Second, "packets lost: they arrive faster than they are read")
		})
	}
}

// stall stops some processes of r2 while during runs, and for long enough.
func stall(t *testing.T, l *lab.Lab, r lab.Router, pids func(*lab.Daemon) []int, during func()) *lab.Daemon {
	t.Helper()
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
	during()
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
	within(t, "the takeover", before.Time, takeover.Time, r.ActiveDown())
	return b
}

func signal(t *testing.T, s syscall.Signal, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatalf("process %d: %v", pid, err)
		}
	}
}
