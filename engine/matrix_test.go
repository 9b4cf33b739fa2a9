package engine_test

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/engine/sim"
)

const matrixFile = "../docs/states.md"

const matrixHeader = `# What every event does in every state

Written by ` + "`go test ./engine -run TestMatrix -update`" + ` from what the engine does; the test fails when this file is stale.
Actions stand in the order in which they are done. RFC 9568 §6.4 (RFC 3768 §6.4 for version 2) is the authority.

Our priority is 100, or 255 where it says owner; our interval is 1 s, our address 192.0.2.5. The advertisements received say 3 s,
so that learning shows. Learned means that Active_Down_Interval is computed from the sender's interval, else it is from our own.
Where a condition is not mentioned it makes no difference: version (v2, v3), Preempt_Mode (preempt, no preempt), owner or not.
Preempt_Delay and Startup_Delay are 0 but where a heading says otherwise.
`

// variant is one configuration of the matrix.
type variant struct{ v3, preempt, owner bool }

func (v variant) config() engine.Config {
	c := engine.Config{
		Version: engine.V2, Priority: 100, AdverInterval: time.Second, PreemptMode: v.preempt,
		AnnounceRepeat: 5, AnnounceDelay: 1500 * time.Millisecond,
	}
	if v.v3 {
		c.Version = engine.V3
	}
	if v.owner {
		c.Priority = engine.PriorityOwner
	}
	return c
}

func variants() []variant {
	var all []variant
	for i := range 8 {
		all = append(all, variant{v3: i&1 != 0, preempt: i&2 != 0, owner: i&4 != 0})
	}
	return all
}

var matrixPrimary = netip.MustParseAddr("192.0.2.5")

// Instants of the matrix, all on the advertisement grid.
const (
	tBackup  = engine.Instant(0)
	tActive  = engine.Instant(5 * time.Second)
	tShortly = 500 * time.Millisecond
)

// matrixState is a row heading: how to get there, and the instant it began.
type matrixState struct {
	name  string
	since engine.Instant
	enter func(step stepFunc)
	delay func(c *engine.Config)
}

// stepFunc does one step, holds it against the monitor and returns its actions.
type stepFunc func(at engine.Instant, ev engine.Event) []engine.Action

// monitored returns a new virtual router and how to step it.
func monitored(t testing.TB, c engine.Config) (*engine.VirtualRouter, stepFunc) {
	vr, monitor := engine.New(c), sim.NewMonitor(c)
	return vr, func(at engine.Instant, ev engine.Event) []engine.Action {
		t.Helper()
		actions := vr.Step(at, ev, nil)
		if err := monitor.Check(at, ev, vr, actions); err != nil {
			t.Fatalf("%s: %v", sim.FormatConfig(c), err)
		}
		return actions
	}
}

func matrixStates() []matrixState {
	backup := func(step stepFunc) {
		step(tBackup, engine.Startup{Primary: matrixPrimary})
		step(tBackup, engine.Revoked{}) // the owner starts as Active
	}
	active := func(step stepFunc) {
		backup(step)
		step(tActive, engine.Tick{})
	}
	hearsLower := func(step stepFunc) {
		backup(step)
		lower := advertisement("192.0.2.9", 99)
		lower.AdverInterval = time.Second
		step(tBackup, lower)
	}
	none := func(*engine.Config) {}
	startup := func(d time.Duration) func(*engine.Config) {
		return func(c *engine.Config) { c.StartupDelay = d }
	}
	preempt := func(d time.Duration) func(*engine.Config) {
		return func(c *engine.Config) { c.PreemptDelay = d }
	}
	return []matrixState{
		{"Initialize", 0, func(stepFunc) {}, none},
		{"Initialize, before the first Startup, Startup_Delay 1 s", 0, func(stepFunc) {}, startup(time.Second)},
		{"Initialize, a start waits for Startup_Delay 1 s", 0, func(step stepFunc) {
			step(0, engine.Startup{Primary: matrixPrimary})
		}, startup(time.Second)},
		{"Backup", tBackup, backup, none},
		{"Backup, after a priority-0 advertisement", tBackup, func(step stepFunc) {
			backup(step)
			step(tBackup, advertisement("192.0.2.9", 0))
		}, none},
		{"Backup, since a lower priority was heard, Preempt_Delay 10 s", tBackup, hearsLower, preempt(10 * time.Second)},
		{"Backup, since a lower priority was heard, Preempt_Delay 0.5 s", tBackup, hearsLower, preempt(tShortly)},
		{"Backup, holding back after a refusal", tActive, func(step stepFunc) {
			active(step)
			step(tActive, engine.Refused{})
		}, none},
		{"Active", tActive, active, none},
	}
}

func advertisement(source string, priority uint8) engine.Advertisement {
	return engine.Advertisement{
		Source: netip.MustParseAddr(source), Priority: priority, AdverInterval: 3 * time.Second,
	}
}

// matrixEvent is a row: the event, and how long after the state began.
type matrixEvent struct {
	name  string
	after time.Duration
	event func(c engine.Config) engine.Event
}

// missedAll says that anything may have been lost until now.
var missedAll = engine.Missed{Until: engine.Instant(time.Hour)}

