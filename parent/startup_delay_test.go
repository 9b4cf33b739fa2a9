package parent

import (
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestStartLeft: the delay counts once, from when the slot could begin first.
func TestStartLeft(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for _, tt := range []struct {
		name  string
		start start
		fresh bool
		delay time.Duration
		want  time.Duration
	}{
		{"a first child", start{}, true, 20 * second, 20 * second},
		{"a reload", start{begun: 1}, false, 20 * second, 20 * second},
		{"a second child", start{begun: int64(92 * second)}, true, 20 * second, 12 * second},
		{"a second child, late", start{begun: int64(70 * second)}, true, 20 * second, 0},
		{"a second child, after the first state", start{begun: int64(99 * second), over: true}, true, 20 * second, 0},
		{"a reload of a second child", start{begun: 1, elapsed: 8 * second}, false, 30 * second, 22 * second},
		{"and with less than has gone by", start{begun: 1, elapsed: 8 * second}, false, 5 * second, 0},
	} {
		if got := tt.start.left(tt.delay, tt.fresh, int64(100*second)); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestBegin: a slot can begin when the child runs and the link is usable, but
// not between owning some of its addresses and all.
func TestBegin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		child *child
		up    bool
		owns  ipc.Ownership
		want  int64
	}{
		{"all there", &child{phase: ipc.PhaseRun}, true, ipc.OwnsNone, 7},
		{"no child", nil, true, ipc.OwnsNone, 0},
		{"child not ready", &child{phase: ipc.PhaseConfigure}, true, ipc.OwnsNone, 0},
		{"link down", &child{phase: ipc.PhaseRun}, false, ipc.OwnsNone, 0},
		{"some of the addresses", &child{phase: ipc.PhaseRun}, true, ipc.OwnsSome, 0},
	} {
		s := &slot{page: page{grant: grant{}, ownership: tt.owns}}
		d := &daemon{keeper: unread(), broker: broker{conversing: conversing{child: tt.child}, now: 7}, slots: []*slot{nil, s}, links: []*link{{wire: wire{told: ipc.LinkState{Up: tt.up}}}}}
		d.begin()
		d.now = 9
		d.begin()
		if s.start.begun != tt.want {
			t.Errorf("%s: begun at %d, want %d", tt.name, s.start.begun, tt.want)
		}
	}
}
