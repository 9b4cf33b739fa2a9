package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
)

// World runs a scenario.
type World struct {
	ops     []Op // that are still to be done
	queue   queue
	now     engine.Instant
	random  prng
	nodes   []*node
	actions []engine.Action
	steps   int
	trace   uint64
	reasons [engine.LeaseLost + 1]int
	err     error

	loss, duplication int // percent
	delay             time.Duration
	settled           bool // a check has passed and nothing was done since

	newMachine  func(engine.Config) Machine
	unmonitored bool

	// Faults built in, to show that the bench finds them.
	hasty     bool // timers fire before frames that waited are heard
	trusting  bool // the kernel's stamps are believed, whatever the wall clock did
	steady    bool // nobody looks whether the wall clock was stepped
	forgetful bool // Startup_Delay counts anew for every process
	careless  bool // what a socket lost is not told
}

// Result is what a run says besides whether it failed.
type Result struct {
	Elapsed time.Duration // virtual
	Steps   int
	Trace   uint64                    // a hash of every action of every router and its instant
	Reasons [engine.LeaseLost + 1]int // transitions by reason
	Borne   int                       // advertisements that Preempt_Delay let pass
	Waited  int                       // starts that Startup_Delay put off
}

// Run runs the scenario to its last op and returns the first violation.
func Run(s Scenario) (Result, error) {
	return newWorld(s, func(c engine.Config) Machine { return engine.New(c) }).run(s)
}

func newWorld(s Scenario, newMachine func(engine.Config) Machine) *World {
	w := &World{random: prng(s.Seed), newMachine: newMachine, ops: s.Ops}
	for i, c := range s.Routers {
		n := &node{index: i, config: c, link: true, heard: make([]engine.Instant, len(s.Routers))}
		n.renumber(i)
		w.nodes = append(w.nodes, n)
	}
	return w
}

func (w *World) run(s Scenario) (Result, error) {
	for _, n := range w.nodes {
		w.begin(n, true)
	}
	for w.err == nil && len(w.ops) > 0 {
		if op := w.ops[0]; w.queue.len() == 0 || engine.Instant(op.At) <= w.queue.next() {
			w.now, w.ops = engine.Instant(op.At), w.ops[1:]
			w.operate(op)
			continue
		}
		h := w.queue.take()
		w.now = h.at
		w.happen(&h)
	}
	r := Result{Elapsed: time.Duration(w.now), Steps: w.steps, Trace: w.trace, Reasons: w.reasons}
	for _, n := range w.nodes {
		r.Borne += n.borne + n.monitor.borne
		r.Waited += n.waited + n.monitor.waited
	}
	return r, w.err
}

func (w *World) calm() bool { return w.loss == 0 && w.duplication == 0 }

func (w *World) happen(h *happening) {
	n := w.nodes[h.node]
	switch {
	case h.kind == operation:
		w.operate(h.op)
	case !n.running || h.life != n.life:
	case h.kind == wakeup:
		w.wakeup(n)
	case h.kind == arrival:
		w.arrives(n, h)
	case h.kind == refusal:
		if n.refused {
			w.step(n, w.now, engine.Refused{})
		}
	}
}

// fail notes the first violation, with the state of the LAN.
func (w *World) fail(format string, args ...any) {
	if w.err != nil {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "at %s: ", time.Duration(w.now))
	fmt.Fprintf(&b, format, args...)
	for _, n := range w.nodes {
		fmt.Fprintf(&b, "\n\t%s", n)
	}
	w.err = fmt.Errorf("%s", b.String())
}

// operate does one op.
func (w *World) operate(op Op) {
	w.settled = w.settled && harmless[op.Verb]
	switch op.Verb {
	case "lan":
		w.loss, w.duplication, w.delay = op.Args[0], op.Args[1], time.Duration(op.Args[2])*time.Microsecond
	case "partition":
		for i, n := range w.nodes {
			n.segment = op.Args[i]
		}
	case "calm":
		w.loss, w.duplication = 0, 0
		for _, n := range w.nodes {
			n.refuse = 0
			w.resume(n)
		}
	case "check":
		w.check()
		w.settled = true
	case "kill", "leave":
		w.removeActives(op.Verb == "kill")
	case "watch":
		w.nodes[op.Args[0]].watched = true
	case "taken":
		w.taken(op.Args[0])
	case "respawned":
		w.respawned(w.nodes[op.Args[0]], op.Args[1])
	default:
		w.operateNode(w.nodes[op.Args[0]], op)
	}
}

// resume ends a stall.
func (w *World) resume(n *node) {
	if n.running && n.stalled != 0 {
		n.stalled = w.now
		w.wakeup(n)
	}
}

func (w *World) operateNode(n *node, op Op) {
	if op.Verb != "clock" {
		w.resume(n)
	}
	switch {
	case op.Verb == "refuse":
		n.refuse = op.Args[1]
	case op.Verb == "restart":
		if !n.running {
			n.holds = false
			w.begin(n, true)
			w.startup(n)
		}
	case op.Verb == "renumber":
		n.renumber(op.Args[1])
		if _, _, begun := n.machine.Deadline(); n.running && begun {
			w.startup(n)
		}
	case op.Verb == "up":
		n.link = true
		w.startup(n)
	case op.Verb == "down":
		if n.running && n.link {
			w.step(n, w.now, engine.InterfaceDown{})
		}
		n.link = false
	case op.Verb == "clock":
		n.wall += time.Duration(op.Args[1]) * time.Millisecond
		n.unread += time.Duration(op.Args[1]) * time.Millisecond
	case op.Verb == "crash":
		w.end(n, false)
	case !n.running:
	case op.Verb == "start":
		w.startup(n)
	case op.Verb == "shutdown":
		w.step(n, w.now, engine.Shutdown{})
	case op.Verb == "respawn":
		w.end(n, true)
		after := w.now.Add(time.Duration(op.Args[1]) * time.Millisecond)
		w.queue.add(happening{at: after, kind: operation, op: Op{Verb: "respawned", Args: []int{n.index, n.life}}})
	case op.Verb == "stall", (op.Verb == "nap" || op.Verb == "flood") && n.machine.State() == engine.Backup:
		n.flooded = op.Verb == "flood"
		n.stalled = w.now.Add(time.Duration(op.Args[1]) * time.Millisecond)
		w.queue.add(happening{at: n.stalled, node: n.index, life: n.life, kind: wakeup})
	case op.Verb == "revoke" && n.holds:
		n.holds = false
		w.step(n, w.now, engine.Revoked{})
	}
}

func (w *World) startup(n *node) {
	if n.running && n.link {
		w.step(n, w.now, engine.Startup{Primary: n.primary})
	}
}

// respawned puts a fresh process on a node whose old one died in that life.
func (w *World) respawned(n *node, life int) {
	if n.running || n.life != life {
		return
	}
	w.begin(n, false)
	if n.holds && n.link {
		w.step(n, w.now, engine.Restore{Primary: n.primary})
		return
	}
	n.holds = false
	w.startup(n)
	if n.started && n.link && n.machine.State() == engine.Initialize {
		w.fail("router %d waits once more for Startup_Delay", n.index)
	}
}
