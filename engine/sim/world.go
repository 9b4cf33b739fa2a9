package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
)

// World runs a scenario.
type World struct {
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
}

// Result is what a run says besides whether it failed.
type Result struct {
	Elapsed time.Duration // virtual
	Steps   int
	Trace   uint64                    // a hash of every action of every router and its instant
	Reasons [engine.LeaseLost + 1]int // transitions by reason
}

// Run runs the scenario to its last op and returns the first violation.
func Run(s Scenario) (Result, error) {
	return newWorld(s, func(c engine.Config) Machine { return engine.New(c) }).run(s)
}

func newWorld(s Scenario, newMachine func(engine.Config) Machine) *World {
	w := &World{random: prng(s.Seed), newMachine: newMachine}
	for i, c := range s.Routers {
		w.nodes = append(w.nodes, &node{index: i, config: c, primary: primaryOf(i), link: true,
			heard: make([]engine.Instant, len(s.Routers))})
	}
	for _, op := range s.Ops {
		w.queue.add(happening{at: engine.Instant(op.At), kind: operation, op: op})
	}
	return w
}

func (w *World) run(s Scenario) (Result, error) {
	var end engine.Instant
	if len(s.Ops) > 0 {
		end = engine.Instant(s.Ops[len(s.Ops)-1].At)
	}
	for _, n := range w.nodes {
		w.begin(n)
	}
	for w.err == nil && w.queue.Len() > 0 {
		h := w.queue.take()
		if h.at > end {
			break
		}
		w.now = h.at
		w.happen(h)
	}
	return Result{Elapsed: time.Duration(w.now), Steps: w.steps, Trace: w.trace, Reasons: w.reasons}, w.err
}

func (w *World) calm() bool { return w.loss == 0 && w.duplication == 0 }

func (w *World) happen(h happening) {
	n := w.nodes[h.node]
	switch {
	case h.kind == operation:
		w.operate(h.op)
	case !n.running || h.life != n.life:
	case h.kind == wakeup:
		w.wakeup(n)
	case h.kind == arrival && n.stalled > w.now:
		n.inbox = append(n.inbox, h)
	case h.kind == arrival:
		w.hear(n, h.at, h.adv)
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
	w.settled = false
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
	w.resume(n)
	starting := n.running && n.machine.State() == engine.Initialize
	switch {
	case op.Verb == "refuse":
		n.refuse = op.Args[1]
	case op.Verb == "restart":
		if !n.running {
			n.holds = false
			w.begin(n)
			w.startup(n)
		}
	case op.Verb == "renumber":
		n.primary = primaryOf(op.Args[1])
		if n.running && !starting {
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
	case op.Verb == "stall":
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
	w.begin(n)
	if n.holds && n.link {
		w.step(n, w.now, engine.Restore{Primary: n.primary})
		return
	}
	n.holds = false
	w.startup(n)
}
