package sim

import (
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
)

// update follows the step: what the virtual router now must know.
func (m *Monitor) update(now engine.Instant, ev engine.Event, change engine.StateChanged, changed bool) {
	switch ev := ev.(type) {
	case engine.Shutdown, engine.InterfaceDown:
		m.waits = false
	case engine.Missed:
		if m.state == engine.Backup && now >= m.down.Add(-rounding) && ev.Until > m.heard && !m.doubted {
			m.down, m.doubted = now.Add(m.downInterval()), true
		}
	case engine.Advertisement:
		if m.state == engine.Backup && plain(ev.Source) != m.primary && now >= m.heard {
			m.hear(now, ev)
		}
		if changed {
			m.learn(ev.AdverInterval)
		}
	}
	if !changed {
		return
	}
	m.doubted = false
	m.state, m.leaving, m.heard, m.againAt, m.waits, m.bears = change.To, false, now, 0, false, false
	switch change.To {
	case engine.Active:
		m.since, m.interval = now, m.config.AdverInterval
		if m.config.AnnounceDelay > 0 && m.config.AnnounceRepeat > 0 && change.Reason != engine.Restored {
			m.againAt = now.Add(m.config.AnnounceDelay)
		}
	case engine.Backup:
		if change.Reason == engine.Started {
			m.interval = m.config.AdverInterval
		}
		m.down, m.holdOff = now.Add(m.downInterval()), now
		if change.Reason == engine.AcquireRefused {
			hold := m.downInterval() << min(m.refusals, 5)
			m.down, m.holdOff = m.down.Add(hold), now.Add(hold)
			m.refusals++
		}
	}
	if change.From == engine.Active && change.Reason != engine.AcquireRefused || change.To == engine.Initialize {
		m.refusals = 0
	}
}

// begin follows what Startup and Restore do in every state.
func (m *Monitor) begin(now engine.Instant, ev engine.Event) {
	switch ev := ev.(type) {
	case engine.Startup:
		m.primary = plain(ev.Primary)
		m.waits = m.state == engine.Initialize
	case engine.Restore:
		m.primary = plain(ev.Primary)
	default:
		return
	}
	if !m.begun {
		m.begun, m.mayStart = true, now.Add(m.config.StartupDelay)
	}
}

// starts reports whether the event is one at which the virtual router starts:
// Startup when its delay is over, or the Tick that ends it.
func (m *Monitor) starts(now engine.Instant, ev engine.Event) bool {
	switch ev.(type) {
	case engine.Startup, engine.Tick:
		return m.waits && now >= m.mayStart
	}
	return false
}

// mayStay reports whether the sender of an advertisement in Backup, not of
// priority 0, may remain Active, and follows how long a lower one may.
func (m *Monitor) mayStay(now engine.Instant, adv engine.Advertisement) bool {
	owner := m.config.Priority == engine.PriorityOwner
	if adv.Priority >= m.config.Priority || !m.config.PreemptMode && !owner {
		m.bears = false
		return true
	}
	if !m.bears {
		m.bears, m.bearsTil = true, now
		if !owner {
			m.bearsTil = now.Add(m.config.PreemptDelay)
		}
	}
	if now < m.bearsTil {
		m.borne++
	}
	return now < m.bearsTil || now < m.holdOff
}

// hear follows an advertisement in Backup.
func (m *Monitor) hear(now engine.Instant, adv engine.Advertisement) {
	switch {
	case adv.Priority == 0:
		if !m.leaving {
			m.down, m.doubted = now.Add(m.skew()), false
		}
		m.leaving, m.heard = true, now
	case m.mayStay(now, adv):
		m.learn(adv.AdverInterval)
		m.down, m.leaving, m.heard, m.doubted = now.Add(m.downInterval()), false, now, false
	}
}

// learn follows Active_Adver_Interval.
func (m *Monitor) learn(d time.Duration) {
	if m.config.Version == engine.V3 && d >= 10*time.Millisecond && d <= 40950*time.Millisecond {
		m.interval = d
	}
}
