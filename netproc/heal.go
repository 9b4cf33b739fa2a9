package netproc

import "time"

// Implementation constants.
const (
	// healIntervals is the least distance between two healings, and how long
	// advertisements that go on may put one off, in Advertisement_Intervals.
	healIntervals = 3
	// healRounds announcements make a healing: one when the other Active can
	// have stepped back, one an interval later, should it have taken longer.
	healRounds = 2
	// healEvery is the least distance of healings: what the parent lets us
	// announce lasts, however long another router contends.
	healEvery = int64(time.Second)
	// settleLeast and settleMost bound how long another Active may take to step
	// back once it has been told, a tenth of an interval otherwise.
	settleLeast, settleMost = int64(20 * time.Millisecond), int64(100 * time.Millisecond)
	// healApart is the least distance between the rounds.
	healApart = int64(100 * time.Millisecond)
)

// healing announces the addresses of an Active once more, after another one
// has contended for them and lost: hosts and bridges may believe the other,
// which announces them, too, until it has heard us. So it waits for our next
// advertisement, and for the other to step back. Where none is under way, only
// hold counts. Instants are CLOCK_MONOTONIC in nanoseconds.
type healing struct {
	untold bool  // the other has not heard us yet: an advertisement is to go first
	rounds uint8 // announcements to come
	at     int64 // of the next of them
	latest int64 // of the first of them, whoever goes on
	hold   int64 // no other healing before
}

// contended notes an advertisement that lost against us, or is about to.
func (h *healing) contended(now, interval int64) {
	if !h.untold && h.rounds < healRounds {
		h.latest = max(now+healIntervals*interval, h.hold)
	}
	if h.rounds == healRounds {
		h.at = h.latest
	}
	h.untold = true
}

// told notes that we have advertised: who contended knows of us in a moment.
func (h *healing) told(now, interval int64) {
	if !h.untold {
		return
	}
	settled := now + min(max(interval/10, settleLeast), settleMost)
	h.untold, h.rounds, h.at = false, healRounds, min(max(settled, h.hold), h.latest)
}

// due says whether it is time for an announcement, and sets the next.
func (h *healing) due(now, interval int64) bool {
	if h.rounds == 0 || now < h.at {
		return false
	}
	if h.rounds == healRounds {
		h.hold = now + max(healIntervals*interval, healEvery)
		h.latest = h.hold
	}
	h.rounds--
	h.at = now + max(interval, healApart)
	return true
}

// over ends it, because we are not Active any more.
func (h *healing) over() { *h = healing{hold: h.hold} }

// heal announces the addresses of a router if that is due.
func (p *process) heal(r *router) {
	if r.heal.due(p.now, int64(r.interval)) {
		p.announce(r, 1)
	}
}
