//go:build lab

package lab_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestNoPreemptionLasts has a router of higher priority with preemption off
// lose its role, and come back in every way there is: it stays Backup. It
// still becomes Active when the other one is gone.
func TestNoPreemptionLasts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		// lose takes r1 away and returns when r2 has taken over; it brings r1
		// back and returns the daemon, which has started as Backup.
		lose func(l *lab.Lab, a *lab.Daemon, gone func()) *lab.Daemon
	}{
		{"killed and started", func(_ *lab.Lab, a *lab.Daemon, gone func()) *lab.Daemon {
			a.Kill()
			gone()
			again := a.Again()
			again.AwaitBackup()
			return again
		}},
		{"stopped and started", func(_ *lab.Lab, a *lab.Daemon, gone func()) *lab.Daemon {
			a.Terminate(5 * time.Second)
			gone()
			again := a.Again()
			again.AwaitBackup()
			return again
		}},
		{"carrier lost", func(l *lab.Lab, a *lab.Daemon, gone func()) *lab.Daemon {
			return flap(a, gone, func() { l.Switch.IP("link set r1 down") }, func() { l.Switch.IP("link set r1 up") })
		}},
		{"set down", func(l *lab.Lab, a *lab.Daemon, gone func()) *lab.Daemon {
			return flap(a, gone, func() { l.R1.IP("link set eth0 down") }, func() { l.R1.IP("link set eth0 up") })
		}},
	} {
		for _, other := range []lab.Kind{lab.Rvrrpd, lab.Keepalived} {
			t.Run(fmt.Sprintf("%s beside %s", tt.name, other), func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				r := lab.Router{Kind: lab.Rvrrpd, Priority: high, NoPreempt: true, Version: 3, Interval: interval3, Checksum: lab.Pseudo}
				a := l.R1.Run(r)
				a.AwaitActive(0)
				r.Kind, r.Priority = other, low
				b := l.R2.Run(r)
				b.AwaitBackup()
				awaitAdverts(l, l.R1, r, 4)

				a = tt.lose(l, a, func() { l.Tap.Await(0, 5*time.Second, "r2's advertisement", advertisement(l.R2)) })
				seen, said := l.Tap.Len(), a.Len()
				// Twice r1's Active_Down_Interval, the first one included.
				awaitAdverts(l, l.R2, r, 8)
				if f, spoken := lab.First(l.Tap.From(seen), time.Time{}, advertisement(l.R1)); spoken || a.TurnedActive(said) {
					t.Errorf("r1 came back as Active: %v; it said\n%s", f, a.Output())
				}

				b.Kill()
				a.AwaitActive(said)
			})
		}
	}
}

// flap takes the link away from a daemon until the other router has taken
// over, and gives it back.
func flap(a *lab.Daemon, gone, down, up func()) *lab.Daemon {
	said := a.Len()
	down()
	a.AwaitLine(said, 3*time.Second, "active->initialize.*reason=link-down")
	gone()
	said = a.Len()
	up()
	a.AwaitLine(said, 5*time.Second, "initialize->backup.*reason=startup")
	return a
}
