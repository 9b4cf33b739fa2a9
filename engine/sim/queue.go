package sim

import "github.com/rvrrpd/rvrrpd/engine"

// happening is something that will happen at an instant: a frame arrives at a
// router, a router's timer may be due, a result reaches it, or something that
// the operator did has come so far.
type happening struct {
	at    engine.Instant
	stamp engine.Instant // arrival: on the router's wall clock
	node  int
	life  int // of the node; what was meant for an earlier one is lost
	kind  kind
	adv   engine.Event // arrival: the Advertisement
	op    Op
}

type kind uint8

const (
	arrival kind = iota
	wakeup
	refusal
	operation
)

// entry is a place in the queue. What happens is held apart, so that little is
// moved.
type entry struct {
	at    engine.Instant
	order uint64 // first come first served among those of one instant
	slot  int
}

func (e *entry) before(f *entry) bool { return e.at < f.at || e.at == f.at && e.order < f.order }

// queue is the virtual clock: happenings by instant, as a binary heap.
type queue struct {
	entries []entry
	slots   []happening
	free    []int
	count   uint64
}

func (q *queue) len() int { return len(q.entries) }

// next is when the first one happens, of a queue that is not empty.
func (q *queue) next() engine.Instant { return q.entries[0].at }

func (q *queue) add(h happening) {
	var slot int
	if n := len(q.free); n > 0 {
		slot, q.free = q.free[n-1], q.free[:n-1]
		q.slots[slot] = h
	} else {
		slot, q.slots = len(q.slots), append(q.slots, h)
	}
	q.count++
	e := entry{at: h.at, order: q.count, slot: slot}
	q.entries = append(q.entries, e)
	i := len(q.entries) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !e.before(&q.entries[parent]) {
			break
		}
		q.entries[i] = q.entries[parent]
		i = parent
	}
	q.entries[i] = e
}

func (q *queue) take() happening {
	slot := q.entries[0].slot
	n := len(q.entries) - 1
	last := q.entries[n]
	q.entries = q.entries[:n]
	for i := 0; n > 0; {
		child := 2*i + 1
		if child+1 < n && q.entries[child+1].before(&q.entries[child]) {
			child++
		}
		if child >= n || last.before(&q.entries[child]) {
			q.entries[i] = last
			break
		}
		q.entries[i] = q.entries[child]
		i = child
	}
	q.free = append(q.free, slot)
	return q.slots[slot]
}
