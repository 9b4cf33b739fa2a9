package sim

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
)

// node is one machine on the LAN: a virtual router and what surrounds it.
type node struct {
	index   int
	config  engine.Config
	primary netip.Addr
	advert  engine.Event // what the others hear of it
	goodbye engine.Event
	segment int
	link    bool // the interface is up
	running bool // the process that runs the virtual router lives
	life    int  // counts its deaths; what was under way for it is lost

	machine Machine
	monitor *Monitor
	borne   int // what earlier monitors counted
	waited  int
	wake    engine.Instant // of the wakeup under way; 0 for none

	holds   bool // the addresses are on the interface
	refused bool // an acquisition failed and the answer is under way
	refuse  int  // so many acquisitions will fail

	begun   engine.Instant // when the machine could begin first; 0: could not yet
	started bool           // it has reached its first state since the machine came up

	watched bool // it may not change its state any more

	stalled engine.Instant // the process is not scheduled until then
	inbox   []happening    // frames that wait meanwhile
	flooded bool           // and there is no room for more than one
	missed  engine.Instant // when the last one found none; 0 for never
	drained engine.Instant // when the socket was last seen empty
	wall    time.Duration  // how far the wall clock was stepped
	known   time.Duration  // the same when a frame was last read
	unread  time.Duration  // and how far between the stamp of the next frame and its reading

	spoke engine.Instant   // when it last advertised
	heard []engine.Instant // arrival of the last frame, by sender
}

// renumber gives the node another primary address.
func (n *node) renumber(last int) {
	n.primary = primaryOf(last)
	adv := engine.Advertisement{Source: n.primary, Priority: n.config.Priority, AdverInterval: n.config.AdverInterval}
	n.advert = adv
	adv.Priority = engine.PriorityLeaving
	n.goodbye = adv
}

// takesPart reports whether the node runs the protocol, for all the LAN knows.
func (n *node) takesPart() bool {
	return n.running && n.link && n.machine.State() != engine.Initialize
}

func (n *node) active() bool { return n.running && n.machine.State() == engine.Active }

// begin puts a fresh process on the node, where the machine came up as well or
// only the process died. Startup_Delay counts once for the machine.
func (w *World) begin(n *node, machine bool) {
	c := n.config
	switch {
	case machine || w.forgetful:
		n.begun, n.started = 0, n.started && !machine
	case n.started:
		c.StartupDelay = 0
	case n.begun != 0:
		c.StartupDelay = max(0, n.begun.Add(c.StartupDelay).Sub(w.now))
	}
	n.running, n.wake, n.stalled, n.inbox, n.missed = true, 0, 0, nil, 0
	n.life++
	n.drained, n.unread, n.known = w.now, 0, n.wall
	if n.monitor != nil {
		n.borne += n.monitor.borne
		n.waited += n.monitor.waited
	}
	n.machine, n.monitor = w.newMachine(c), NewMonitor(c)
}

// end lets the process die; the addresses stay or go.
func (w *World) end(n *node, keep bool) {
	n.running, n.inbox, n.stalled, n.refused = false, nil, 0, false
	n.life++
	n.holds = n.holds && keep
}

// step gives the virtual router an event and does what it wants done.
func (w *World) step(n *node, at engine.Instant, ev engine.Event) {
	switch ev.(type) {
	case engine.Startup, engine.Restore:
		if n.begun == 0 {
			n.begun = at
		}
	}
	actions := n.machine.Step(at, ev, w.actions[:0])
	w.actions = actions
	w.steps++
	if !w.unmonitored {
		if err := n.monitor.Check(at, ev, n.machine, actions); err != nil {
			w.fail("router %d: %v", n.index, err)
		}
	}
	for _, a := range actions {
		w.do(n, a)
	}
	if n.holds != n.active() && !n.refused {
		w.fail("router %d is %s but holds=%t", n.index, n.machine.State(), n.holds)
	}
	w.arm(n)
}

// do is the node's parent process and its kernel.
func (w *World) do(n *node, a engine.Action) {
	w.note(n, a)
	switch a := a.(type) {
	case engine.SendAdvertisement:
		n.spoke = w.now
		w.broadcast(n, a.Priority)
	case engine.Acquire:
		if n.refuse > 0 {
			n.refuse--
			n.refused = true
			w.queue.add(happening{at: w.now.Add(time.Millisecond), node: n.index, life: n.life, kind: refusal})
			return
		}
		n.holds = true
	case engine.Release:
		n.holds, n.refused = false, false
	case engine.Announce:
		if !n.holds && !n.refused {
			w.fail("router %d announces what it does not hold", n.index)
		}
	case engine.StateChanged:
		w.reasons[a.Reason]++
		n.started = true
		if w.settled || n.watched {
			w.fail("router %d: %s with nothing wrong", n.index, FormatAction(a))
		}
	}
}

