package engine

import "time"

// Version is the protocol version a virtual router speaks.
type Version uint8

// Protocol versions.
const (
	V2 Version = 2 // RFC 3768
	V3 Version = 3 // RFC 9568
)

// PriorityOwner is the priority of the router that owns the addresses (RFC 9568 §5.2.4).
const PriorityOwner = 255

// Config is what the operator decided about a virtual router.
type Config struct {
	Version Version
	// Priority is 1..254, or 255 for the owner of the addresses.
	Priority uint8
	// AdverInterval is our Advertisement_Interval: v2 whole seconds 1..255 s,
	// v3 10 ms..40.95 s.
	AdverInterval time.Duration
	// PreemptMode false lets a lower-priority Active stay (§6.1).
	PreemptMode bool
	// AnnounceRepeat is the number of announcements of each address at
	// takeover; AnnounceDelay later they are repeated once, unless it is 0.
	AnnounceRepeat uint8
	AnnounceDelay  time.Duration
}
