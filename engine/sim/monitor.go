package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
)

// Machine is what the bench drives: an *engine.VirtualRouter, or one with a
// fault built in to show that the bench finds it.
type Machine interface {
	State() engine.State
	Deadline() (at engine.Instant, takeover, ok bool)
	Step(now engine.Instant, ev engine.Event, actions []engine.Action) []engine.Action
}

// Monitor holds every step of one virtual router against the rules of RFC 9568
// §6.4, knowing its configuration, its events and its actions but nothing of
// its inside. The configuration must be in range.
type Monitor struct {
	config   engine.Config
	state    engine.State
	primary  netip.Addr
	latest   engine.Instant // the latest instant seen
	heard    engine.Instant // the news the Active_Down_Timer runs from
	down     engine.Instant // when the Active_Down_Timer fires
	holdOff  engine.Instant // after a refusal: until then lower priorities may stay
	refusals uint           // refusals in a row
	doubted  bool           // the timer was put off since then, for what was missed
	leaving  bool           // a priority-0 advertisement came after the last other one
	interval time.Duration  // Active_Adver_Interval
	since    engine.Instant // when it became Active
	sent     time.Duration  // advertisements since then
	againAt  engine.Instant // when the second announcement is due; 0 for none
	begun    bool           // Startup or Restore has been seen
	mayStart engine.Instant // since begun: no start before
	waits    bool           // for mayStart, in Initialize
	bears    bool           // an Active of lower priority is being borne
	bearsTil engine.Instant // and until when
	borne    int            // how often
	waited   int            // starts that came by a Tick
}

// rounding is the most by which two ways to compute an interval may differ.
const rounding = 64 * time.Nanosecond

// NewMonitor returns the monitor of a virtual router in Initialize.
func NewMonitor(c engine.Config) *Monitor {
	return &Monitor{config: c, interval: c.AdverInterval}
}

// skew computes Skew_Time, not quite the engine's way.
func (m *Monitor) skew() time.Duration {
	unit := m.interval
	if m.config.Version == engine.V2 {
		unit = time.Second
	}
	return unit - unit*time.Duration(m.config.Priority)/256
}

func (m *Monitor) downInterval() time.Duration { return m.interval*3 + m.skew() }

// Check compares one step, already done by vr, with the rules.
func (m *Monitor) Check(now engine.Instant, ev engine.Event, vr Machine, actions []engine.Action) error {
	m.latest = max(m.latest, now)
	m.begin(now, ev)
	before := m.state
	change, changed, err := m.transition(actions)
	if err == nil && changed {
		err = m.cause(now, ev, change)
	}
	if err == nil && !changed {
		err = m.mustMove(now, ev)
	}
	if err == nil {
		err = m.pattern(now, ev, change, changed, actions)
	}
	m.update(now, ev, change, changed)
	if err == nil {
		err = m.deadline(now, ev, vr)
	}
	if err != nil {
		return fmt.Errorf("%s in %s at %s: %w", FormatEvent(ev), before, time.Duration(now), err)
	}
	return nil
}

// transition finds the one StateChanged, which must come last and fit.
func (m *Monitor) transition(actions []engine.Action) (change engine.StateChanged, changed bool, err error) {
	for i, a := range actions {
		if change, changed = a.(engine.StateChanged); changed && i != len(actions)-1 {
			return change, changed, fmt.Errorf("state change is not the last action")
		}
	}
	if changed && (change.From != m.state || change.To == m.state) {
		return change, changed, fmt.Errorf("state change %s->%s in %s", change.From, change.To, m.state)
	}
	return change, changed, nil
}

// cause checks that the event allows the transition.
func (m *Monitor) cause(now engine.Instant, ev engine.Event, change engine.StateChanged) error {
	var ok bool
	var to engine.State
	owner := m.config.Priority == engine.PriorityOwner
	adv, _ := ev.(engine.Advertisement)
	switch change.Reason {
	case engine.Started, engine.OwnerStarted:
		if _, tick := ev.(engine.Tick); tick {
			m.waited++
		}
		ok = m.starts(now, ev) && owner == (change.Reason == engine.OwnerStarted)
		to = engine.Backup
		if owner {
			to = engine.Active
		}
	case engine.Restored:
		_, ok = ev.(engine.Restore)
		ok, to = ok && m.state == engine.Initialize, engine.Active
	case engine.ActiveDown, engine.ActiveLeft:
		_, ok = ev.(engine.Tick)
		ok = ok && m.state == engine.Backup && now >= m.down.Add(-rounding) && m.leaving == (change.Reason == engine.ActiveLeft)
		to = engine.Active
	case engine.HigherPriority:
		ok, to = m.state == engine.Active && adv.Priority > m.config.Priority, engine.Backup
	case engine.HigherAddress:
		ok, to = m.state == engine.Active && m.outrankedByAddress(adv), engine.Backup
	case engine.ShutDown:
		_, ok = ev.(engine.Shutdown)
	case engine.LinkDown:
		_, ok = ev.(engine.InterfaceDown)
	case engine.AcquireRefused:
		_, ok = ev.(engine.Refused)
		ok, to = ok && m.state == engine.Active, engine.Backup
	case engine.LeaseLost:
		_, ok = ev.(engine.Revoked)
		ok, to = ok && m.state == engine.Active, engine.Backup
	}
	if !ok || change.To != to {
		return fmt.Errorf("%s->%s reason=%s without a cause", change.From, change.To, change.Reason)
	}
	return nil
}

