package netproc

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
)

// TestClockWatch: a step back is seen, and neither slewing, a step ahead, a
// suspended machine, nor the first reading are one.
func TestClockWatch(t *testing.T) {
	t.Parallel()
	var c clockWatch
	for _, tt := range []struct {
		name        string
		wall, since time.Duration
		want        bool
	}{
		{"first", 0, 0, false},
		{"goes on", 10 * time.Second, 10 * time.Second, false},
		{"slewed", 19900 * time.Millisecond, 20 * time.Second, false},
		{"ahead, or suspended", time.Hour, 21 * time.Second, false},
		{"back", time.Hour - 10*time.Minute, 22 * time.Second, true},
		{"once", time.Hour - 10*time.Minute + time.Second, 23 * time.Second, false},
	} {
		if got := c.setBack(noon.Add(tt.wall), start+int64(tt.since)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if c.by != 10*time.Minute+time.Second {
		t.Errorf("set back by %v", c.by)
	}
}

// TestClockSetBack: our clock is set back while somebody sends again what has been
// recorded, or something without the key. Neither counts, or has anything told of the
// clock; the hint of what is discarded says until when, and what we send tells it once,
// in our own name.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	d := authenticated(t, withHMAC(record3(), 2), ipc.Slot(0), secret1)
	back := time.Duration(0)
	d.p.wall = func() time.Time { return noon.Add(time.Duration(d.now-start) - back) }
	var old [][]byte
	for i := range 20 {
		d.now += second
		old = append(old, signed(t, 1, peer, good3(200), d.p.wall()))
		d.frame(d.now, old[i])
		if said := d.turn(); len(said) != 1 || !strings.Contains(said[0], " mark ") {
			t.Fatalf("live: %q", said)
		}
	}
	d.frame(d.now, old[19])
	d.expect("again", d.turn(), "g1 dropped replayed link=0 vrid=7 from 10.77.0.1: 1")
	if hint := d.p.replayedHint(d.p.at(0)); strings.Contains(hint, "our clock") {
		t.Error(hint)
	}
	back = 20 * time.Second
	deadline := d.p.next()
	forged := signed(t, 2, mustAddr("10.77.0.99"), good3(200), d.p.wall())
	d.frame(d.now, forged)
	d.expect("forged", d.turn(), "g1 dropped key link=0 vrid=7 from 10.77.0.99: 1")
	for _, p := range old[:3] {
		d.now += second
		d.frame(d.now, p)
		d.frame(d.now, forged)
		d.expect("recorded", d.turn())
	}
	if got := d.p.notices[report.NoticeClock].total; got != 0 {
		t.Errorf("told %d times for what was discarded", got)
	}
	at := d.p.at(0)
	d.p.speakFor(at)
	d.p.speakFor(at)
	if got := d.p.notices[report.NoticeClock]; got.total != 1 || got.last.source != ours {
		t.Errorf("told %d times, of %v", got.total, got.last.source)
	}
	if got := d.p.drops[report.DropReplayed].total; got != 4 || d.p.next() != deadline {
		t.Errorf("%d dropped, due at %d, was %d", got, d.p.next(), deadline)
	}
	for _, hint := range []string{d.p.replayedHint(d.p.at(0)), d.p.noticeHint(d.p.at(0), report.NoticeClock)} {
		if !strings.Contains(hint, "clock was set back") || !strings.Contains(hint, "with another key") || len(hint) > ipc.MaxHint {
			t.Error(hint)
		}
	}
	if hint := d.p.replayedHint(d.p.at(0)); !strings.Contains(hint, fmt.Sprint("one of ", clockText(noon.Add(20*time.Second)))) {
		t.Error(hint)
	}
}

// TestClockSetBackWhileActive: who hears nobody notices it when it signs.
func TestClockSetBackWhileActive(t *testing.T) {
	t.Parallel()
	d := authenticated(t, withHMAC(record3(), 2), ipc.Slot(0), secret1)
	back := time.Duration(0)
	d.p.wall = func() time.Time { return noon.Add(time.Duration(d.now-start) - back) }
	sign := func() uint64 {
		t.Helper()
		r := d.p.at(0)
		d.p.speakFor(r)
		return d.p.notices[report.NoticeClock].total
	}
	if got := sign(); got != 0 {
		t.Errorf("told %d times", got)
	}
	back = time.Minute
	if got := sign() + sign(); got != 2 {
		t.Errorf("not told once")
	}
}

// TestClockSetBackWhileBackup: set back by less than the window, it is told with the
// next advertisement that is accepted, in our own name; in receive-only, too.
func TestClockSetBackWhileBackup(t *testing.T) {
	t.Parallel()
	for mode := range uint8(3) {
		d := authenticated(t, withHMAC(record3(), mode), ipc.Slot(0), secret1)
		back := time.Duration(0)
		d.p.wall = func() time.Time { return noon.Add(time.Duration(d.now-start) - back) }
		hear := func(from netip.Addr, n byte) counter {
			d.now += second
			d.frame(d.now, signed(t, n, from, good3(200), d.p.wall().Add(back)))
			d.turn()
			return d.p.notices[report.NoticeClock]
		}
		hear(peer, 1)
		back = 2 * time.Second
		if got := hear(mustAddr("10.77.0.99"), 2); got.total != 0 {
			t.Errorf("mode %d: told for what was discarded", mode)
		}
		if got := hear(peer, 1); got.total != 1 || got.last.source != ours {
			t.Errorf("mode %d: told %d times, of %v", mode, got.total, got.last.source)
		}
	}
}

// speakFor signs an advertisement of a router.
func (p *process) speakFor(r *router) { p.signed(r, r.advertise[0]) }
