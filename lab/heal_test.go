//go:build lab

package lab_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// gratuitous is an ARP request of a node that announces an address.
func gratuitous(from *lab.Node, ip netip.Addr) []byte {
	own, err := net.ParseMAC(from.MAC)
	if err != nil {
		panic(err)
	}
	all := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	a := ip.AsSlice()
	return slices.Concat(all, own, []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, own, a, make([]byte, 6), a)
}

// TestAnnouncesLast: two routers become Active at once, and the one that loses
// announces the addresses behind its advertisement, as everybody does. The
// winner announces them when the loser has heard it, and once more, and not
// only with garp.delay.
func TestAnnouncesLast(t *testing.T) {
	t.Parallel()
	for version, interval := range map[int]time.Duration{2: time.Second, 3: interval3} {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			r := lab.Router{Kind: lab.Rvrrpd, Version: version, Interval: interval, Priority: high}
			p := runText(t, l.R1, r.Configuration("")+"garp = { repeat = 1, delay = 0 }\n")
			l.Tap.Await(0, 10*time.Second, "r1's announcement", lab.From(l.R1, lab.GratuitousARP(lab.VIP)))
			f := lab.Forgery{Version: version, VRID: lab.VRID, TTL: 255, Priority: low}.Frame(l.Client)
			socket := l.Client.Sender(lab.Interface)
			// It announces until it has heard r1.
			mark := l.Tap.Len()
			if err := socket(f); err != nil {
				t.Fatal(err)
			}
			l.Tap.Await(mark, 5*time.Second, "an advertisement of r1 behind the forgery", advertisement(l.R1))
			if err := socket(gratuitous(l.Client, lab.VIP)); err != nil {
				t.Fatal(err)
			}
			its := l.Tap.Await(mark, 5*time.Second, "the loser's announcement", lab.From(l.Client, lab.GratuitousARP(lab.VIP)))
			healing := func() []lab.Frame {
				return lab.Select(l.Tap.From(mark), func(f lab.Frame) bool {
					return f.Time.After(its.Time) && lab.From(l.R1, lab.GratuitousARP(lab.VIP))(f)
				})
			}
			if !lab.Until(5*time.Second, func() bool { return len(healing()) >= 2 }) {
				t.Fatalf("%d announcements after the loser's, want 2; it said\n%s", len(healing()), p.Output())
			}
			got := healing()
			between(t, "the first announcement after the loser's", its.Time, got[0].Time, 0, interval)
			between(t, "the second after the first", got[0].Time, got[1].Time, interval-haste, 2*interval)
		})
	}
}
