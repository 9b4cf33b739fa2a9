//go:build lab

package lab_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// interval3 is the Advertisement_Interval of the tests of version 3, and timers3
// how it is configured: below a second, and so long that a busy machine starts a
// process well before anybody is missed. What can be done at shorter ones is for
// the benchmarks. An emulated machine starts a process in about a second.
var (
	interval3 = map[bool]time.Duration{false: 300 * time.Millisecond, true: time.Second}[lab.Emulated()]
	timers3   = fmt.Sprintf("timers = { advert = %v }", interval3.Seconds())
)

// TestVersion3 lets VRRPv3 routers with an interval of 300 ms take over from
// each other: after a hard kill, by preemption, and after a goodbye.
func TestVersion3(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		active, backup lab.Kind
		checksum       string
	}{
		{lab.Rvrrpd, lab.Rvrrpd, "rfc9568"},
		{lab.Rvrrpd, lab.Rvrrpd, "rfc5798"},
		{lab.Rvrrpd, lab.Keepalived, "rfc5798"},
		{lab.Keepalived, lab.Rvrrpd, ""},
	} {
		t.Run(fmt.Sprintf("%s,%s,%s", tt.active, tt.backup, tt.checksum), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			r := lab.Router{Kind: tt.active, Priority: high, Version: 3, Interval: interval3, Checksum: tt.checksum}
			a := l.R1.Run(r)
			l.Tap.Await(0, 10*time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
			r.Kind, r.Priority = tt.backup, low
			l.R2.Run(r)
			// r2 hears r1 out: it says nothing for many intervals.
			mark := l.Tap.Len()
			for range 15 {
				l.Tap.Await(mark, time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
				mark = l.Tap.Len()
			}
			if said := lab.Select(l.Tap.From(0), lab.Advert(l.R2)); len(said) > 0 {
				t.Errorf("r2 says %s beside r1", said[0])
			}

			killed := a.Kill()
			takeover := l.Tap.Await(mark, 2*time.Second, "r2's advertisement", lab.AdvertOf(l.R2, low))
			frames := l.Tap.From(0)
			before := last(t, frames, killed, "r1's last advertisement", lab.AdvertOf(l.R1, high))
			within(t, "the takeover", before.Time, takeover.Time, r.ActiveDown())
			for _, f := range lab.Select(frames, func(f lab.Frame) bool { return f.VRRP != nil }) {
				if f.VRRP.Version != 3 || f.VRRP.TTL != 255 || f.VRRP.Count != 1 || f.VRRP.Inter != centiseconds(interval3) || f.Src != lab.VirtualMAC(lab.VRID) {
					t.Errorf("advertisement %+v from %s", f.VRRP, f.Src)
				}
			}

			mark = l.Tap.Len()
			again := a.Again()
			l.Tap.Await(mark, 10*time.Second, "r1's return", lab.AdvertOf(l.R1, high))
			mark = l.Tap.Len()
			for range 10 {
				l.Tap.Await(mark, time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
				mark = l.Tap.Len()
			}
			if said := lab.Select(l.Tap.From(mark-5), lab.Advert(l.R2)); len(said) > 0 {
				t.Errorf("r2 goes on: %s", said[0])
			}

			mark = l.Tap.Len()
			if status := again.Terminate(10 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, again.Output())
			}
			bye := l.Tap.Await(mark, time.Second, "r1's goodbye", lab.AdvertOf(l.R1, 0))
			takeover = l.Tap.Await(mark, time.Second, "r2's advertisement", lab.AdvertOf(l.R2, low))
			within(t, "the handover", bye.Time, takeover.Time, r.SkewTime())
		})
	}
}

func centiseconds(d time.Duration) int { return int(d / (10 * time.Millisecond)) }
