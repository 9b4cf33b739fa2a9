package sim

import (
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
)

// Implementation constants: how long a generated LAN is left alone, in its
// longest interval. A takeover takes at most 3 + 1, and one wrong takeover may
// come before the right one; a refusal adds up to 32 * 4.
const (
	calmTime         = 12
	calmTimeRefusals = 150
	quietTime        = 200
)

// Generate makes the scenario of a seed: 2 to 8 routers, and a few rounds of
// faults, calm, check, loss of the Active, check, and a long quiet time.
func Generate(seed uint64) Scenario {
	g := generator{random: prng(seed), scenario: Scenario{Seed: seed}}
	g.routers()
	for i := range g.scenario.Routers {
		g.op(g.random.duration(g.longest), "start", i)
	}
	for range 4 + g.random.below(6) {
		g.round()
	}
	return g.scenario
}

type generator struct {
	random   prng
	scenario Scenario
	at       time.Duration
	longest  time.Duration // AdverInterval of any router
	shortest time.Duration
	refusals bool
	delays   time.Duration // the longest Preempt_Delay and the longest Startup_Delay
}

func (g *generator) routers() {
	r := &g.random
	c := engine.Config{Version: pick(r, engine.V2, engine.V3), AnnounceRepeat: 5}
	base := pick(r, 10*time.Millisecond, 100*time.Millisecond, time.Second, time.Second, time.Second, 3*time.Second)
	if c.Version == engine.V2 {
		base = pick(r, time.Second, time.Second, 5*time.Second, 30*time.Second)
	}
	mixed := c.Version == engine.V3 && r.chance(40)
	preempt := pick(r, 100, 100, 50, 0)
	g.refusals = r.chance(20)
	g.shortest = base
	for range 2 + r.below(7) {
		c.AdverInterval = base
		if mixed {
			c.AdverInterval = base * time.Duration(pick(r, 1, 2, 5, 10))
		}
		c.Priority = pick(r, 1, 50, 99, 100, 100, 101, 150, 200, 254, uint8(1+r.below(254)))
		c.PreemptMode = r.chance(preempt)
		c.AnnounceDelay = time.Duration(r.below(3)) * 5 * c.AdverInterval
		g.longest = max(g.longest, c.AdverInterval)
		g.scenario.Routers = append(g.scenario.Routers, c)
	}
	if r.chance(30) {
		g.delay()
	}
	if r.chance(20) {
		g.scenario.Routers[0].Priority = engine.PriorityOwner
	}
	if r.chance(5) {
		g.scenario.Routers[1].Priority = engine.PriorityOwner
	}
}

// delay gives some routers a Preempt_Delay and all, or some, a Startup_Delay.
func (g *generator) delay() {
	r := &g.random
	var preempt, startup time.Duration
	common := pick(r, 0, 0, r.duration(10*g.longest))
	for i := range g.scenario.Routers {
		c := &g.scenario.Routers[i]
		c.PreemptDelay = pick(r, 0, r.duration(3*g.longest), r.duration(30*g.longest))
		c.StartupDelay = pick(r, common, common, r.duration(10*g.longest))
		preempt, startup = max(preempt, c.PreemptDelay), max(startup, c.StartupDelay)
	}
	g.delays = preempt + startup
}

// op adds an op the given time after the last one.
func (g *generator) op(after time.Duration, verb string, args ...int) {
	g.at += after
	g.scenario.Ops = append(g.scenario.Ops, Op{At: g.at, Verb: verb, Args: args})
}

func (g *generator) round() {
	r := &g.random
	calm := calmTime*g.longest + g.delays
	if g.refusals {
		calm = calmTimeRefusals*g.longest + g.delays
	}
	// A frame's way is short against the shortest interval.
	g.op(0, "lan", pick(r, 0, 0, 5, 30, 90), pick(r, 0, 0, 10), r.below(int(g.shortest/time.Microsecond/20)))
	for range r.below(25) {
		g.fault()
	}
	g.op(0, "calm")
	g.op(calm, "check")
	if r.chance(60) {
		g.op(r.duration(g.longest), pick(r, "kill", "leave"))
		g.op(calm, "check")
	}
	g.quiet()
	for i := range g.scenario.Routers {
		if r.chance(80) {
			g.op(0, pick(r, "restart", "start", "up"), i)
		}
	}
}

// quiet leaves the settled LAN alone but for what is harmless: steps of the wall
// clock, and Backups that are not scheduled for longer than any
// Active_Down_Interval, with or without a flood, and both at once.
func (g *generator) quiet() {
	r := &g.random
	for range r.below(6) {
		n := r.below(len(g.scenario.Routers))
		lasts, stepped := r.below(g.down()*2), r.chance(40)
		if r.chance(60) {
			g.op(r.duration(2*g.longest), pick(r, "nap", "nap", "flood"), n, lasts)
			if stepped { // before it wakes up
				g.op(time.Duration(lasts)*time.Millisecond*9/10, "clock", n, g.step())
			}
			continue
		}
		g.op(r.duration(2*g.longest), "clock", n, g.step())
	}
	g.op(quietTime*g.longest, "check")
}

// down is an Active_Down_Interval, no shorter than any, in milliseconds.
func (g *generator) down() int { return int(4 * g.longest / time.Millisecond) }

// step is by how much a wall clock is stepped, in milliseconds: up to two
// Active_Down_Intervals on or back, or to another day.
func (g *generator) step() int {
	return pick(&g.random, 1, 1, 1, 1000) * (g.random.below(4*g.down()+1) - 2*g.down())
}

func (g *generator) fault() {
	r := &g.random
	n := r.below(len(g.scenario.Routers))
	after := r.duration(3 * g.longest)
	down := g.down()
	switch verb := pick(r, "crash", "restart", "restart", "shutdown", "start", "start", "down", "up", "up",
		"respawn", "stall", "stall", "flood", "clock", "revoke", "renumber", "partition", "partition", "refuse"); verb {
	case "respawn":
		g.op(after, verb, n, r.below(int(g.longest/time.Millisecond)))
	case "stall", "flood":
		g.op(after, verb, n, r.below(pick(r, down/8, 3*down)+1))
	case "clock":
		g.op(after, verb, n, g.step())
	case "renumber":
		g.op(after, verb, n, n+8*(1+r.below(8)))
	case "refuse":
		if g.refusals {
			g.op(after, verb, n, 1+r.below(2))
		}
	case "partition":
		segments := make([]int, len(g.scenario.Routers))
		if r.chance(60) {
			for i := range segments {
				segments[i] = r.below(min(3, len(segments)))
			}
		}
		g.op(after, verb, segments...)
	default:
		g.op(after, verb, n)
	}
}

// Shrink returns a scenario that still fails, with the faults left out that it
// does not take to fail.
func Shrink(s Scenario, fails func(Scenario) bool) Scenario {
	for changed := true; changed; {
		changed = false
		for i := len(s.Ops) - 1; i >= 0; i-- {
			if v := s.Ops[i].Verb; v == "calm" || v == "check" && i == len(s.Ops)-1 {
				continue // without them nothing needs to hold
			}
			fewer := s
			fewer.Ops = slices.Delete(slices.Clone(s.Ops), i, i+1)
			if fails(fewer) {
				s, changed = fewer, true
			}
		}
	}
	return s
}
