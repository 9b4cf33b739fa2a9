package netproc

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestRestore: a fresh process goes on as Active, with one announcement, or
// gives back what it cannot use.
func TestRestore(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		link ipc.LinkState
		want []string
	}{
		{"link up", linkUp, []string{"g1 ready", "g1 s0 " + advertises, "g1 s0 initialize->active restored", "g1 s0 announce 0+1"}},
		{"link down", ipc.LinkState{Link: 0}, []string{"g1 ready", "g1 s0 release"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newParent(t)
			d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), record(), tt.link, ipc.Slot(0), ipc.Restore{}, ipc.Commit{Routers: 1})
			d.expect("restored", d.turn(), tt.want...)
		})
	}
}

// TestFramesWaitForTheConfiguration: what arrives while a fresh process is
// being configured is neither lost nor an error.
func TestFramesWaitForTheConfiguration(t *testing.T) {
	t.Parallel()
	d := newParent(t)
	d.frame(d.now+1, advertisement(peer, good(200)))
	if err := d.p.turn(ready{frames: true}); err != nil {
		t.Fatal(err)
	}
	d.say(ipc.Hello{Build: ipc.Build()})
	d.expect("hello", d.turn())
	d.now += second
	d.say(ipc.Slot(0), record(), linkUp, ipc.Commit{Routers: 1})
	d.now++
	d.frame(d.now, advertisement(peer, good(200)))
	d.now += second
	d.expect("configured", d.turn(), "g1 ready", "g1 s0 initialize->backup startup")
	if got, want := d.p.next(), d.now+downInterval; got != want {
		t.Errorf("Active_Down_Timer: due at %d, want %d", got, want)
	}
}

// TestLinkState: down without a word (S15), up again as at the start, a new
// primary address from the next advertisement on.
func TestLinkState(t *testing.T) {
	t.Parallel()
	d := active(t, record())
	d.say(ipc.LinkState{Link: 1, Up: true, Primary: peer})
	d.expect("another link", d.turn())
	d.say(ipc.LinkState{Link: 0})
	d.expect("down", d.turn(), "g1 s0 release", "g1 s0 active->initialize link-down")
	if d.p.next() != never {
		t.Errorf("a timer runs while the link is down")
	}
	d.say(linkUp)
	d.expect("up", d.turn(), "g1 s0 initialize->backup startup")
	d.say(ipc.LinkState{Link: 0, Up: true, Primary: peer})
	d.expect("new address", d.turn())
	d.frame(d.now, advertisement(peer, good(200)))
	d.expect("that address is ours now", d.turn(), "g1 dropped own-frame link=0 vrid=7 from 10.77.0.1: 1")
}

// TestResults: what an answer of the parent does to an Active.
func TestResults(t *testing.T) {
	t.Parallel()
	refused := []string{"g1 s0 advertise v2 vrid=7 priority=0 every 1s [10.77.0.254]", "g1 s0 release", "g1 s0 active->backup refused"}
	tests := []struct {
		name    string
		request ipc.Type
		code    ipc.Code
		number  int // less than that of the Acquire, 0 for none
		want    []string
	}{
		{"acquired", ipc.TypeAcquire, ipc.CodeDone, -1, nil},
		{"kernel refused", ipc.TypeAcquire, ipc.CodeKernel, -1, refused},
		{"link down", ipc.TypeAcquire, ipc.CodeLinkDown, -1, refused},
		{"too often", ipc.TypeAcquire, ipc.CodeBusy, -1, refused},
		{"stale", ipc.TypeAcquire, ipc.CodeStale, -1, refused},
		{"an older acquire", ipc.TypeAcquire, ipc.CodeKernel, -2, nil},
		{"advertised too often", ipc.TypeAdvertise, ipc.CodeBusy, -1, nil},
		{"announced too often", ipc.TypeAnnounce, ipc.CodeBusy, -1, nil},
		{"release of what is not held", ipc.TypeRelease, ipc.CodeNotHeld, -1, nil},
		{"release failed", ipc.TypeRelease, ipc.CodeKernel, -1, nil},
		{"revoked", ipc.TypeRelease, ipc.CodeNotHeld, 0, []string{"g1 s0 release", "g1 s0 active->backup lease-lost"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := active(t, record())
			h := ipc.Header{Slot: 0, Generation: 1}
			if tt.number != 0 {
				h.Sequence = d.p.routers[0].acquire + 1 + uint32(tt.number)
			}
			d.say(h, ipc.Result{Request: tt.request, Code: tt.code})
			d.expect("answer", d.turn(), tt.want...)
			if counted, want := d.p.refused[tt.code], uint64(1); tt.number != 0 && tt.code != ipc.CodeDone && counted != want {
				t.Errorf("counted %d times, want %d", counted, want)
			}
			d.say(h, ipc.Result{Request: tt.request, Code: tt.code})
			d.expect("answered twice", d.turn())
		})
	}
	t.Run("of no router", func(t *testing.T) {
		t.Parallel()
		d := active(t, record())
		d.say(ipc.Header{Slot: 9, Generation: 1}, ipc.Result{Request: ipc.TypeRelease, Code: ipc.CodeNotHeld},
			ipc.Header{Slot: 9, Generation: 1, Sequence: 4}, ipc.Result{Request: ipc.TypeAcquire, Code: ipc.CodeKernel})
		d.expect("answer", d.turn())
	})
}

