package netproc

import (
	"time"

	"github.com/rvrrpd/rvrrpd/ipc/report"
)

// Implementation constants.
const (
	// setBackLeast is the least step back of the wall clock that is told. What is
	// slewed goes back by less between two advertisements.
	setBackLeast = time.Second
	// readingMost bounds how long the two clocks may take to be read: who is not
	// scheduled in between sees steps where there are none.
	readingMost = int64(100 * time.Millisecond)
)

// clockWatch notices when somebody sets the wall clock back: CLOCK_MONOTONIC goes
// on. A machine that was suspended only finds it ahead.
type clockWatch struct {
	known bool
	apart int64         // of the two clocks, when they were read last, ns
	by    time.Duration // the last step
}

// setBack takes a reading, and says whether there was a step back since the last.
func (c *clockWatch) setBack(wall time.Time, monotonic int64) bool {
	apart := wall.UnixNano() - monotonic
	step := time.Duration(c.apart - apart)
	was := c.known
	c.known, c.apart = true, apart
	if !was || step < setBackLeast {
		return false
	}
	c.by = step
	return true
}

// watchClock tells of a wall clock that was set back since it was looked at last,
// when an advertisement is accepted or sent: time stamps of HMAC are its own. The
// notice names us and no other, for it is our clock; and what is discarded causes
// none, so that nobody without a key can time one. Where all is discarded we take
// over, and send.
func (p *process) watchClock(r *router) {
	if p.sniffer != nil {
		return
	}
	before := p.clock()
	wall := p.wall()
	if p.clock()-before > readingMost {
		return
	}
	if p.steps.setBack(wall, before) {
		p.notice(r, report.NoticeClock, r.primary)
	}
}