// note adds an action to the trace (FNV-1a).
func (w *World) note(n *node, a engine.Action) {
	word := uint64(n.index)
	switch a := a.(type) {
	case engine.SendAdvertisement:
		word |= 1<<8 | uint64(a.Priority)<<16
	case engine.StateChanged:
		word |= 2<<8 | uint64(a.From)<<16 | uint64(a.To)<<24 | uint64(a.Reason)<<32
	}
	w.trace = ((w.trace^uint64(w.now))*1099511628211 ^ word) * 1099511628211
}

// broadcast puts an advertisement on the segment. Frames of one sender keep
// their order at a receiver, as on a real LAN, unless the LAN is not calm.
func (w *World) broadcast(from *node, priority uint8) {
	if !from.link {
		return
	}
	adv := from.advert
	if priority == engine.PriorityLeaving {
		adv = from.goodbye
	}
	for _, to := range w.nodes {
		if to == from || to.segment != from.segment {
			continue
		}
		copies := 1
		if w.duplication > 0 && w.random.chance(w.duplication) {
			copies = 2
		}
		for range copies {
			if w.loss > 0 && w.random.chance(w.loss) {
				continue
			}
			at := w.now.Add(w.random.duration(w.delay))
			if w.calm() {
				at = max(at, to.heard[from.index])
			}
			to.heard[from.index] = max(at, to.heard[from.index])
			w.queue.add(happening{at: at, node: to.index, life: to.life, kind: arrival, adv: adv})
		}
	}
}

// arm asks for a wakeup at the virtual router's deadline, a little late.
func (w *World) arm(n *node) {
	at, _, ok := n.machine.Deadline()
	if !ok || !n.running {
		return
	}
	at = max(at, w.now)
	if n.wake != 0 && n.wake <= at {
		return
	}
	at = at.Add(w.random.duration(lateness(n.config)))
	n.wake = at
	w.queue.add(happening{at: at, node: n.index, life: n.life, kind: wakeup})
}

// lateness is the most by which a wakeup comes late.
func lateness(c engine.Config) time.Duration { return c.AdverInterval / 200 }

// arrives puts a frame into the socket, with the kernel's stamp, and has it read
// at once unless the process is not scheduled.
func (w *World) arrives(n *node, h *happening) {
	h.stamp = h.at.Add(n.wall)
	if n.stalled > w.now {
		if n.flooded && len(n.inbox) > 0 {
			n.missed = w.now
			return
		}
		n.inbox = append(n.inbox, *h)
		return
	}
	h.stamp = h.stamp.Add(-n.unread)
	n.unread = 0
	w.read(n, h)
	n.drained, n.known = w.now, n.wall
}

// read translates the kernel's stamp as the parent process does, which knows
// only what the wall clock says now, and whether it was stepped since a frame
// was last read: then the frame counts as having arrived now. Else it arrived
// between the instant at which the socket was last seen empty and now.
func (w *World) read(n *node, h *happening) {
	age := w.now.Add(n.wall).Sub(h.stamp)
	at := w.now.Add(-age)
	if !w.trusting {
		at = min(max(at, n.drained), w.now)
		if n.known != n.wall && !w.steady {
			at = w.now
		}
	}
	w.hear(n, at, h.adv)
}

// wakeup ends a stall that is over and ticks if a timer is due. What arrived
// before is delivered first.
func (w *World) wakeup(n *node) {
	if n.wake <= w.now {
		n.wake = 0
	}
	if n.stalled > w.now {
		return
	}
	if n.stalled != 0 && w.hasty {
		w.tick(n)
	}
	if n.stalled != 0 {
		n.stalled, n.unread = 0, 0 // what waited bears stamps of its own
	}
	for i := range n.inbox {
		w.read(n, &n.inbox[i])
	}
	if len(n.inbox) > 0 {
		n.inbox, n.drained, n.known = n.inbox[:0], w.now, n.wall
	}
	w.tick(n)
}

// tick fires a timer that is due, else asks for the next wakeup.
func (w *World) tick(n *node) {
	at, takeover, ok := n.machine.Deadline()
	if !ok || at > w.now {
		w.arm(n)
		return
	}
	if takeover {
		n.drained = w.now
		if n.missed != 0 && !w.careless {
			w.step(n, w.now, engine.Missed{Until: n.missed})
		}
		if at, _, _ := n.machine.Deadline(); at > w.now {
			return
		}
	}
	w.step(n, w.now, engine.Tick{})
}

// hear delivers a frame unless the engine's caller would not.
func (w *World) hear(n *node, at engine.Instant, adv engine.Event) {
	if n.link && adv.(engine.Advertisement).Source != n.primary {
		w.step(n, at, adv)
	}
}

func (n *node) String() string {
	state := "dead"
	if n.running {
		state = n.machine.State().String()
	}
	return fmt.Sprintf("router %d %s priority=%d segment=%d link=%t holds=%t", n.index, state, n.config.Priority, n.segment, n.link, n.holds)
}