// TestReload: the unchanged goes on, the changed goes on as what it is now,
// the removed says goodbye under the old generation and before Ready, the new
// starts.
func TestReload(t *testing.T) {
	t.Parallel()
	owner := func(vrid uint8) ipc.Router {
		r := record()
		r.VRID, r.Priority, r.AnnounceRepeat = vrid, 255, 0
		return r
	}
	d := newParent(t)
	d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), owner(1), ipc.Slot(1), owner(2), ipc.Slot(2), owner(3), linkUp, ipc.Commit{Routers: 3})
	d.turn()
	due := d.p.next()
	changed := owner(2)
	changed.Addresses = append(changed.Addresses, virtual2)
	d.generation = 2
	d.now += 100 * ms
	d.say(ipc.Slot(0), owner(1), ipc.Slot(1), changed, ipc.Slot(3), owner(4))
	d.expect("staged", d.turn())
	d.say(ipc.Commit{Routers: 3})
	d.expect("committed", d.turn(),
		"g1 s2 advertise v2 vrid=3 priority=0 every 1s [10.77.0.254]", "g1 s2 release", "g1 s2 active->initialize shutdown",
		"g2 ready",
		"g2 s1 advertise v2 vrid=2 priority=255 every 1s [10.77.0.254 10.77.0.253]", "g2 s1 acquire",
		"g2 s3 advertise v2 vrid=4 priority=255 every 1s [10.77.0.254]", "g2 s3 acquire", "g2 s3 initialize->active owner",
	)
	if got := d.p.next(); got != due {
		t.Errorf("the unchanged router: due at %d, want %d as before", got, due)
	}
	if got := len(d.p.adverts); got != 3 {
		t.Errorf("%d timers, want 3", got)
	}
	// A link that the next generation calls down, and one router only.
	d.generation = 3
	d.say(ipc.Slot(0), owner(1), ipc.LinkState{Link: 0}, ipc.Commit{Routers: 1})
	got := d.turn()
	if want := []string{"g3 ready", "g3 s0 release", "g3 s0 active->initialize link-down"}; len(got) != 9 || cmp.Diff(want, got[6:]) != "" {
		t.Errorf("link down with the next generation: %q", got)
	}
	d.generation = 4
	d.say(ipc.Commit{})
	d.expect("nothing left", d.turn(), "g4 ready")
}

