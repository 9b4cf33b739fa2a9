package engine_test

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
)

func config(v engine.Version, priority uint8) engine.Config {
	return engine.Config{
		Version: v, Priority: priority, AdverInterval: time.Second, PreemptMode: true,
		AnnounceRepeat: 5, AnnounceDelay: 5 * time.Second,
	}
}

func seconds(s float64) engine.Instant { return engine.Instant(s * float64(time.Second)) }

// TestStepDoesNotAllocate: nothing that happens for every packet or every
// interval allocates, the caller's boxing of the event included.
func TestStepDoesNotAllocate(t *testing.T) {
	primary := netip.MustParseAddr("192.0.2.5")
	worse := engine.Advertisement{Source: netip.MustParseAddr("192.0.2.4"), Priority: 100, AdverInterval: time.Second}
	better := engine.Advertisement{Source: netip.MustParseAddr("192.0.2.6"), Priority: 200, AdverInterval: time.Second}
	borne := config(engine.V3, 150)
	borne.PreemptDelay = 1000 * time.Hour
	delayed := config(engine.V3, 150)
	delayed.StartupDelay = 1000 * time.Hour
	goodbye := engine.Advertisement{Source: netip.MustParseAddr("192.0.2.6"), AdverInterval: time.Second}
	tests := []struct {
		name   string
		config engine.Config
		active bool
		adv    engine.Advertisement // none: a tick at the deadline
	}{
		{"Backup hears the Active", config(engine.V3, 150), false, better},
		{"Backup hears a goodbye", config(engine.V3, 150), false, goodbye},
		{"Backup discards a loser", config(engine.V3, 150), false, worse},
		{"Backup bears a loser", borne, false, worse},
		{"a start waits", delayed, false, better},
		{"Active advertises", config(engine.V3, 150), true, engine.Advertisement{}},
		{"Active answers a loser", config(engine.V3, 150), true, worse},
		{"Active answers a goodbye", config(engine.V3, 150), true, goodbye},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vr := engine.New(tt.config)
			now := engine.Instant(0)
			actions := vr.Step(now, engine.Startup{Primary: primary}, make([]engine.Action, 0, 8))
			if tt.active {
				now, _, _ = vr.Deadline()
				actions = vr.Step(now, engine.Tick{}, actions[:0])
			}
			state := vr.State()
			sent := 0
			allocs := testing.AllocsPerRun(1000, func() {
				if tt.adv.Source.IsValid() {
					now = now.Add(150 * time.Millisecond)
					actions = vr.Step(now, tt.adv, actions[:0])
				} else {
					now, _, _ = vr.Deadline()
					actions = vr.Step(now, engine.Tick{}, actions[:0])
				}
				sent += len(actions)
			})
			if allocs != 0 {
				t.Errorf("allocations: got %v, want 0", allocs)
			}
			if vr.State() != state || tt.active != (sent >= 1001) {
				t.Errorf("case does not do what it says: %s->%s, %d actions", state, vr.State(), sent)
			}
		})
	}
}

// TestStormIsBounded: however much arrives, an Active sends at most one
// advertisement in nine hundredths of its interval; the last loser and the
// last goodbye are answered within a tenth.
func TestStormIsBounded(t *testing.T) {
	t.Parallel()
	for _, priority := range []uint8{0, 1, 99} {
		for _, version := range []engine.Version{engine.V2, engine.V3} {
			_, step := monitored(t, config(version, 255))
			adv := engine.Advertisement{Source: netip.MustParseAddr("192.0.2.4"), Priority: priority, AdverInterval: time.Second}
			step(0, engine.Startup{Primary: netip.MustParseAddr("192.0.2.5")})
			sent := 0
			var now, last engine.Instant
			for ; now <= seconds(100); now = now.Add(time.Millisecond) {
				for _, ev := range []engine.Event{adv, engine.Tick{}} {
					for _, a := range step(now, ev) {
						if _, ok := a.(engine.SendAdvertisement); ok {
							sent++
							if now.Sub(last) > 100*time.Millisecond && last > 0 && version == engine.V3 {
								t.Errorf("priority %d: no answer from %v to %v", priority, last, now)
							}
							last = now
						}
					}
				}
			}
			low, high := 1000, 1112
			if version == engine.V2 && priority > 0 {
				low, high = 99, 101
			}
			if sent < low || sent > high {
				t.Errorf("version %d, priority %d: %d advertisements in 100 s, want %d to %d", version, priority, sent, low, high)
			}
		}
	}
}

