package parent

import (
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestSettled: a link that comes up again must stay so for the longest
// link_up_delay of its virtual routers; at the first start it need not.
func TestSettled(t *testing.T) {
	t.Parallel()
	d := &daemon{keeper: unread(), broker: broker{now: 1}}
	l := &link{slots: []*slot{{page: page{grant: grant{wishes: wishes{linkUpDelay: time.Second}}}}, {page: page{grant: grant{wishes: wishes{linkUpDelay: 3 * time.Second}}}}}}
	check := func(what string, up, want bool) {
		t.Helper()
		if got := d.upLongEnough(l, up); got != want {
			t.Errorf("%s: up long enough %v, want %v", what, got, want)
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
