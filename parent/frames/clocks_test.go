package frames

import (
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestClocks: that the wall clock was set is seen by its distance from the
// other clock, whatever the time between two looks and within one.
func TestClocks(t *testing.T) {
	t.Parallel()
	const ms, start = int64(time.Millisecond), int64(1 << 60)
	var c clocks
	ahead := start
	for i, step := range []struct {
		mono, took, set int64
		want            bool
	}{
		{1000 * ms, 100, 0, false},
		{2000 * ms, 50, 0, false},
		{9000 * ms, 5 * ms, 0, false}, // not scheduled between the two
		{9001 * ms, 50, ms, true},     // on
		{9002 * ms, 50, 0, false},
		{9003 * ms, 7 * ms, 5 * ms, true},
		{9900 * ms, 50, -3000 * ms, true}, // back
		{9901 * ms, 50, 1, false},         // too little to matter
		{9999 * ms, 50, 3600 * 1000 * ms, true},
		{19999 * ms, 50, 0, false},
	} {
		ahead += step.set
		if got := c.compare(step.mono, step.mono+step.took/2+ahead, step.mono+step.took); got != step.want {
			t.Errorf("look %d: %v, want %v", i, got, step.want)
		}
	}
	var real clocks
	for range 1000 {
		now, wall, set := real.look()
		if set || now <= 0 || wall < now {
			t.Fatalf("nobody sets the clock, and yet %v (%d, %d)", set, now, wall)
		}
	}
}

// TestArrival: a packet arrived after the one before it and before now; when
// the wall clock was set, now, until the socket is empty.
func TestArrival(t *testing.T) {
	t.Parallel()
	r := &Receiver{drained: ipc.Monotonic() - int64(time.Second)}
	before := ipc.Monotonic()
	if at := r.arrival(time.Now().Add(-100 * time.Millisecond).UnixNano()); at >= before || at < before-int64(200*time.Millisecond) {
		t.Errorf("100 ms ago: %d, now is %d", at, before)
	}
	held := r.drained
	if at := r.arrival(time.Now().Add(-time.Hour).UnixNano()); at != held {
		t.Errorf("before the packet before: %d, want %d", at, held)
	}
	if at := r.arrival(time.Now().Add(time.Hour).UnixNano()); at < before || at > ipc.Monotonic() {
		t.Errorf("in an hour: %d", at)
	}
	r.drained = held
	r.clocks.least -= int64(time.Minute) // as if the clock had been set on
	r.clocks.most -= int64(time.Minute)
	for range 3 {
		if at := r.arrival(time.Now().Add(-10 * time.Minute).UnixNano()); at < before {
			t.Errorf("the clock was set: %d, want now", at)
		}
	}
	r.set = false // the socket was empty
	stamp := time.Now().UnixNano()
	before = ipc.Monotonic()
	if at := r.arrival(stamp); at > before+int64(10*time.Microsecond) {
		t.Errorf("the clock was set before it arrived: %d, want %d", at, before)
	}
}
