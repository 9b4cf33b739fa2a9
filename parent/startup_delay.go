package parent

import (
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// start is how far a slot has come with its startup_delay, which counts from
// the first time that it could begin, once: not again for each child, nor for
// the daemon that this one hands over to.
type start struct {
	begun   int64         // it could begin from then on, CLOCK_MONOTONIC; 0: could not yet
	over    bool          // it has reached its first state
	elapsed time.Duration // when the child was told
}

// left is what a fresh child is told of the delay. One that is there already
// counts from what it was told, so that another delay differs for it by as
// much as for us.
func (s *start) left(delay time.Duration, fresh bool, now int64) time.Duration {
	if fresh && s.begun > 0 {
		s.elapsed = time.Duration(now - s.begun)
	}
	if s.over && s.elapsed > 0 {
		return 0
	}
	return max(0, delay-s.elapsed)
}

// begin notes the slots that can begin now.
func (d *daemon) begin() {
	if d.child == nil || d.child.phase != ipc.PhaseRun {
		return
	}
	for _, s := range d.slots {
		if s != nil && s.start.begun == 0 && s.ownership != ipc.OwnsSome && d.links[s.link].told.Up {
			s.start.begun = d.now
		}
	}
}
