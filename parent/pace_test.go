package parent

import (
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestPace: announcements of an interface keep their distance, those of
// another do not wait for them, and what is released is not announced.
func TestPace(t *testing.T) {
	t.Parallel()
	const ms = int64(time.Millisecond)
	d := &daemon{now: 1000 * ms}
	a, b := &link{id: 0}, &link{id: 1}
	paced := &slot{grant: grant{pace: 10 * time.Millisecond}, held: true}
	for i := range 3 {
		a.nextAnnounce = max(a.nextAnnounce, d.now+1) // as if one had just been sent
		d.announceFrame(paced, a, []byte{byte(i)})
	}
	b.nextAnnounce = d.now + 5*ms
	d.announceFrame(paced, b, []byte{9})
	var got []int64
	for _, p := range d.pacing {
		got = append(got, p.at-d.now)
	}
	if want := []int64{1, 5 * ms, 1 + 10*ms, 1 + 20*ms}; !slices.Equal(got, want) {
		t.Errorf("due in %v, want %v", got, want)
	}
	if next := d.pacing[0].at; next != d.now+1 {
		t.Errorf("next %d", next)
	}
	d.now += 12 * ms
	d.announceDue() // the links have no sender: nothing is sent, and nothing crashes
	if len(d.pacing) != 1 || d.pacing[0].frame[0] != 2 {
		t.Errorf("left: %+v", d.pacing)
	}
}

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
