package parent

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestSilentAt: of a daemon that was killed the next one holds no longer what the kernel silences, or
// has not all of any more; nor for longer than a lease.
func TestSilentAt(t *testing.T) {
	t.Parallel()
	const now = int64(time.Hour)
	a, b := netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("2001:db8::1/64")
	left := func(a, b time.Duration) map[netip.Addr]time.Duration {
		return map[netip.Addr]time.Duration{netip.MustParseAddr("10.0.0.1"): a, netip.MustParseAddr("2001:db8::1"): b}
	}
	both := map[on]bool{{4, a.Addr()}: true, {4, b.Addr()}: true}
	for _, tt := range []struct {
		name    string
		placed  []vaddr
		present map[on]bool
		alive   map[netip.Addr]time.Duration
		want    time.Duration
	}{
		{"all answer", []vaddr{{Prefix: a}, {Prefix: b}}, both, left(2*time.Second, time.Second), time.Second},
		{"longer than a lease", []vaddr{{Prefix: a}}, both, left(time.Minute, 0), 3 * time.Second},
		{"one is silent", []vaddr{{Prefix: a}, {Prefix: b}}, both, left(time.Second, 0), 0},
		{"the kernel knows of none", []vaddr{{Prefix: a}}, both, nil, 0},
		{"one is gone", []vaddr{{Prefix: a}, {Prefix: b}}, map[on]bool{{4, b.Addr()}: true}, left(time.Second, time.Second), 0},
		{"one is on another interface", []vaddr{{Prefix: a}}, map[on]bool{{5, a.Addr()}: true}, left(time.Second, time.Second), 0},
		{"all are the interface's own", nil, nil, nil, 3 * time.Second},
	} {
		s := &slot{page: page{grant: grant{lease: 3 * time.Second}}}
		one := &savedSlot{Index: 4, Placed: tt.placed}
		if got := s.silentAt(one, tt.present, tt.alive, now) - now; got != int64(tt.want) {
			t.Errorf("%s: in %v, want %v", tt.name, time.Duration(got), tt.want)
		}
	}
}

// TestStanding: where a service manager would start the next daemon, and the kernel will know whether it comes in
// time, what there is stands written, and is marked; nowhere else.
func TestStanding(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		differ func(d *daemon)
		want   bool
	}{
		{"watched", func(*daemon) {}, true},
		{"nobody watches", func(d *daemon) { d.manager.fd = -1 }, false},
		{"no leases in nftables", func(d *daemon) { d.silences = false }, false},
		{"in a reload", func(d *daemon) { d.old = d.slots }, false},
		{"at the end", func(d *daemon) { d.child = nil }, false},
	} {
		d := remembering(t, "time")
		d.locks, d.manager, d.silences, d.child = map[string]*os.File{"eth0": nil}, &manager{fd: 1 << 20}, true, &child{phase: ipc.PhaseRun}
		d.slots[0].index, d.slots[0].held = 4, true
		tt.differ(d)
		text, stands := d.snapshot()[d.handoverFile("eth0")]
		if stands != tt.want {
			t.Errorf("%s: written %v", tt.name, stands)
		}
		if !stands {
			continue
		}
		var h handover
		if err := json.Unmarshal(text, &h); err != nil || !h.Standing || len(h.Slots) != 1 || !h.Slots[0].Held || h.Slots[0].Index != 4 {
			t.Errorf("%s: %v, %s", tt.name, err, text)
		}
		d.child = nil
		var left handover
		if err := json.Unmarshal(d.bequest("eth0"), &left); err != nil || left.Standing {
			t.Errorf("%s: left in order, and %v, %+v", tt.name, err, left)
		}
	}
}

// TestBereft: a daemon that has lost its spawner stops, where a network process lives with a goodbye; where a service
// manager watches it leaves everything to the next one.
func TestBereft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		watched bool
		phase   ipc.Phase
		lives   bool // the network process
		stops   bool // and is asked to
		left    bool
	}{
		{"alone", false, ipc.PhaseRun, true, true, false},
		{"alone, with the network process", false, ipc.PhaseRun, false, false, false},
		{"stopping already, with the network process", true, ipc.PhaseStop, false, false, false},
		{"watched", true, ipc.PhaseRun, true, false, true},
		{"watched, with the network process", true, ipc.PhaseRun, false, false, true},
		{"watched, at the start", true, ipc.PhaseHello, false, false, true},
	} {
		d := fuzzed()
		d.spawner, d.manager = deathbed(t, nil, 0), &manager{fd: -1}
		if tt.watched {
			d.manager.fd = 1 << 20 // which takes nothing
		}
		if err := d.spawn(); err != nil {
			t.Fatal(err)
		}
		d.child.phase, d.stopping = tt.phase, tt.phase == ipc.PhaseStop
		var err error
		if tt.lives {
			d.lost = d.spawner.Lost()
			err = d.bereft()
		} else {
			d.spawner.Close()
			err = d.buried()
		}
		if stops := err == nil && d.child != nil && d.child.phase == ipc.PhaseStop; stops != tt.stops || !stops && !errors.Is(err, errStopped) || d.left != tt.left || d.lost == nil {
			t.Errorf("%s: stops %v, %v, left %v, lost %v", tt.name, stops, err, d.left, d.lost)
		}
	}
}
