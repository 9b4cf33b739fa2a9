//go:build lab

package lab_test

import (
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestHardKill kills the Active daemon with everything it consists of. The
// Backup takes over Active_Down_Interval after the last advertisement; the
// Active comes back and takes over again.
func TestHardKill(t *testing.T) {
	t.Parallel()
	eachPairing(t, func(t *testing.T, active, backup lab.Kind) {
		l := lab.New(t)
		capture := l.Capture()
		p := start(t, l, lab.Router{Kind: active, Priority: high}, lab.Router{Kind: backup, Priority: low})
		p.holdsAlone(t, p.R1)
		p.answersAlone(t, p.R1)

		mark := p.b.Len()
		killed := p.a.Kill()
		p.b.AwaitActive(mark)
		if !lab.Until(time.Second, func() bool { return p.R2.Holds(lab.VIP) }) {
			t.Errorf("r2 does not hold %v", lab.VIP)
		}
		p.Tap.Await(0, time.Second, "r2's announcement", lab.From(p.R2, lab.GratuitousARP(lab.VIP)))

		mark, restarted := p.b.Len(), time.Now()
		again := p.a.Again()
		again.AwaitActive(0)
		p.b.AwaitStepBack(mark)
		p.holdsAlone(t, p.R1)
		p.answersAlone(t, p.R1)
		p.standsBy(t, p.b)

		frames := capture.Stop()
		before := last(t, frames, killed, "r1's last advertisement", lab.AdvertOf(p.R1, high))
		takeover := first(t, frames, killed, "r2's first advertisement", lab.AdvertOf(p.R2, low))
		within(t, "the takeover", before.Time, takeover.Time, lab.MasterDown(low))
		announced(t, frames, takeover)
		returned(t, frames, p, restarted)
		if active == lab.Rvrrpd && backup == lab.Rvrrpd {
			onlyVirtual(t, frames, lab.VIP)
		}
	})
}

// TestGracefulStop stops the Active daemon with SIGTERM. It says so with
// priority 0, and the Backup takes over after Skew_Time.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	eachPairing(t, func(t *testing.T, active, backup lab.Kind) {
		l := lab.New(t)
		capture := l.Capture()
		p := start(t, l, lab.Router{Kind: active, Priority: high}, lab.Router{Kind: backup, Priority: low})

		removal := p.R1.WatchRemoval(lab.VIP, 5*time.Second)
		mark, stopped := p.b.Len(), time.Now()
		if status := p.a.Terminate(10 * time.Second); status != 0 {
			t.Errorf("r1 ended with status %d; it said\n%s", status, p.a.Output())
		}
		removed := <-removal
		p.b.AwaitActive(mark)
		p.holdsAlone(t, p.R2)
		p.answersAlone(t, p.R2)

		mark, restarted := p.b.Len(), time.Now()
		again := p.a.Again()
		again.AwaitActive(0)
		p.b.AwaitStepBack(mark)
		p.holdsAlone(t, p.R1)
		p.answersAlone(t, p.R1)
		p.standsBy(t, p.b)

		frames := capture.Stop()
		goodbye := first(t, frames, stopped, "r1's priority 0", lab.AdvertOf(p.R1, 0))
		switch {
		case removed.IsZero():
			t.Errorf("r1 did not give the address up")
		case removed.Before(goodbye.Time):
			t.Errorf("r1 gave the address up %v before it said so", goodbye.Time.Sub(removed))
		}
		takeover := first(t, frames, stopped, "r2's first advertisement", lab.AdvertOf(p.R2, low))
		within(t, "the handover", goodbye.Time, takeover.Time, lab.SkewTime(low))
		announced(t, frames, takeover)
		returned(t, frames, p, restarted)
		if active == lab.Rvrrpd && backup == lab.Rvrrpd {
			onlyVirtual(t, frames, lab.VIP)
		}
	})
}

// TestNoPreemption starts a router with the higher priority and preemption
// off beside one that is Active: it stays Backup.
func TestNoPreemption(t *testing.T) {
	t.Parallel()
	for _, kind := range []lab.Kind{lab.Rvrrpd, lab.Keepalived} {
		t.Run("rvrrpd-"+string(kind), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			b := l.R2.Run(lab.Router{Kind: kind, Priority: low})
			b.AwaitActive(0)
			a := l.R1.Run(lab.Router{Kind: lab.Rvrrpd, Priority: high, NoPreempt: true})
			a.AwaitBackup()
			said, mark := b.Len(), l.Tap.Len()
			// Longer than its Active_Down_Interval.
			for range 5 {
				l.Tap.Await(mark, 2*time.Second, "r2's next advertisement", lab.Advert(l.R2))
				mark = l.Tap.Len()
			}
			if a.TurnedActive(0) || l.R1.Holds(lab.VIP) {
				t.Errorf("r1 became Active; it said\n%s", a.Output())
			}
			if f, seen := lab.First(l.Tap.From(0), time.Time{}, lab.Advert(l.R1)); seen {
				t.Errorf("r1 advertised: %s", f)
			}
			if b.SteppedBack(said) {
				t.Errorf("r2 stepped back")
			}
		})
	}
}

// TestPartition cuts r2 off until both are Active with the same virtual MAC,
// and joins the LAN again: exactly one steps back, the one of lower priority,
// or, where these are equal, of lower address.
func TestPartition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		r1, r2         lab.Kind
		prio1, prio2   int
		winner         string
		onTheInterface bool
	}{
		{"rvrrpd", lab.Rvrrpd, lab.Rvrrpd, high, low, "r1", false},
		{"rvrrpd same priority", lab.Rvrrpd, lab.Rvrrpd, low, low, "r2", false},
		{"rvrrpd without macvlan", lab.Rvrrpd, lab.Rvrrpd, high, low, "r1", true},
		{"keepalived wins", lab.Keepalived, lab.Rvrrpd, high, low, "r1", false},
		{"rvrrpd wins", lab.Rvrrpd, lab.Keepalived, high, low, "r1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, lab.New(t), lab.Router{Kind: c.r1, Priority: c.prio1, OnInterface: c.onTheInterface},
				lab.Router{Kind: c.r2, Priority: c.prio2, OnInterface: c.onTheInterface})
			mark := p.b.Len()
			p.Partition(p.R2)
			p.b.AwaitActive(mark)
			if holders := p.Holders(lab.VIP); len(holders) != 2 {
				t.Fatalf("%v hold %v, want both routers", holders, lab.VIP)
			}
			winner, loser := p.a, p.b
			if c.winner == "r2" {
				winner, loser = p.b, p.a
			}
			wMark, lMark := winner.Len(), loser.Len()
			p.Heal(p.R2)
			loser.AwaitStepBack(lMark)
			p.holdsAlone(t, winner.Node)
			p.standsBy(t, loser)
			if !c.onTheInterface {
				p.answersAlone(t, winner.Node)
			}
			tap := p.Tap.Len()
			for range 2 {
				p.Tap.Await(p.Tap.Len(), 2*time.Second, "the winner's advertisement", lab.Advert(winner.Node))
			}
			if f, seen := lab.First(p.Tap.From(tap), time.Time{}, lab.Advert(loser.Node)); seen {
				t.Errorf("the loser goes on: %s", f)
			}
			if winner.SteppedBack(wMark) {
				t.Errorf("both stepped back; the winner said\n%s", winner.Output())
			}
		})
	}
}
