package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
)

// faulty is a virtual router with a fault built in.
type faulty struct {
	*engine.VirtualRouter
	config   func(c *engine.Config)
	deadline func(at engine.Instant, s engine.State) engine.Instant
	hears    func(ev engine.Event, s engine.State) bool
	does     func(a engine.Action) bool
}

func (f faulty) Deadline() (engine.Instant, bool, bool) {
	at, takeover, ok := f.VirtualRouter.Deadline()
	if f.deadline != nil {
		at = f.deadline(at, f.State())
	}
	return at, takeover, ok
}

func (f faulty) Step(now engine.Instant, ev engine.Event, actions []engine.Action) []engine.Action {
	if f.hears != nil && !f.hears(ev, f.State()) {
		return actions
	}
	if _, tick := ev.(engine.Tick); tick && f.deadline != nil {
		at, _, _ := f.VirtualRouter.Deadline()
		now = max(now, at) // its own clock is wrong
	}
	before := len(actions)
	actions = f.VirtualRouter.Step(now, ev, actions)
	kept := actions[:before]
	for _, a := range actions[before:] {
		if f.does == nil || f.does(a) {
			kept = append(kept, a)
		}
	}
	return kept
}

// TestSimulationFinds: the bench finds faults of every kind, the monitor and,
// with the monitor switched off, the LAN.
func TestSimulationFinds(t *testing.T) {
	t.Parallel()
	isAdv := func(ev engine.Event) (engine.Advertisement, bool) { a, ok := ev.(engine.Advertisement); return a, ok }
	tests := []struct {
		name  string
		fault faulty
		lan   string // what the LAN reports, monitor off; "" where only the monitor sees it
	}{
		{"never yields", faulty{hears: func(ev engine.Event, s engine.State) bool {
			_, ok := isAdv(ev)
			return !ok || s != engine.Active
		}}, "Actives"},
		{"deaf to goodbyes", faulty{hears: func(ev engine.Event, s engine.State) bool {
			a, ok := isAdv(ev)
			return !ok || s != engine.Backup || a.Priority != 0
		}}, "no Active in time"},
		{"deaf Backup", faulty{hears: func(ev engine.Event, s engine.State) bool {
			_, ok := isAdv(ev)
			return !ok || s != engine.Backup
		}}, "with nothing wrong"},
		{"keeps the addresses", faulty{does: func(a engine.Action) bool {
			return a != engine.Action(engine.Release{})
		}}, "holds=true"},
		{"takes over late", faulty{deadline: func(at engine.Instant, s engine.State) engine.Instant {
			if s == engine.Backup {
				at = at.Add(20 * time.Millisecond)
			}
			return at
		}}, "no Active in time"},
		{"takes over early", faulty{deadline: func(at engine.Instant, s engine.State) engine.Instant {
			if s == engine.Backup {
				at = at.Add(-20 * time.Millisecond)
			}
			return at
		}}, ""},
		{"goodbye forgotten", faulty{does: func(a engine.Action) bool {
			return a != engine.Action(engine.SendAdvertisement{Priority: 0})
		}}, "no Active in time"},
		{"forgets Preempt_Delay", faulty{config: func(c *engine.Config) { c.PreemptDelay = 0 }}, ""},
		{"never preempts", faulty{config: func(c *engine.Config) { c.PreemptDelay = 1000 * time.Hour }}, "preempts"},
		{"forgets Startup_Delay", faulty{config: func(c *engine.Config) { c.StartupDelay = 0 }}, ""},
		{"never starts", faulty{config: func(c *engine.Config) { c.StartupDelay = 1000 * time.Hour }}, "still waits"},
		{"announces nothing", faulty{does: func(a engine.Action) bool {
			_, announce := a.(engine.Announce)
			return !announce
		}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := hunt(tt.fault, func(*World) {}, ""); err == nil {
				t.Error("monitor: not found")
			}
			if tt.lan == "" {
				return
			}
			if err := hunt(tt.fault, func(w *World) { w.unmonitored = true }, tt.lan); err == nil {
				t.Errorf("LAN: not found: %q", tt.lan)
			}
		})
	}
}

// TestSimulationNeeds: what surrounds the engine has to do its part, and the
// bench finds when it does not.
func TestSimulationNeeds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault func(*World)
		want  string
	}{
		{"frames heard before timers fire", func(w *World) { w.hasty = true }, "with nothing wrong"},
		{"losses told before timers fire", func(w *World) { w.careless = true }, "with nothing wrong"},
		{"steps of the wall clock noticed", func(w *World) { w.steady = true }, "with nothing wrong"},
		{"Startup_Delay once for a machine", func(w *World) { w.forgetful = true }, "waits once more"},
		{"stamps held between two reads", func(w *World) { w.trusting = true }, "has 0 Actives"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := hunt(faulty{}, tt.fault, tt.want); err == nil {
				t.Errorf("not found: %q", tt.want)
			}
		})
	}
}

// hunt runs seeds with every router faulty until one fails with want in its
// message.
func hunt(fault faulty, prepare func(*World), want string) error {
	for s := range uint64(60) {
		scenario := Generate(s)
		w := newWorld(scenario, func(c engine.Config) Machine {
			f := fault
			if f.config != nil {
				f.config(&c)
			}
			f.VirtualRouter = engine.New(c)
			return f
		})
		prepare(w)
		if _, err := w.run(scenario); err != nil && strings.Contains(err.Error(), want) {
			return fmt.Errorf("seed %d: %w", s, err)
		}
	}
	return nil
}
