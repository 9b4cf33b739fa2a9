package sim

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rvrrpd/rvrrpd/engine"
)

// ordinary is the virtual time of an ordinary test run, enough to meet every
// kind of transition many times.
const ordinary = 1000 * time.Hour

var (
	soak   = flag.Duration("soak", ordinary, "virtual time to simulate, at one advertisement a second or more")
	seed   = flag.Uint64("seed", 1, "first seed")
	script = flag.String("script", "", "scenario file that TestReplay runs")
)

// TestSimulation runs the scenarios of one seed after the other, as many at a
// time as there are processors, until enough virtual time has passed. A failure
// prints a script; put it into a file and run it with
// go test ./engine/sim -run TestReplay -script FILE. For a soak:
// go test ./engine/sim -run TestSimulation -soak 100000h -timeout 0 -seed 1.
func TestSimulation(t *testing.T) {
	var all total
	var next atomic.Uint64
	next.Store(*seed)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for s := next.Add(1) - 1; !all.enough(*soak); s = next.Add(1) - 1 {
				scenario := Generate(s)
				result, err := Run(scenario)
				all.add(s, scenario, result, err)
			}
		})
	}
	workers.Wait()
	if all.err != nil {
		s := Generate(all.failed)
		small := Shrink(s, func(s Scenario) bool { _, err := Run(s); return err != nil })
		_, smallErr := Run(small)
		t.Fatalf("seed %d: %v\n\nwith fewer faults: %v\n\n%s", all.failed, all.err, smallErr, small)
	}
	all.report(t)
	if *soak < ordinary {
		return
	}
	for reason := engine.Started; reason <= engine.LeaseLost; reason++ {
		if all.Reasons[reason] < 10 {
			t.Errorf("%s: simulated %d times, want 10 or more", reason, all.Reasons[reason])
		}
	}
	if all.Borne < 100 || all.Waited < 100 {
		t.Errorf("delays: %d advertisements borne, %d starts put off, want 100 or more", all.Borne, all.Waited)
	}
}

// total is the sum of many results, and the first failure.
type total struct {
	mutex sync.Mutex
	Result
	counted time.Duration // of Elapsed, see add
	runs    int
	failed  uint64
	err     error
}

func (a *total) enough(soak time.Duration) bool {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.err != nil || a.counted >= soak
}

// add adds the result of a seed. Where routers advertise less often than every
// second, the time counts only for what it would be if they did.
func (a *total) add(seed uint64, s Scenario, r Result, err error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if err != nil && (a.err == nil || seed < a.failed) {
		a.failed, a.err = seed, err
	}
	slowest := time.Second
	for _, c := range s.Routers {
		slowest = max(slowest, c.AdverInterval)
	}
	a.counted += time.Duration(float64(r.Elapsed) * float64(time.Second) / float64(slowest))
	a.runs++
	a.Elapsed += r.Elapsed
	a.Steps += r.Steps
	a.Borne += r.Borne
	a.Waited += r.Waited
	for reason, n := range r.Reasons {
		a.Reasons[reason] += n
	}
}

func (a *total) report(t *testing.T) {
	t.Logf("%d scenarios, %s, counted as %s, %d steps", a.runs, a.Elapsed.Round(time.Hour), a.counted.Round(time.Hour), a.Steps)
	for reason := engine.Started; reason <= engine.LeaseLost; reason++ {
		t.Logf("%8d transitions for %s", a.Reasons[reason], reason)
	}
	t.Logf("%8d advertisements borne for Preempt_Delay", a.Borne)
	t.Logf("%8d starts put off by Startup_Delay", a.Waited)
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
