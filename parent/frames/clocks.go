package frames

import (
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// clocks is what is known of the wall clock: by how much at least and at most
// it is ahead of CLOCK_MONOTONIC. Both are disciplined alike, so that the
// difference is one for ever unless somebody sets the wall clock.
type clocks struct{ least, most int64 }

// clockSlack is by how much the same difference may be read differently, ns.
const clockSlack = int64(time.Microsecond)

// look reads both clocks, and says whether the wall clock was set since it was
// read before.
func (c *clocks) look() (now, wall int64, set bool) {
	before := ipc.Monotonic()
	wall = time.Now().UnixNano()
	now = ipc.Monotonic()
	return now, wall, c.compare(before, wall, now)
}

// compare is look with the clocks read: the wall clock between two readings of
// the other.
func (c *clocks) compare(before, wall, now int64) (set bool) {
	least, most := wall-now-clockSlack, wall-before+clockSlack
	if *c == (clocks{}) || least > c.most || most < c.least {
		set = *c != clocks{}
		*c = clocks{least, most}
		return set
	}
	c.least, c.most = max(c.least, least), min(c.most, most)
	return false
}
