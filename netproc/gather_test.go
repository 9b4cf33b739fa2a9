package netproc

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// crowd says the configuration of many virtual routers that own their addresses, and begin one after
// the other within two intervals.
func (d *parent) crowd(routers int) {
	var say []any
	for i := range routers {
		r := record()
		r.Link, r.VRID, r.Ownership, r.AnnounceDelay = ipc.Link(i/250), uint8(i%250+1), ipc.OwnsAll, 0
		r.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{10, 78, byte(i / 250), byte(i%250 + 1)})}
		r.StartupDelay = int64(i*7919%2000) * ms
		say = append(say, ipc.Slot(i), r)
	}
	for i := range (routers + 249) / 250 {
		say = append(say, ipc.LinkState{Link: ipc.Link(i), Up: true, Primary: ours})
	}
	d.say(append(say, ipc.Commit{Routers: uint16(routers)})...)
}

// wakes lets some intervals pass, and returns how often in each the process has woken up to advertise,
// and the advertisements of each virtual router. Those that advertise together do so in the same order
// each time.
func (d *parent) wakes(intervals int) (wakes int, adverts map[string][]int64) {
	d.t.Helper()
	adverts = make(map[string][]int64)
	orders := make(map[int64]string) // by phase
	end := d.now + int64(intervals)*second
	for d.p.next() <= end {
		d.now = d.p.next()
		any, order := false, ""
		for _, said := range d.turn() {
			if who, _, is := strings.Cut(said, " advertise"); is {
				any, order, adverts[who] = true, order+who, append(adverts[who], d.now)
			}
		}
		if any {
			wakes++
		}
		if was, known := orders[d.now%second]; known && len(was) == len(order) && was != order {
			d.t.Errorf("after %s: %s", was, order)
		}
		orders[d.now%second] = order
	}
	d.now = end
	return wakes / intervals, adverts
}

// TestGather: virtual routers that become Active at different times wake the process together: once
// for some 32 of them, but eight times in an interval at the least, and none waits for longer than
// its interval. A few have a slot each. When there are others, those that are Active go on as they were.
func TestGather(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ routers, wakes int }{{1, 1}, {8, 8}, {9, 8}, {250, 8}, {1000, 31}} {
		d := newParent(t)
		d.say(ipc.Hello{Build: ipc.Build()})
		d.crowd(tt.routers)
		d.turn()
		first := d.now
		_, adverts := d.wakes(4)
		for who, at := range adverts {
			for i := 1; i < len(at); i++ {
				if d := at[i] - at[i-1]; i > 1 && d != second || d > second || d < second-second/8 {
					t.Fatalf("%d routers: %s advertises at %d, and %d later", tt.routers, who, at[i-1]-first, d)
				}
			}
		}
		if wakes, adverts := d.wakes(4); wakes > tt.wakes || wakes < tt.wakes-1 || len(adverts) != tt.routers {
			t.Errorf("%d routers: %d advertise, %d wake-ups in an interval, want %d or one less", tt.routers, len(adverts), wakes, tt.wakes)
		}
		d.generation++
		d.crowd(tt.routers / 2)
		d.turn()
		_, adverts = d.wakes(2)
		for who, at := range adverts {
			if len(at) != 2 || at[1]-at[0] != second {
				t.Fatalf("%d routers of %d: %s advertises %v after %d", tt.routers/2, tt.routers, who, at, d.now)
			}
		}
	}
}
