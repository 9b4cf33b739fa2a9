package parent

import (
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// Implementation constants.
const (
	// pingEvery is the most time between two looks at whether the child lives, and pings of
	// one that says nothing, ns.
	pingEvery = int64(1250 * time.Millisecond)
	// hungAfter is how long a child may owe an answer: it has lost its leases
	// long before, and now makes room for one that works. A child that is
	// stopped on purpose for a while is not killed for it.
	hungAfter = int64(10 * time.Second)
)

// heart is the proof that the child's loop turns.
type heart struct {
	next  int64 // when to look again
	owed  int64 // since when an answer is owed, 0 for not
	last  int64 // our own last turn
	heard bool  // the child has said something since we looked
}

// beat pings a child that has said nothing, and says whether it hangs. Where there is none that
// runs yet, its deadlines take care of it. Time in which we did not run
// ourselves is not the child's.
func (d *daemon) beat() (hung bool) {
	h := &d.heart
	if h.owed > 0 && d.now-h.last > int64(2*time.Second) {
		h.owed = d.now
	}
	h.last = d.now
	if d.child == nil || d.child.phase != ipc.PhaseRun {
		*h = heart{last: d.now}
		d.feed()
		return false
	}
	if d.now < h.next-slack {
		return false
	}
	h.next = d.now + pingEvery
	if h.heard {
		h.heard = false
		d.answered()
		return false
	}
	if h.owed > 0 {
		return d.now-h.owed > hungAfter
	}
	h.owed = d.now
	d.send(ipc.Header{Slot: ipc.NoSlot}, ipc.Ping{})
	return false
}

// answered is the child's answer to a ping, or as good as one.
func (d *daemon) answered() {
	d.heart.owed = 0
	d.feed()
	d.tellStatus()
}
