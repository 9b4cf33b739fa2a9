package netproc

import (
	"container/heap"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// deadlines is a heap of routers, the first to fall due on top.
type deadlines []*router

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].due < d[j].due }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = i, j
}
func (d *deadlines) Push(x any) {
	r := x.(*router)
	r.place = len(*d)
	*d = append(*d, r)
}
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
// advertisement arrived in time that we have not read yet? It may wait in
// the parent's socket, because the parent gathers packets or one of us was
// not scheduled. So when an Active_Down_Timer is due we ask the parent to
// forward all that has arrived, and let no timer fire that the last answered
// question does not cover.
type drain struct {
	asked    bool
	sequence uint32
	at       int64 // when the open question was asked
	through  int64 // everything that arrived before has been forwarded
}

// answered notes the answer to the open question.
func (d *drain) answered(sequence uint32) {
	if d.asked && d.sequence == sequence {
		d.asked, d.through = false, d.at
	}
}

// fire lets the timers pass that are due.
func (p *process) fire() {
	for p.adverts.first() <= p.now {
		p.step(p.adverts[0], p.now, engine.Tick{})
	}
	for p.takeovers.first() <= min(p.now, p.drain.through) {
		p.step(p.takeovers[0], p.now, engine.Tick{})
	}
	if p.takeovers.first() <= p.now && !p.drain.asked {
		p.sequence++
		p.drain.asked, p.drain.sequence, p.drain.at = true, p.sequence, p.now
		p.out.Add(ipc.Header{Slot: ipc.NoSlot, Generation: p.generation, Sequence: p.sequence}, ipc.Drain{})
	}
}

// next is the next deadline to wait for. A takeover that waits for an answer
// is none: the answer wakes us.
func (p *process) next() int64 {
	if p.drain.asked && p.takeovers.first() <= p.now {
		return p.adverts.first()
	}
	return min(p.adverts.first(), p.takeovers.first())
}