func (m *Monitor) outrankedByAddress(adv engine.Advertisement) bool {
	return adv.Priority == m.config.Priority && plain(adv.Source).Compare(m.primary) > 0
}

// plain gives every form of an address one form: 16 octets, no zone.
func plain(a netip.Addr) netip.Addr { return netip.AddrFrom16(a.As16()) }

// mustMove checks that an event that forces a transition made one.
func (m *Monitor) mustMove(now engine.Instant, ev engine.Event) error {
	move := m.starts(now, ev)
	switch ev := ev.(type) {
	case engine.Restore:
		move = m.state == engine.Initialize
	case engine.Shutdown, engine.InterfaceDown:
		move = m.state != engine.Initialize
	case engine.Refused, engine.Revoked:
		move = m.state == engine.Active
	case engine.Advertisement:
		move = m.state == engine.Active && plain(ev.Source) != m.primary &&
			(ev.Priority > m.config.Priority || m.outrankedByAddress(ev))
	}
	if move {
		return fmt.Errorf("no transition")
	}
	return nil
}

// pattern checks the actions but for StateChanged, and their order.
func (m *Monitor) pattern(now engine.Instant, ev engine.Event, change engine.StateChanged, changed bool, actions []engine.Action) error {
	own := engine.SendAdvertisement{Priority: m.config.Priority}
	var want []engine.Action
	announce := func(n uint8) {
		if m.config.AnnounceRepeat > 0 {
			want = append(want, engine.Announce{Repeat: n})
		}
	}
	got := actions
	if changed {
		got = actions[:len(actions)-1]
	}
	active := m.state == engine.Active
	switch {
	case changed && change.Reason == engine.Restored:
		want = append(want, own)
		announce(1)
	case changed && change.To == engine.Active:
		want = append(want, own, engine.Acquire{})
		announce(m.config.AnnounceRepeat)
	case changed && active && (change.Reason == engine.ShutDown || change.Reason == engine.AcquireRefused):
		want = append(want, engine.SendAdvertisement{}, engine.Release{})
	case changed && active && change.Reason != engine.LeaseLost:
		want = append(want, engine.Release{})
	case changed:
	default:
		return m.steadyPattern(now, ev, got)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("actions are %v, want %v", got, want)
	}
	if change.To == engine.Active {
		m.sent = 1
	}
	return nil
}

// steadyPattern checks the actions of a step that changed no state: none but
// an Active's own advertisement, and once the second announcement.
func (m *Monitor) steadyPattern(now engine.Instant, ev engine.Event, got []engine.Action) error {
	_, tick := ev.(engine.Tick)
	adv, heard := ev.(engine.Advertisement)
	answer := heard && plain(adv.Source) != m.primary && (adv.Priority == 0 || m.config.Version == engine.V3)
	for i, a := range got {
		switch {
		case m.state != engine.Active:
			return fmt.Errorf("%s while not active", FormatAction(a))
		case i == 0 && (tick || answer) && a == engine.Action(engine.SendAdvertisement{Priority: m.config.Priority}):
			m.sent++
		case tick && i == len(got)-1 && a == engine.Action(engine.Announce{Repeat: m.config.AnnounceRepeat}) &&
			m.againAt != 0 && now >= m.againAt:
			m.againAt = 0
		default:
			return fmt.Errorf("%s for no reason", FormatAction(a))
		}
	}
	// At most one in nine hundredths of the interval, and two at the edges.
	if elapsed := m.latest.Sub(m.since); m.sent > 3+elapsed*100/(9*m.config.AdverInterval) {
		return fmt.Errorf("%d advertisements in %s", m.sent, elapsed)
	}
	return nil
}

// deadline checks the state and the timers after the step.
func (m *Monitor) deadline(now engine.Instant, ev engine.Event, vr Machine) error {
	if vr.State() != m.state {
		return fmt.Errorf("state is %s, reported was %s", vr.State(), m.state)
	}
	at, takeover, ok := vr.Deadline()
	if ok != (m.state != engine.Initialize || m.waits) || takeover != (m.state == engine.Backup) {
		return fmt.Errorf("deadline is takeover=%t running=%t", takeover, ok)
	}
	if m.waits && at != m.mayStart {
		return fmt.Errorf("start is at %s, want %s", time.Duration(at), time.Duration(m.mayStart))
	}
	if _, tick := ev.(engine.Tick); tick && ok && at <= now {
		return fmt.Errorf("tick leaves a timer due since %s", time.Duration(at))
	}
	if m.state == engine.Active && at > m.latest.Add(m.config.AdverInterval) {
		return fmt.Errorf("next advertisement at %s is too far away", time.Duration(at))
	}
	if off := at.Sub(m.down).Abs(); m.state == engine.Backup && off > rounding {
		return fmt.Errorf("Active_Down_Timer is %s, want %s", time.Duration(at), time.Duration(m.down))
	}
	return nil
}