func matrixEvents() []matrixEvent {
	always := func(ev engine.Event) func(engine.Config) engine.Event {
		return func(engine.Config) engine.Event { return ev }
	}
	adv := func(source string, priority func(own uint8) uint8) func(engine.Config) engine.Event {
		return func(c engine.Config) engine.Event { return advertisement(source, priority(c.Priority)) }
	}
	is := func(p uint8) func(uint8) uint8 { return func(uint8) uint8 { return p } }
	same := func(own uint8) uint8 { return own }
	return []matrixEvent{
		{"Startup", tShortly, always(engine.Startup{Primary: matrixPrimary})},
		{"Restore", tShortly, always(engine.Restore{Primary: matrixPrimary})},
		{"Shutdown", tShortly, always(engine.Shutdown{})},
		{"interface down", tShortly, always(engine.InterfaceDown{})},
		{"Tick after 0.5 s", tShortly, always(engine.Tick{})},
		{"Tick after 1 s", time.Second, always(engine.Tick{})},
		{"Tick after 1.5 s", 1500 * time.Millisecond, always(engine.Tick{})},
		{"Tick after 8 s", 8 * time.Second, always(engine.Tick{})},
		{"advertisement, priority 0", tShortly, adv("192.0.2.9", is(0))},
		{"advertisement, lower priority", tShortly, adv("192.0.2.9", func(own uint8) uint8 { return own - 1 })},
		{"advertisement, our priority, smaller address", tShortly, adv("192.0.2.4", same)},
		{"advertisement, our priority, greater address", tShortly, adv("192.0.2.6", same)},
		{"advertisement, our priority, our address", tShortly, adv("192.0.2.5", same)},
		{"advertisement, priority 254", tShortly, adv("192.0.2.4", is(254))},
		{"advertisement, priority 255, smaller address", tShortly, adv("192.0.2.4", is(255))},
		{"advertisement, priority 255, greater address", tShortly, adv("192.0.2.6", is(255))},
		{"Missed after 0.5 s", tShortly, always(missedAll)},
		{"Missed after 8 s", 8 * time.Second, always(missedAll)},
		{"Refused", tShortly, always(engine.Refused{})},
		{"Revoked", tShortly, always(engine.Revoked{})},
	}
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	out.WriteString(matrixHeader)
	for _, state := range matrixStates() {
		fmt.Fprintf(&out, "\n## %s\n\n| event | when | what happens |\n|---|---|---|\n", state.name)
		for _, event := range matrixEvents() {
			name := event.name
			for _, g := range matrixRow(t, state, event) {
				fmt.Fprintf(&out, "| %s | %s | %s |\n", name, g.when(), g.outcome)
				name = ""
			}
		}
	}
	if *update {
		if err := os.WriteFile(matrixFile, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(matrixFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("%s is stale; run go test ./engine -run TestMatrix -update (-file +engine):\n%s", matrixFile, diff)
	}
}

// matrixRow runs one event in one state in every variant, holds each against
// the monitor, and groups the variants by outcome.
func matrixRow(t *testing.T, state matrixState, event matrixEvent) []*group {
	t.Helper()
	var groups []*group
	for _, v := range variants() {
		c := v.config()
		state.delay(&c)
		vr, step := monitored(t, c)
		state.enter(step)
		outcome := outcomeOf(t, vr, step, c, state.since.Add(event.after), event.event(c))
		i := slices.IndexFunc(groups, func(g *group) bool { return g.outcome == outcome })
		if i < 0 {
			i, groups = len(groups), append(groups, &group{outcome: outcome})
		}
		groups[i].members = append(groups[i].members, v)
	}
	return groups
}

// outcomeOf steps and describes actions, state and timers.
func outcomeOf(t *testing.T, vr *engine.VirtualRouter, step stepFunc, c engine.Config, now engine.Instant, ev engine.Event) string {
	t.Helper()
	before, _, waited := vr.Deadline()
	from := vr.State()
	actions := step(now, ev)
	var parts []string
	for _, a := range actions {
		text := sim.FormatAction(a)
		if change, ok := a.(engine.StateChanged); ok {
			text = fmt.Sprintf("**%s** (%s)", change.To, change.Reason)
		}
		parts = append(parts, strings.Replace(text, fmt.Sprintf("send %d", c.Priority), "send", 1))
	}
	at, takeover, ok := vr.Deadline()
	switch {
	case from == engine.Initialize && vr.State() == from && ok && !waited:
		parts = append(parts, fmt.Sprintf("starts in %s", at.Sub(now)))
	case from == engine.Initialize && waited && !ok:
		parts = append(parts, "does not start")
	case !ok || at == before && from == vr.State():
	case takeover:
		parts = append(parts, "Active_Down_Timer = "+nameOf(t, c, at.Sub(now)))
	default:
		parts = append(parts, fmt.Sprintf("next timer in %s", at.Sub(now)))
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

// nameOf names a setting of the Active_Down_Timer in the words of the RFC.
func nameOf(t *testing.T, c engine.Config, d time.Duration) string {
	t.Helper()
	skew := func(interval time.Duration) time.Duration {
		if c.Version == engine.V2 {
			interval = time.Second
		}
		return interval * time.Duration(256-int(c.Priority)) / 256
	}
	down := 3*time.Second + skew(time.Second)
	switch d {
	case down:
		return "Active_Down_Interval"
	case 9*time.Second + skew(3*time.Second):
		return "Active_Down_Interval (learned)"
	case skew(time.Second):
		return "Skew_Time"
	case 2 * down:
		return "2 x Active_Down_Interval"
	}
	t.Errorf("Active_Down_Timer: %s has no name", d)
	return d.String()
}
