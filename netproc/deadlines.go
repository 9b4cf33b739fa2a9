package netproc

import (
	"container/heap"
	"fmt"
	"math"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// deadlines is a heap of routers, the first to fall due on top. Of those that fall due together the
// order is always the same: else the last of a thousand in one interval might be the first in the next.
type deadlines []*router

func (d deadlines) Len() int { return len(d) }
func (d deadlines) Less(i, j int) bool {
	return d[i].due < d[j].due || d[i].due == d[j].due && d[i].slot < d[j].slot
}
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = i, j
}

// Push is heap.Interface's.
func (d *deadlines) Push(x any) {
	r := x.(*router)
	r.place = len(*d)
	*d = append(*d, r)
}

// Pop is heap.Interface's.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	r := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	return r
}

// first is the next deadline.
func (d deadlines) first() int64 {
	if len(d) == 0 {
		return never
	}
	return d[0].due
}

// schedule puts a router where its engine's deadline belongs.
func (p *process) schedule(r *router) {
	at, takeover, running := r.vr.Deadline()
	var queue *deadlines
	switch {
	case running && takeover:
		queue = &p.takeovers
	case running:
		queue = &p.adverts
	}
	if queue == &p.adverts && r.heal.rounds > 0 {
		at = min(at, engine.Instant(r.heal.at))
	}
	if r.queue != nil && r.queue != queue {
		heap.Remove(r.queue, r.place)
		r.queue = nil
	}
	r.due = int64(at)
	switch {
	case queue == nil:
	case r.queue == nil:
		heap.Push(queue, r)
		r.queue = queue
	default:
		heap.Fix(queue, r.place)
	}
}

// drain is the question that stands before every takeover: has an
// advertisement arrived in time that we have not seen yet? It may be in the
// parent's socket, because the parent lets packets gather or one of us was
// not scheduled for a while.
//
// So when an Active_Down_Timer is due we ask the parent to forward all that
// has arrived; its answer follows those packets. When it is here and the
// frames lane has been read to its end, everything that arrived before we
// asked has been seen, and timers that were due by then fire, unless what we
// have seen re-armed them. In a flood that fills the lane faster than we read
// it there is no end: there a packet that arrived after the answer will do, for
// it is behind all that the parent had forwarded before. One question covers every timer due when it is
// asked; those that fall due while it is open wait for the next one. Where
// packets were lost on the way, the answer follows a Missed, and the engine
// does not take the silence for that of the Active.
type drain struct {
	open     bool
	answered bool
	sequence uint32 // of the open question
	asked    int64  // when it was asked
	heard    int64  // when its answer was
	seen     int64  // everything that arrived by then has been seen
}

func newDrain() drain { return drain{seen: math.MinInt64} }

// answer notes the answer to the open question, heard now.
func (d *drain) answer(sequence uint32, code ipc.Code, now int64) error {
	if !d.open || d.answered || d.sequence != sequence || code != ipc.CodeDone {
		return fmt.Errorf("answer %v to drain %d, which is not open", code, sequence)
	}
	d.answered, d.heard = true, now
	return nil
}

// emptied notes that the frames lane has been read to its end, or to that of
// what was in it with the answer.
func (d *drain) emptied() {
	if d.open && d.answered {
		d.open, d.answered, d.seen = false, false, d.asked
	}
}

// clocksApart is by how much our reading of the clock may differ from the
// parent's at the very most, ns.
const clocksApart = int64(time.Millisecond)

// passed notes that a packet was read which arrived at an instant.
func (d *drain) passed(arrived int64) {
	if arrived > d.heard+clocksApart {
		d.emptied()
	}
}

// fire lets the timers pass that are due. An advertisement of ours needs no
// question: one more does no harm.
func (p *process) fire() {
	for p.adverts.first() <= p.now {
		r := p.adverts[0]
		p.heal(r)
		p.step(r, p.now, engine.Tick{})
	}
	for p.takeovers.first() <= p.drain.seen {
		r := p.takeovers[0]
		if p.step(r, p.now, engine.Missed{Until: engine.Instant(p.missed)}); r.due <= p.now {
			p.step(r, p.now, engine.Tick{})
		}
	}
	if p.takeovers.first() <= p.now && !p.drain.open {
		p.drain.open, p.drain.asked = true, p.now
		p.drain.sequence = p.send(ipc.NoSlot, ipc.Drain{})
	}
}

// next is the instant to wake up at if nothing comes before. Takeovers do
// not count while a question is open: its answer will wake us.
func (p *process) next() int64 {
	switch {
	case p.unread:
		return p.now
	case p.drain.open:
		return min(p.adverts.first(), p.waitingUntil())
	default:
		return min(p.adverts.first(), p.takeovers.first(), p.waitingUntil())
	}
}

// Implementation constants. The kernel lets a poll be late by a thousandth of
// its timeout (fs/select.c), 3.6 ms in the usual Active_Down_Interval, which
// would be the greater part of what we add to a takeover. Where a takeover is
// next, the loop wakes up that much earlier and waits once more for the rest,
// unless that is so short that it does not matter. Our advertisements may be
// late: one wake-up less for each is worth more.
const (
	pollSlack = 1000
	pollExact = 10 * time.Millisecond
)

// timeout is how long to wait at the instant now, negative for without end.
func (p *process) timeout(now int64) time.Duration {
	next := p.next()
	if next == never {
		return -1
	}
	d := time.Duration(max(0, next-now))
	if d > pollExact && next == p.takeovers.first() {
		d -= d / pollSlack
	}
	return d
}
