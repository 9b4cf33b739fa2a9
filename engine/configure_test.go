package engine_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
)

const sec = engine.Instant(time.Second)

// TestConfigure: what is done, and when the next deadline is, if a
// configuration of version 3, priority 100, 1 s changes at 10.5 s.
func TestConfigure(t *testing.T) {
	t.Parallel()
	own := netip.MustParseAddr("192.0.2.1")
	base := engine.Config{Version: engine.V3, Priority: 100, AdverInterval: time.Second, PreemptMode: true, AnnounceRepeat: 1}
	hears := func(priority uint8, interval time.Duration) engine.Advertisement {
		return engine.Advertisement{Source: netip.MustParseAddr("192.0.2.9"), Priority: priority, AdverInterval: interval}
	}
	down := func(interval time.Duration, priority int) engine.Instant {
		return engine.Instant(3*interval + time.Duration(256-priority)*interval/256)
	}
	type step struct {
		at engine.Instant
		ev engine.Event
	}
	start := step{0, engine.Startup{Primary: own}}
	for _, tt := range []struct {
		name   string
		base   func(c *engine.Config)
		before []step
		change func(c *engine.Config)
		want   []engine.Action
		state  engine.State
		due    engine.Instant // 0: none
	}{
		{"nothing changes", nil, []step{start, {10 * sec, hears(200, time.Second)}}, func(*engine.Config) {}, nil,
			engine.Backup, 10*sec + down(time.Second, 100)},
		{"Backup, priority", nil, []step{start, {10 * sec, hears(200, time.Second)}}, func(c *engine.Config) { c.Priority = 150 }, nil,
			engine.Backup, 10*sec + down(time.Second, 150)},
		{"Backup, learned interval stays", nil, []step{start, {10 * sec, hears(200, 2*time.Second)}}, func(c *engine.Config) { c.AdverInterval = 100 * time.Millisecond }, nil,
			engine.Backup, 10*sec + down(2*time.Second, 100)},
		{"Backup, own interval", nil, []step{{10 * sec, start.ev}}, func(c *engine.Config) { c.AdverInterval = 100 * time.Millisecond }, nil,
			engine.Backup, 10*sec + down(100*time.Millisecond, 100)},
		{"Backup of one that leaves", nil, []step{start, {10 * sec, hears(200, time.Second)}, {10 * sec, hears(0, time.Second)}}, func(c *engine.Config) { c.Priority = 156 }, nil,
			engine.Backup, 10*sec + engine.Instant(100*time.Second/256)},
		{"Backup, from version 3 to version 2", nil, []step{start, {10 * sec, hears(200, 2*time.Second)}}, func(c *engine.Config) { c.Version = engine.V2 }, nil,
			engine.Backup, 10*sec + down(time.Second, 100)},
		{"Backup becomes owner", nil, []step{start, {10 * sec, hears(200, time.Second)}}, func(c *engine.Config) { c.Priority = 255 },
			[]engine.Action{engine.SendAdvertisement{Priority: 255}, engine.Acquire{}, engine.Announce{Repeat: 1}, engine.StateChanged{From: engine.Backup, To: engine.Active, Reason: engine.OwnerStarted}},
			engine.Active, 11*sec + sec/2},
		{"Active, longer interval", nil, []step{start, {down(time.Second, 100), engine.Tick{}}}, func(c *engine.Config) { c.AdverInterval = 10 * time.Second },
			[]engine.Action{engine.SendAdvertisement{Priority: 100}}, engine.Active, 20*sec + sec/2},
		{"Active, priority", nil, []step{start, {down(time.Second, 100), engine.Tick{}}}, func(c *engine.Config) { c.Priority = 50 },
			[]engine.Action{engine.SendAdvertisement{Priority: 50}}, engine.Active, 11*sec + sec/2},
		{"Initialize", nil, nil, func(c *engine.Config) { c.Priority = 50 }, nil, engine.Initialize, 0},
		{"waiting to start, shorter", func(c *engine.Config) { c.StartupDelay = 60 * time.Second }, []step{start}, func(c *engine.Config) { c.StartupDelay = 20 * time.Second }, nil,
			engine.Initialize, 20 * sec},
		{"bearing a lower one, for longer", func(c *engine.Config) { c.PreemptDelay = 5 * time.Second }, []step{start, {9 * sec, hears(50, time.Second)}}, func(c *engine.Config) { c.PreemptDelay = time.Minute }, nil,
			engine.Backup, 9*sec + down(time.Second, 100)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := base
			if tt.base != nil {
				tt.base(&c)
			}
			vr := engine.New(c)
			for _, s := range tt.before {
				vr.Step(s.at, s.ev, nil)
			}
			tt.change(&c)
			now := 10*sec + sec/2
			got := vr.Configure(now, c, nil)
			if !slices.Equal(got, tt.want) {
				t.Errorf("actions %v, want %v", got, tt.want)
			}
			if vr.State() != tt.state {
				t.Errorf("state %v, want %v", vr.State(), tt.state)
			}
			due, _, running := vr.Deadline()
			if running != (tt.due != 0) || running && due != tt.due {
				t.Errorf("due at %v %v, want %v", due, running, tt.due)
			}
			if again := vr.Configure(now, c, nil); len(again) != 0 {
				t.Errorf("the same again: %v", again)
			}
		})
	}
	t.Run("the longer Preempt_Delay counts", func(t *testing.T) {
		t.Parallel()
		c := base
		c.PreemptDelay = 5 * time.Second
		vr := engine.New(c)
		vr.Step(0, start.ev, nil)
		vr.Step(sec, hears(50, time.Second), nil)
		c.PreemptDelay = time.Minute
		vr.Configure(2*sec, c, nil)
		vr.Step(30*sec, hears(50, time.Second), nil)
		if due, _, _ := vr.Deadline(); due != 30*sec+down(time.Second, 100) {
			t.Errorf("due at %v", due)
		}
	})
}
