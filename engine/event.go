package engine

import (
	"net/netip"
	"time"
)

// Instant is a point in time as the distance from an origin the caller chose
// (CLOCK_MONOTONIC in the daemon, zero in simulations).
type Instant time.Duration

// Add returns the instant d later.
func (t Instant) Add(d time.Duration) Instant { return t + Instant(d) }

// Sub returns the time from u to t.
func (t Instant) Sub(u Instant) time.Duration { return time.Duration(t - u) }

// State is a state of RFC 9568 §6.4.
type State uint8

// States (RFC 9568 §6.4); RFC 3768 calls Active "Master".
const (
	Initialize State = iota
	Backup
	Active
)

// Reason says why the state changed.
type Reason uint8

// Reasons of a transition.
const (
	NoReason       Reason = iota
	Started               // Startup, priority below 255
	OwnerStarted          // Startup with priority 255
	ActiveDown            // Active_Down_Timer fired
	ActiveLeft            // Active_Down_Timer fired that a priority-0 advertisement had shortened
	HigherPriority        // an advertisement with a higher priority
	HigherAddress         // an advertisement with our priority from a greater address
	ShutDown              // Shutdown event
	LinkDown              // the interface went down
	Restored              // Restore event
	AcquireRefused        // Refused event
	LeaseLost             // Revoked event
)

// Event is something that happens to a virtual router: one of the types below.
type Event interface{ isEvent() }

type (
	// Startup starts the protocol: the interface is usable and Primary is the
	// address our advertisements come from (RFC 9568 §6.4.1). When it comes
	// in Backup or Active it only replaces the primary address.
	Startup struct{ Primary netip.Addr }
	// Shutdown ends the protocol in order: an Active says goodbye.
	Shutdown struct{}
	// InterfaceDown ends the protocol without a word, as none would arrive.
	InterfaceDown struct{}
	// Tick tells the time; timers whose deadline it reaches fire.
	Tick struct{}
	// Advertisement is one that passed every receive check (RFC 9568 §7.1).
	Advertisement struct {
		// Source is the sender's address.
		Source netip.Addr
		// Priority is the sender's: 0 leaving, 1..254, 255 owner.
		Priority uint8
		// AdverInterval is the sender's; v3 Backups learn it (§6.4.2).
		AdverInterval time.Duration
	}
	// Restore resumes a virtual router whose addresses are still held: it goes
	// on as Active and advertises at once.
	Restore struct{ Primary netip.Addr }
	// Missed tells that advertisements which arrived by Until may have been
	// lost before they could be delivered.
	Missed struct{ Until Instant }
	// Refused tells that the addresses could not be taken after Acquire.
	Refused struct{}
	// Revoked tells that the addresses were taken away from an Active.
	Revoked struct{}
)

func (Startup) isEvent()       {}
func (Shutdown) isEvent()      {}
func (InterfaceDown) isEvent() {}
func (Tick) isEvent()          {}
func (Advertisement) isEvent() {}
func (Restore) isEvent()       {}
func (Missed) isEvent()        {}
func (Refused) isEvent()       {}
func (Revoked) isEvent()       {}

// Action is something a virtual router wants done: one of the types below, in
// the order they are to be done.
type Action interface{ isAction() }

type (
	// SendAdvertisement sends one with the given priority: 0 when leaving.
	SendAdvertisement struct{ Priority uint8 }
	// Acquire takes the addresses.
	Acquire struct{}
	// Release gives the addresses back.
	Release struct{}
	// Announce tells the LAN where the addresses are, Repeat times each.
	Announce struct{ Repeat uint8 }
	// StateChanged reports a transition; Peer and Priority are set where an
	// advertisement caused it.
	StateChanged struct {
		From, To State
		Reason   Reason
		Peer     netip.Addr
		Priority uint8
	}
)

func (SendAdvertisement) isAction() {}
func (Acquire) isAction()           {}
func (Release) isAction()           {}
func (Announce) isAction()          {}
func (StateChanged) isAction()      {}
