package parent

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
)

// TestSilentAt: of a daemon that was killed the next one holds no longer what the kernel silences, or
// has not all of any more; nor for longer than a lease.
func TestSilentAt(t *testing.T) {
	t.Parallel()
	const now = int64(time.Hour)
	a, b := netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("2001:db8::1/64")
	both := []facts.Address{{Index: 4, Prefix: a}, {Index: 4, Prefix: b}}
	for _, tt := range []struct {
		name   string
		placed []vaddr
		there  []facts.Address
		alive  time.Duration
		want   time.Duration
	}{
		{"all answer", []vaddr{{Prefix: a}, {Prefix: b}}, both, time.Second, time.Second},
		{"longer than a lease", []vaddr{{Prefix: a}}, both, time.Minute, 3 * time.Second},
		{"they are silent", []vaddr{{Prefix: a}, {Prefix: b}}, both, 0, 0},
		{"one is gone", []vaddr{{Prefix: a}, {Prefix: b}}, both[1:], time.Second, 0},
		{"one is on another interface", []vaddr{{Prefix: a}}, []facts.Address{{Index: 5, Prefix: a}}, time.Second, 0},
		{"one has another length", []vaddr{{Prefix: a}}, []facts.Address{{Index: 4, Prefix: netip.MustParsePrefix("10.0.0.1/32")}}, time.Second, 0},
		{"all are the interface's own, and nothing tells", nil, both, time.Second, 0},
	} {
		s := &slot{page: page{grant: grant{lease: 3 * time.Second}}}
		one := &savedSlot{Index: 4, Placed: tt.placed}
		if got := s.silentAt(one, tt.there, tt.alive, now) - now; got != int64(tt.want) {
			t.Errorf("%s: in %v, want %v", tt.name, time.Duration(got), tt.want)
		}
	}
}

// TestStanding: where a service manager would start the next daemon, and the kernel will know whether
// it comes in time, what is there stands written, and is marked; nowhere else. Not in parallel: it
// changes the run directory.
func TestStanding(t *testing.T) {
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
		{"nothing has changed", func(d *daemon) { d.stateDirty = false }, false},
	} {
		d, path := supervised(t)
		d.slots[0].index, d.slots[0].held = 4, true
		d.changedSoon()
		d.now += standAfter
		tt.differ(d)
		d.saveState()
		text, err := os.ReadFile(path)
		if stands := err == nil; stands != tt.want {
			t.Errorf("%s: written %v", tt.name, stands)
		}
		var h handover
		if err := json.Unmarshal(text, &h); tt.want && (err != nil || !h.Standing || len(h.Slots) != 1 || !h.Slots[0].Held || h.Slots[0].Index != 4) {
			t.Errorf("%s: %v, %s", tt.name, err, text)
		}
		h, d.child = handover{}, nil
		if err := json.Unmarshal(d.bequest("eth0"), &h); err != nil || h.Standing {
			t.Errorf("%s: left in order, and %v, %+v", tt.name, err, h)
		}
	}
}

// supervised is a daemon that a service manager watches, and its file.
func supervised(t *testing.T) (d *daemon, path string) {
	t.Helper()
	was := runDir
	t.Cleanup(func() { runDir = was })
	runDir = t.TempDir()
	d = remembering(t, "time")
	d.locks, d.manager, d.silences, d.child = map[string]*os.File{"eth0": nil}, &manager{fd: 1 << 20}, true, &child{phase: ipc.PhaseRun}
	d.states, d.now = make(chan map[string][]byte, 100), int64(time.Hour)
	return d, d.handoverFile("eth0")
}

// TestTransitionsPutNothingOff: however often roles change, what is there is written down, and what has to be remembered
// for good. Not in parallel: it changes the run directory.
func TestTransitionsPutNothingOff(t *testing.T) {
	d, path := supervised(t)
	states := make(chan map[string][]byte, 100)
	d.states = states
	const span, every = 3 * time.Second, 50 * time.Millisecond
	for range span / every {
		d.now += int64(every)
		payload := ipc.Append(nil, ipc.Header{}, report.StateChange{From: report.Backup, To: report.Active})[ipc.HeaderLen:]
		if err := d.reported(ipc.Header{Type: ipc.TypeStateChange, Generation: d.generation}, payload); err != nil {
			t.Fatal(err)
		}
		d.saveState()
	}
	if _, err := os.Stat(path); err != nil || len(states) < 2 || len(states) > 4 {
		t.Errorf("state written %d times in %v, and for a next daemon: %v", len(states), span, err)
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
		d.states, d.stateDone = stateWriter(d.log)
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
