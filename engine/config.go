package engine

import "time"

// Version is the protocol version a virtual router speaks.
type Version uint8

// Protocol versions.
const (
	V2 Version = 2 // RFC 3768
	V3 Version = 3 // RFC 9568
)

// Specification constants.
const (
	// PriorityOwner is the priority of the router that owns the addresses
	// (RFC 9568 §5.2.4).
	PriorityOwner = 255
	// PriorityLeaving is what an Active advertises when it stops taking part
	// (RFC 9568 §5.2.4).
	PriorityLeaving = 0

	// The bounds of Advertisement_Interval: whole seconds in an octet
	// (RFC 3768 §5.3.7), centiseconds in twelve bits (RFC 9568 §5.2.7).
	minAdverIntervalV2 = time.Second
	maxAdverIntervalV2 = 255 * time.Second
	minAdverIntervalV3 = 10 * time.Millisecond
	maxAdverIntervalV3 = 4095 * 10 * time.Millisecond

	// maxDelay bounds every other time, so that no instant overflows: 73
	// years.
	maxDelay = 1 << 61 * time.Nanosecond
)

// Config is what the operator decided about a virtual router.
type Config struct {
	Version Version
	// Priority is 1..254, or 255 for the owner of the addresses.
	Priority uint8
	// AdverInterval is our Advertisement_Interval: v2 whole seconds 1..255 s,
	// v3 10 ms..40.95 s.
	AdverInterval time.Duration
	// Slots is the number of instants in an interval on which advertisements
	// fall, 1..100; 0 is 100. The fewer, the more virtual routers advertise
	// together, and the more the first period may be short, by one slot at the most.
	Slots int
	// PreemptMode false lets a lower-priority Active stay (§6.1).
	PreemptMode bool
	// PreemptDelay is how long a Backup that preempts bears an Active of lower
	// priority, from its first advertisement on, before it lets the
	// Active_Down_Timer run out on it. The owner bears nobody.
	PreemptDelay time.Duration
	// StartupDelay is how long after its first Startup or Restore event a
	// virtual router begins at the earliest; until then it remembers Startup.
	// Restore is not delayed.
	StartupDelay time.Duration
	// AnnounceRepeat is the number of announcements of each address at
	// takeover; AnnounceDelay later they are repeated once, unless it is 0.
	AnnounceRepeat uint8
	AnnounceDelay  time.Duration
}

// bounded returns c with every value in its range. Checking a configuration
// and refusing it is not the engine's part, but no value may make it divide
// by zero, say goodbye instead of advertising, or send without pause.
func (c Config) bounded() Config {
	if c.Version == V2 {
		c.AdverInterval = min(max(c.AdverInterval, minAdverIntervalV2), maxAdverIntervalV2)
	} else {
		c.Version = V3
		c.AdverInterval = min(max(c.AdverInterval, minAdverIntervalV3), maxAdverIntervalV3)
	}
	if c.Slots <= 0 || c.Slots > maxSlots {
		c.Slots = maxSlots
	}
	c.Priority = max(c.Priority, 1)
	if c.Priority == PriorityOwner {
		c.PreemptDelay = 0
	}
	for _, d := range []*time.Duration{&c.AnnounceDelay, &c.PreemptDelay, &c.StartupDelay} {
		*d = min(max(*d, 0), maxDelay)
	}
	return c
}

// preempts reports whether a lower-priority Active is to be replaced: always
// by the owner of the addresses (RFC 9568 §6.1, Preempt_Mode).
func (c Config) preempts() bool { return c.PreemptMode || c.Priority == PriorityOwner }