// TestRefusalsDouble: the time to hold back doubles up to a bound.
func TestRefusalsDouble(t *testing.T) {
	t.Parallel()
	vr, step := monitored(t, config(engine.V2, 100))
	step(0, engine.Startup{Primary: netip.MustParseAddr("192.0.2.5")})
	down, _, _ := vr.Deadline()
	for i, factor := range []engine.Instant{1, 2, 4, 8, 16, 32, 32, 32} {
		now, _, _ := vr.Deadline()
		step(now, engine.Tick{})
		step(now, engine.Refused{})
		if got, _, _ := vr.Deadline(); got-now != down*(factor+1) {
			t.Errorf("refusal %d: waits %v, want %v", i+1, got.Sub(now), time.Duration(down*(factor+1)))
		}
	}
}

// TestGrid: many routers that turn Active at any instant fall due in as many
// instants of the interval as it has slots, none later than the RFC's interval and
// none more than a slot earlier; after that every period is exact.
func TestGrid(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{10 * time.Millisecond, 70 * time.Millisecond, time.Second, 4095 * 10 * time.Millisecond} {
		for _, slots := range []int{0, 1, 8, 31, 100, 101} {
			phases, want := map[engine.Instant]bool{}, slots
			if slots == 0 || slots > 100 {
				want = 100
			}
			for i := range 2000 {
				c := config(engine.V3, 255)
				c.AdverInterval, c.Slots = interval, slots
				vr := engine.New(c)
				start := engine.Instant(i) * 7919 * 1013
				vr.Step(start, engine.Startup{Primary: netip.MustParseAddr("192.0.2.5")}, nil)
				vr.Step(start, engine.Tick{}, nil)
				first := nextAdvertisement(vr)
				if d := first.Sub(start); d > interval || d < interval-interval/time.Duration(want) {
					t.Fatalf("interval %s, %d slots: first period from %v is %s", interval, slots, start, d)
				}
				phases[first%engine.Instant(interval)] = true
				if second := nextAdvertisement(vr); second.Sub(first) != interval {
					t.Fatalf("interval %s, %d slots: second period is %s", interval, slots, second.Sub(first))
				}
			}
			if len(phases) > want+1 { // and what a division has left
				t.Errorf("interval %s, %d slots: %d phases", interval, slots, len(phases))
			}
		}
	}
}

// TestOtherSlots: an Active that is to have other slots goes on as it was, and one that is changed in
// another way besides has them at once.
func TestOtherSlots(t *testing.T) {
	t.Parallel()
	c := config(engine.V3, 255)
	vr := engine.New(c)
	start := engine.Instant(1234567891)
	vr.Step(start, engine.Startup{Primary: netip.MustParseAddr("192.0.2.5")}, nil)
	due := nextAdvertisement(vr)
	c.Slots = 1
	if actions := vr.Configure(due, c, nil); len(actions) > 0 {
		t.Errorf("says %v", actions)
	}
	if at, _, _ := vr.Deadline(); at.Sub(due) != c.AdverInterval {
		t.Errorf("next in %v", at.Sub(due))
	}
	c.Priority = 200
	vr.Configure(due+1, c, nil)
	if at, _, _ := vr.Deadline(); at%engine.Instant(c.AdverInterval) != 0 {
		t.Errorf("next at %d, which is not the beginning of an interval", at)
	}
}

// nextAdvertisement ticks until an advertisement is sent.
func nextAdvertisement(vr *engine.VirtualRouter) engine.Instant {
	for {
		at, _, _ := vr.Deadline()
		for _, a := range vr.Step(at, engine.Tick{}, nil) {
			if _, ok := a.(engine.SendAdvertisement); ok {
				return at
			}
		}
	}
}

