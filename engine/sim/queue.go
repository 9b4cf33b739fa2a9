package sim

import (
	"container/heap"

	"github.com/rvrrpd/rvrrpd/engine"
)

// happening is something that will happen at an instant: a frame arrives at a
// router, a router's timer may be due, a result reaches it, or the operator
// does something.
type happening struct {
	at    engine.Instant
	order uint64 // first come first served among those of one instant
	node  int
	life  int // of the node; what was meant for an earlier one is lost
	kind  kind
	adv   engine.Advertisement
	op    Op
}

type kind uint8

const (
	arrival kind = iota
	wakeup
	refusal
	operation
)

// queue is the virtual clock: happenings by instant.
type queue struct {
	items []happening
	count uint64
}

func (q *queue) Len() int { return len(q.items) }
func (q *queue) Less(i, j int) bool {
	a, b := &q.items[i], &q.items[j]
	return a.at < b.at || a.at == b.at && a.order < b.order
}
func (q *queue) Swap(i, j int) { q.items[i], q.items[j] = q.items[j], q.items[i] }

// Push and Pop are heap.Interface.
func (q *queue) Push(x any) { q.items = append(q.items, x.(happening)) }

// Pop is for container/heap.
func (q *queue) Pop() any {
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	return last
}

func (q *queue) add(h happening) {
	q.count++
	h.order = q.count
	heap.Push(q, h)
}

func (q *queue) take() happening { return heap.Pop(q).(happening) }