// TestParentMustNot: every word the parent must not say is an error.
func TestParentMustNot(t *testing.T) {
	t.Parallel()
	hello := ipc.Hello{Build: ipc.Build()}
	change := func(f func(r *ipc.Router)) ipc.Router {
		r := record()
		f(&r)
		return r
	}
	older := ipc.Header{Slot: ipc.NoSlot, Generation: 0}
	newer := ipc.Header{Slot: ipc.NoSlot, Generation: 5}
	tests := []struct {
		name string
		say  []any // after hello
		want string
	}{
		{"hello twice", []any{hello}, "phase"},
		{"commit without its routers", []any{ipc.Commit{Routers: 1}}, "0 are staged"},
		{"commit of another number", []any{ipc.Slot(0), record(), ipc.Commit{Routers: 2}}, "1 are staged"},
		{"a slot twice", []any{ipc.Slot(0), record(), ipc.Slot(0), record()}, "staged twice"},
		{"a VRID twice", []any{ipc.Slot(0), record(), ipc.Slot(1), record(), ipc.Commit{Routers: 2}}, "both are VRID 7"},
		{"restore of no router", []any{ipc.Slot(0), record(), ipc.Slot(1), ipc.Restore{}, ipc.Commit{Routers: 1}}, "not configured"},
		{"generation 0", []any{older, ipc.Commit{}}, "generation 0"},
		{"two generations", []any{ipc.Slot(0), record(), newer, ipc.Commit{Routers: 1}}, "generation 5"},
		{"the same generation again", []any{ipc.Commit{}, ipc.Commit{}}, "running is 1"},
		{"link state of an old generation", []any{newer, ipc.Commit{}, linkUp}, "running is 5"},
		{"link state of no generation", []any{older, linkUp}, "before any"},
		{"restore while it runs", []any{ipc.Commit{}, ipc.Slot(0), ipc.Restore{}}, "phase"},
		{"a version 2 router with IPv6", []any{ipc.Slot(0), change(func(r *ipc.Router) { r.Family = ipc.IPv6; r.Addresses = []netip.Addr{mustAddr("fe80::1")} }), ipc.Commit{Routers: 1}}, "family"},
		{"migration to version 2", []any{ipc.Slot(0), change(func(r *ipc.Router) { r.Migration = true }), ipc.Commit{Routers: 1}}, "migration"},
		{"migration in IPv6", []any{ipc.Slot(0), change(func(r *ipc.Router) { *r = record6(); r.Migration = true }), ipc.Commit{Routers: 1}}, "migration"},
		{"an IPv4 address to speak from, in IPv6", []any{ipc.Slot(0), record6(), ipc.LinkState{Link: 6, Up: true, Primary: ours}, ipc.Commit{Routers: 1}}, "family 6"},
		{"an IPv6 address to speak from, in IPv4", []any{ipc.Slot(0), record(), ipc.LinkState{Up: true, Primary: ours6}, ipc.Commit{Routers: 1}}, "family 4"},
		{"an IPv6 address to speak from, later", []any{ipc.Slot(0), record(), linkUp, ipc.Commit{Routers: 1}, ipc.LinkState{Up: true, Primary: ours6}}, "family 4"},
		{"ownership of no router", []any{ipc.Slot(0), ipc.Owner{}}, "not configured"},
		{"ownership of no router, running", []any{ipc.Commit{}, ipc.Slot(0), ipc.Owner{}}, "not configured"},
		{"version 2 interval below a second", []any{ipc.Slot(0), change(func(r *ipc.Router) { r.AdverInterval = second / 2 }), ipc.Commit{Routers: 1}}, "interval"},
		{"version 2 interval beyond an octet", []any{ipc.Slot(0), change(func(r *ipc.Router) { r.AdverInterval = 256 * second }), ipc.Commit{Routers: 1}}, "interval"},
		{"version 3 interval between two centiseconds", []any{ipc.Slot(0), change(func(r *ipc.Router) { r.Version = 3; r.AdverInterval = 15 * ms }), ipc.Commit{Routers: 1}}, "interval"},
		{"version 3 interval beyond 12 bits", []any{ipc.Slot(0), change(func(r *ipc.Router) { r.Version = 3; r.AdverInterval = 40960 * ms }), ipc.Commit{Routers: 1}}, "interval"},
		{"link up without an address", []any{ipc.LinkState{Link: 0, Up: true}}, "primary address"},
		{"link down with an address", []any{ipc.LinkState{Link: 0, Primary: ours}}, "primary address"},
		{"link up with a global IPv6 address", []any{ipc.LinkState{Link: 0, Up: true, Primary: mustAddr("2001:db8::1")}}, "primary address"},
		{"answer to no drain", []any{ipc.Commit{}, ipc.Result{Request: ipc.TypeDrain, Code: ipc.CodeDone}}, "not open"},
		{"a frame on the control lane", []any{ipc.Frame{Family: ipc.IPv4}}, "lane"},
		{"a request", []any{ipc.Slot(0), ipc.Acquire{}}, "direction"},
		{"a slot where none belongs", []any{ipc.Slot(0), ipc.Commit{}}, "slot"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newParent(t)
			d.say(append([]any{hello}, tt.say...)...)
			if err := d.p.turn(ready{control: true}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
	t.Run("anything before hello", func(t *testing.T) {
		t.Parallel()
		d := newParent(t)
		d.say(ipc.Commit{})
		if err := d.p.turn(ready{control: true}); err == nil {
			t.Error("no error")
		}
	})
	t.Run("another build", func(t *testing.T) {
		t.Parallel()
		d := newParent(t)
		d.say(ipc.Hello{Build: "another"})
		if err := d.p.turn(ready{control: true}); err == nil || !strings.Contains(err.Error(), `build "another"`) {
			t.Errorf("got error %v, want one that names the build", err)
		}
	})
	t.Run("a drain answered twice, or not done", func(t *testing.T) {
		t.Parallel()
		for _, code := range []ipc.Code{ipc.CodeDone, ipc.CodeStale} {
			d := configured(t, record())
			d.now = d.p.next()
			d.turn()
			h := ipc.Header{Slot: ipc.NoSlot, Generation: 1, Sequence: d.last.Sequence}
			d.say(h, ipc.Result{Request: ipc.TypeDrain, Code: code}, h, ipc.Result{Request: ipc.TypeDrain, Code: ipc.CodeDone})
			if err := d.p.turn(ready{control: true}); err == nil {
				t.Errorf("code %v: no error", code)
			}
		}
	})
}

// TestGarbage: bytes that are no message end the process, on either lane.
func TestGarbage(t *testing.T) {
	t.Parallel()
	good := ipc.Append(nil, ipc.Header{Slot: ipc.NoSlot, Generation: 1}, ipc.Frame{Family: ipc.IPv4})
	wrongLane := ipc.Append(nil, ipc.Header{Slot: ipc.NoSlot, Generation: 2}, ipc.Commit{})
	for name, b := range map[string][]byte{
		"one byte":        {1},
		"zeros":           make([]byte, 100),
		"unknown type":    append([]byte{ipc.Version, 250}, make([]byte, 14)...),
		"a byte too many": append(good[:len(good):len(good)], 0),
		"incomplete":      good[:len(good)-1],
		"too long":        make([]byte, ipc.MaxDatagram+1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, control := range []bool{true, false} {
				d := configured(t, record())
				lane := d.frames
				if control {
					lane = d.control
				}
				if err := lane.Send(b); err != nil {
					t.Fatal(err)
				}
				if err := d.p.turn(ready{control: control, frames: true}); err == nil {
					t.Errorf("control %v: no error", control)
				}
			}
		})
	}
	t.Run("control message on the frames lane", func(t *testing.T) {
		t.Parallel()
		d := configured(t, record())
		if err := d.frames.Send(wrongLane); err != nil {
			t.Fatal(err)
		}
		if err := d.p.turn(ready{frames: true}); err == nil {
			t.Error("no error")
		}
	})
}

// TestNumbersSkipZero: zero is what the parent says unasked.
func TestNumbersSkipZero(t *testing.T) {
	t.Parallel()
	d := configured(t, record())
	d.p.sequence = 1<<32 - 1
	if got := d.p.send(ipc.NoSlot, ipc.Drain{}); got != 1 {
		t.Errorf("number after the last: got %d, want 1", got)
	}
}
