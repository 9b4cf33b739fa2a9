package parent

import (
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestSettled: a link that comes up again must stay so for the longest
// link_up_delay of its virtual routers; at the first start it need not.
func TestSettled(t *testing.T) {
	t.Parallel()
	d := &daemon{now: 1}
	l := &link{slots: []*slot{{grant: grant{linkUpDelay: time.Second}}, {grant: grant{linkUpDelay: 3 * time.Second}}}}
	check := func(what string, up, want bool) {
		t.Helper()
		if got := d.settled(l, up); got != want {
			t.Errorf("%s: settled %v, want %v", what, got, want)
		}
		l.told = ipc.LinkState{Up: want}
	}
	check("down", false, false)
	check("up for the first time", true, true)
	check("still up", true, true)
	d.now += int64(time.Second)
	check("down", false, false)
	check("up again", true, false)
	if want := d.now + int64(3*time.Second); l.again != want {
		t.Errorf("another look at %d, want %d", l.again, want)
	}
	d.now += int64(2 * time.Second)
	check("up for 2 s", true, false)
	check("bouncing", false, false)
	check("up again", true, false)
	d.now += int64(2 * time.Second)
	check("up for 2 s", true, false)
	d.now += int64(time.Second)
	check("up for 3 s", true, true)
}

// TestConcerns: of routes only the loss of one of ours is news.
func TestConcerns(t *testing.T) {
	t.Parallel()
	message := func(kind byte, protocol byte) []byte {
		b := make([]byte, 28)
		b[0], b[4], b[16+5] = 28, kind, protocol
		return b
	}
	for _, tt := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"nothing", nil, false},
		{"a new route", message(24, protoRVRRPD), false},
		{"somebody's route gone", message(25, 186), false},
		{"our route gone", message(25, protoRVRRPD), true},
		{"a link", message(16, 0), true},
		{"an address behind routes", slices.Concat(message(24, 186), message(25, 186), message(21, 0)), true},
		{"malformed", []byte{200, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true},
	} {
		if got := concerns(tt.b); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
