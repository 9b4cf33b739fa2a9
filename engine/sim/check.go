package sim

import (
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
)

// segments returns the nodes that take part, by segment; a segment number is
// below the number of routers.
func (w *World) segments() [][]*node {
	all := make([][]*node, len(w.nodes))
	for _, n := range w.nodes {
		if n.takesPart() {
			all[n.segment] = append(all[n.segment], n)
		}
	}
	return all
}

// check asserts what must be true when the LAN has been calm for long enough:
// in every segment exactly one Active, of the highest priority there unless
// all that have it let a lower one stay; the addresses with it alone; and nobody
// who still waits for its start.
func (w *World) check() {
	for segment, nodes := range w.segments() {
		if len(nodes) == 0 {
			continue
		}
		best, preempts, actives := uint8(0), false, 0
		var chosen uint8
		for _, n := range nodes {
			if n.config.Priority > best {
				best, preempts = n.config.Priority, false
			}
			if n.config.Priority == best {
				preempts = preempts || n.config.PreemptMode || best == engine.PriorityOwner
			}
			if n.active() {
				actives++
				chosen = n.config.Priority
			}
		}
		if actives != 1 {
			w.fail("segment %d has %d Actives", segment, actives)
		}
		if preempts && chosen != best {
			w.fail("segment %d: priority %d is Active, %d preempts", segment, chosen, best)
		}
	}
	for _, n := range w.nodes {
		if n.holds != n.active() {
			w.fail("router %d: holds=%t", n.index, n.holds)
		}
		if n.running && n.machine.State() == engine.Initialize {
			if at, _, ok := n.machine.Deadline(); ok {
				w.fail("router %d still waits for its start at %s", n.index, time.Duration(at))
			}
		}
	}
}

// removeActives takes the Active of every segment away, by crash or shutdown,
// and asks to see the next one within the time that the protocol allows. It
// may be used only on a settled LAN.
func (w *World) removeActives(crash bool) {
	for segment, nodes := range w.segments() {
		var gone *node
		for _, n := range nodes {
			if n.active() {
				gone = n
			}
		}
		if gone == nil || len(nodes) < 2 {
			continue
		}
		limit := w.limit(nodes, gone, crash)
		if crash {
			w.end(gone, false)
		} else {
			w.step(gone, w.now, engine.Shutdown{})
		}
		w.queue.add(happening{at: limit, kind: operation, op: Op{Verb: "taken", Args: []int{segment}}})
	}
}

// limit is the instant by which one of the others is Active: from the last
// advertisement, the shortest Active_Down_Interval (after a goodbye, the
// shortest Skew_Time), the longest way of a frame and the latest wakeup.
func (w *World) limit(nodes []*node, gone *node, crash bool) engine.Instant {
	unit := gone.config.AdverInterval
	wait := time.Duration(1<<63 - 1)
	for _, n := range nodes {
		if n == gone {
			continue
		}
		skew := unit
		if n.config.Version == engine.V2 {
			skew = time.Second
		}
		skew -= skew * time.Duration(n.config.Priority) / 256
		wait = min(wait, skew+w.delay+lateness(n.config))
	}
	if crash {
		return gone.spoke.Add(3*unit + wait + rounding)
	}
	return w.now.Add(wait + rounding)
}

// taken asserts that the segment has an Active.
func (w *World) taken(segment int) {
	for _, n := range w.segments()[segment] {
		if n.active() {
			return
		}
	}
	w.fail("segment %d has no Active in time", segment)
}