// TestConfigIsBounded: no configuration makes the engine misbehave.
func TestConfigIsBounded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config engine.Config
		send   uint8
		within time.Duration // of the second advertisement
	}{
		{"zero", engine.Config{}, 1, 10 * time.Millisecond},
		{"v2 below a second", engine.Config{Version: engine.V2, Priority: 255, AdverInterval: 1}, 255, time.Second},
		{"v2 beyond an octet", engine.Config{Version: engine.V2, Priority: 255, AdverInterval: math.MaxInt64}, 255, 255 * time.Second},
		{"v3 beyond twelve bits", engine.Config{Version: engine.V3, Priority: 9, AdverInterval: math.MaxInt64}, 9, 40950 * time.Millisecond},
		{"unknown version, negative interval", engine.Config{Version: 9, Priority: 9, AdverInterval: -1, AnnounceDelay: -1}, 9, 10 * time.Millisecond},
		{"negative delays", engine.Config{Version: engine.V3, Priority: 9, PreemptDelay: -1, StartupDelay: -1}, 9, 10 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vr := engine.New(tt.config)
			actions := vr.Step(0, engine.Restore{}, nil)
			if actions[0] != engine.Action(engine.SendAdvertisement{Priority: tt.send}) {
				t.Errorf("first action is %v, want priority %d", actions[0], tt.send)
			}
			if at, _, ok := vr.Deadline(); !ok || at != engine.Instant(tt.within) {
				t.Errorf("next advertisement at %v, want %s", at, tt.within)
			}
		})
	}
}

// TestDelaysAreBounded: the longest delays neither overflow nor end.
func TestDelaysAreBounded(t *testing.T) {
	t.Parallel()
	c := config(engine.V3, 100)
	c.PreemptDelay, c.StartupDelay, c.AnnounceDelay = math.MaxInt64, math.MaxInt64, math.MaxInt64
	day := engine.Instant(24 * time.Hour)
	startup := engine.Startup{Primary: netip.MustParseAddr("192.0.2.5")}

	vr := engine.New(c)
	vr.Step(day, startup, nil)
	if at, _, ok := vr.Deadline(); !ok || at < 10000*day {
		t.Errorf("start is at %v, running %t", time.Duration(at), ok)
	}
	vr.Step(day, engine.Restore(startup), nil)
	vr.Step(day, engine.Revoked{}, nil)
	vr.Step(2*day, engine.Advertisement{Source: netip.MustParseAddr("192.0.2.4"), Priority: 99, AdverInterval: time.Second}, nil)
	if at, _, _ := vr.Deadline(); at < 2*day {
		t.Errorf("Active of lower priority is not borne, Active_Down_Timer is %v", time.Duration(at))
	}
	vr.Step(3*day, engine.Tick{}, nil)
	if at, _, _ := vr.Deadline(); at > 3*day+engine.Instant(time.Second) {
		t.Errorf("next advertisement at %v", time.Duration(at))
	}
}

// TestAnything: no event, in whatever order and at whatever instant, panics.
func TestAnything(t *testing.T) {
	t.Parallel()
	extremes := []engine.Instant{math.MinInt64, -1, 0, 1, math.MaxInt64}
	adv := engine.Advertisement{Source: netip.Addr{}, Priority: 200, AdverInterval: math.MinInt64}
	events := []engine.Event{
		nil, (*engine.Tick)(nil), engine.Startup{}, engine.Restore{}, engine.Tick{}, adv,
		engine.Advertisement{Source: netip.IPv6Unspecified(), Priority: 100, AdverInterval: math.MaxInt64},
		engine.Refused{}, engine.Revoked{}, engine.Shutdown{}, engine.InterfaceDown{},
	}
	for _, version := range []engine.Version{engine.V2, engine.V3} {
		c := config(version, 100)
		c.PreemptDelay, c.StartupDelay = time.Second, math.MaxInt64
		for i, first := range append(events, events...) {
			for _, second := range events {
				if i == len(events) {
					c.StartupDelay = 0
				}
				vr := engine.New(c)
				for _, at := range extremes {
					vr.Step(at, first, nil)
					vr.Step(at, second, nil)
					vr.Step(-at, second, nil)
					vr.Deadline()
				}
			}
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		engine.Backup.String():         "backup",
		engine.State(200).String():     "unknown",
		engine.ActiveDown.String():     "active-down",
		engine.LeaseLost.String():      "lease-lost",
		engine.Reason(200).String():    "unknown",
		engine.NoReason.String():       "none",
		engine.AcquireRefused.String(): "acquire-refused",
	} {
		if got != want {
			t.Errorf("name: got %q, want %q", got, want)
		}
	}
}
