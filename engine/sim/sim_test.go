package sim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rvrrpd/rvrrpd/engine"
)

// ordinary is the virtual time of an ordinary test run, enough to meet every
// kind of transition many times.
const ordinary = 1500 * time.Hour

var (
	soak   = flag.Duration("soak", ordinary, "virtual time to simulate")
	seed   = flag.Uint64("seed", 1, "first seed")
	script = flag.String("script", "", "scenario file that TestReplay runs")
)

// TestSimulation runs the scenarios of one seed after the other until enough
// virtual time has passed. A failure prints a script; put it into a file and
// run it with go test ./engine/sim -run TestReplay -script FILE. For a soak:
// go test ./engine/sim -run TestSimulation -soak 100000h -timeout 0 -seed 1.
func TestSimulation(t *testing.T) {
	t.Parallel()
	var elapsed time.Duration
	steps, s := 0, *seed
	var reasons [engine.LeaseLost + 1]int
	for ; elapsed < *soak; s++ {
		scenario := Generate(s)
		result, err := Run(scenario)
		if err != nil {
			small := Shrink(scenario, func(s Scenario) bool { _, err := Run(s); return err != nil })
			_, smallErr := Run(small)
			t.Fatalf("seed %d: %v\n\nwith fewer faults: %v\n\n%s", s, err, smallErr, small)
		}
		elapsed += result.Elapsed
		steps += result.Steps
		for reason, n := range result.Reasons {
			reasons[reason] += n
		}
	}
	t.Logf("%d scenarios, %s, %d steps", s-*seed, elapsed.Round(time.Hour), steps)
	for reason := engine.Started; reason <= engine.LeaseLost; reason++ {
		t.Logf("%7d transitions for %s", reasons[reason], reason)
		if *soak >= ordinary && reasons[reason] < 10 {
			t.Errorf("%s: simulated %d times, want 10 or more", reason, reasons[reason])
		}
	}
}

// TestReplay runs the scenarios in testdata, and the one named by -script.
func TestReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata: no scenarios: %v", err)
	}
	if *script != "" {
		files = append(files, *script)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := ParseScenario(string(text))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if _, err := Run(s); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		})
	}
}

// TestSameScenarioSameTrace: the engine and the bench are functions, and a
// scenario survives being written and read.
func TestSameScenarioSameTrace(t *testing.T) {
	t.Parallel()
	traces := map[uint64]bool{}
	for s := range uint64(5) {
		scenario := Generate(s)
		again, err := ParseScenario(scenario.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(scenario.String(), again.String()); diff != "" {
			t.Errorf("seed %d: written and read (-want +got):\n%s", s, diff)
		}
		first, _ := Run(scenario)
		second, _ := Run(again)
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("seed %d: two runs (-first +second):\n%s", s, diff)
		}
		traces[first.Trace] = true
	}
	if len(traces) != 5 {
		t.Errorf("traces of 5 seeds: %d different", len(traces))
	}
}

// TestParseScenarioRefuses: what is not a scenario is not half run.
func TestParseScenarioRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"seed x", "router version=", "router colour=red", "1s", "router\n1s explode 0", "router\n1s start",
		"router\n1s start 1", "router\n1s start x", "router\n1s partition 1", "router\n2s calm\n1s calm", "router\nx calm",
	} {
		if _, err := ParseScenario(text); err == nil {
			t.Errorf("scenario %q: accepted", text)
		}
	}
}

// faulty is a virtual router with a fault built in.
type faulty struct {
	*engine.VirtualRouter
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
		{"announces nothing", faulty{does: func(a engine.Action) bool {
			_, announce := a.(engine.Announce)
			return !announce
		}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := hunt(tt.fault, false); err == nil {
				t.Error("monitor: not found")
			}
			if tt.lan == "" {
				return
			}
			if err := hunt(tt.fault, true); err == nil || !strings.Contains(err.Error(), tt.lan) {
				t.Errorf("LAN: got %v, want %q", err, tt.lan)
			}
		})
	}
}

// hunt runs a few seeds with every router faulty until one fails.
func hunt(fault faulty, unmonitored bool) error {
	for s := range uint64(60) {
		scenario := Generate(s)
		w := newWorld(scenario, func(c engine.Config) Machine {
			f := fault
			f.VirtualRouter = engine.New(c)
			return f
		})
		w.unmonitored = unmonitored
		if _, err := w.run(scenario); err != nil {
			return fmt.Errorf("seed %d: %w", s, err)
		}
	}
	return nil
}

// TestShrink: what is left of a failing scenario still fails, and nothing in
// it is superfluous.
func TestShrink(t *testing.T) {
	t.Parallel()
	s := Generate(3)
	crashes := func(s Scenario) int { return strings.Count(s.String(), " crash ") }
	if crashes(s) < 2 {
		t.Fatalf("seed 3 has %d crashes, need 2", crashes(s))
	}
	small := Shrink(s, func(s Scenario) bool { return crashes(s) >= 2 })
	if crashes(small) != 2 || strings.Contains(small.String(), "stall") {
		t.Errorf("shrunk to:\n%s", small)
	}
}
