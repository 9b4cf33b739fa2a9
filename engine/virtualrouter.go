package engine

import (
	"net/netip"
	"time"
)

// VirtualRouter is the state of one virtual router. The zero value is not
// usable; see New.
//
//	          +--------------+  Shutdown, InterfaceDown
//	  +------>|  Initialize  |<----------------------+
//	  |       +--------------+                       |
//	  |        |            |                        |
//	  |Startup | < 255      | Startup = 255, Restore |
//	  |        v            v                        |
//	  |  +----------+      +----------+              |
//	  +--|  Backup  |----->|  Active  |--------------+
//	     +----------+      +----------+
//	       ^   Active_Down_Timer  |
//	       +----------------------+
//	outranked, Refused, Revoked
type VirtualRouter struct {
	config  Config
	state   State
	primary netip.Addr // unmapped, without zone

	// Initialize: no start before mayStart, which runs from the first Startup
	// or Restore on; starting says that one waits for it.
	mayStart timer
	starting bool

	// Backup: the Active_Down_Timer.
	activeAdverInterval time.Duration // Active_Adver_Interval (RFC 9568 §6.1)
	activeDown          timer         // Active_Down_Timer
	heard               Instant       // the news activeDown runs from; older news is none
	doubted             bool          // activeDown has been put off because of Missed
	leaving             bool          // a priority-0 advertisement has shortened activeDown
	holdOff             Instant       // until then every Active may stay
	bearing             timer         // Preempt_Delay of the lower-priority Active we hear
	refusals            uint8         // Refused events in a row

	// Active: the Adver_Timer.
	adver         timer   // Adver_Timer, on the grid but after answers
	announceAgain timer   // the second round of announcements
	advertised    Instant // when the last advertisement was sent
	nextAnswer    Instant // when the next answer may be sent

	// Actions that are sent again and again, made once: Step does not
	// allocate except to report a transition.
	advertise Action
	announce  Action
}

// goodbye is the advertisement of an Active that leaves.
var goodbye Action = SendAdvertisement{Priority: PriorityLeaving}

// New returns a virtual router in Initialize. Values of c outside their ranges
// are taken as the nearest value inside; refusing them is the configuration's
// part.
func New(c Config) *VirtualRouter {
	c = c.bounded()
	return &VirtualRouter{
		config:              c,
		activeAdverInterval: c.AdverInterval,
		advertise:           SendAdvertisement{Priority: c.Priority},
		announce:            Announce{Repeat: c.AnnounceRepeat},
	}
}

// State returns the current state.
func (vr *VirtualRouter) State() State { return vr.state }

// Deadline returns the instant at which the virtual router wants a Tick, and
// false when no timer runs. takeover tells that it is the Active_Down_Timer:
// the caller first delivers every advertisement that arrived before it. In
// Initialize, where advertisements mean nothing, it is a Startup that waits for
// Config.StartupDelay.
func (vr *VirtualRouter) Deadline() (at Instant, takeover, ok bool) {
	switch vr.state {
	case Backup:
		return vr.activeDown.at, true, vr.activeDown.running
	case Active:
		if vr.announceAgain.running && vr.announceAgain.at < vr.adver.at {
			return vr.announceAgain.at, false, true
		}
		return vr.adver.at, false, vr.adver.running
	}
	return vr.mayStart.at, false, vr.starting
}

// Step applies one event at the instant now and appends what it wants done to
// actions. Advertisements may be delivered with an instant in the past (their
// arrival), but never with one in the future; instants never go back
// otherwise. An event that means nothing in the current state, or nothing at
// all, gives no actions.
func (vr *VirtualRouter) Step(now Instant, ev Event, actions []Action) []Action {
	switch ev := ev.(type) {
	case Advertisement:
		if vr.isOurs(ev) {
			return actions
		}
	case Startup:
		vr.begin(now, ev.Primary)
	case Restore:
		vr.begin(now, ev.Primary)
	}
	switch vr.state {
	case Backup:
		return vr.stepBackup(now, ev, actions)
	case Active:
		return vr.stepActive(now, ev, actions)
	}
	return vr.stepInitialize(now, ev, actions)
}

// begin is what Startup and Restore do in every state. It sets the address our
// advertisements come from, in the form in which addresses are compared, and
// the first time it starts the count of Config.StartupDelay.
func (vr *VirtualRouter) begin(now Instant, primary netip.Addr) {
	vr.primary = primary.Unmap().WithZone("")
	if !vr.mayStart.running {
		vr.mayStart = timerAt(now.Add(vr.config.StartupDelay))
	}
}

// becomeInitialize stops every timer and reports the transition.
func (vr *VirtualRouter) becomeInitialize(r Reason, actions []Action) []Action {
	from := vr.state
	vr.state = Initialize
	vr.activeDown, vr.bearing, vr.adver, vr.announceAgain = timer{}, timer{}, timer{}, timer{}
	vr.refusals = 0
	return append(actions, StateChanged{From: from, To: Initialize, Reason: r})
}

// becomeBackup goes to Backup with the Active_Down_Timer set to wait from now
// on. The caller reports the transition.
func (vr *VirtualRouter) becomeBackup(now Instant, wait time.Duration) {
	vr.state = Backup
	vr.adver, vr.announceAgain = timer{}, timer{}
	vr.activeDown = timerAt(now.Add(wait))
	vr.heard, vr.doubted, vr.leaving, vr.holdOff, vr.bearing = now, false, false, now, timer{}
}

// becomeActive goes to Active with the Adver_Timer running from now on and
// sends the first advertisement. The caller reports the transition.
func (vr *VirtualRouter) becomeActive(now Instant, actions []Action) []Action {
	vr.state = Active
	vr.activeDown, vr.leaving, vr.bearing = timer{}, false, timer{}
	vr.activeAdverInterval = vr.config.AdverInterval
	vr.nextAnswer = now
	return vr.advertiseNow(now, actions)
}

// takeOver goes to Active, acquires the addresses and announces them, in the
// order of RFC 9568 §6.4.1 and §6.4.2.
func (vr *VirtualRouter) takeOver(now Instant, r Reason, actions []Action) []Action {
	from := vr.state
	actions = vr.becomeActive(now, actions)
	actions = append(actions, Acquire{})
	if vr.config.AnnounceRepeat > 0 {
		actions = append(actions, vr.announce)
		if vr.config.AnnounceDelay > 0 {
			vr.announceAgain = timerAt(now.Add(vr.config.AnnounceDelay))
		}
	}
	return append(actions, StateChanged{From: from, To: Active, Reason: r})
}
