package keeping

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Routing are some of the static routes, in the order of their numbers.
type Routing struct {
	Routes []Route
	More   bool // there are others, which follow
	Active bool // a virtual router is
	Lost   bool // a next hop was out of reach, and virtual routers wait
}

// Route is a static route.
type Route struct {
	Number      int
	To          netip.Prefix
	Via         netip.Addr
	Metric, MTU int  // as the kernel has them
	Granted     bool // the configuration has it
	Installed   bool // as far as the parent knows
}

// MaxRoutes is how many routes are in one Routing.
const MaxRoutes = 1000

// Request is what the keeper asks the parent for, on the second of its lanes, in JSON without a
// Kind; it waits for each answer, and asks for nothing before it has been told Begin.
type Request uint8

// Requests. All but the last name a route.
const (
	// Install installs it. The answer is unix.EEXIST where another is in its place.
	Install Request = iota
	// Remove removes it, if the parent has installed it.
	Remove
	// Reaches asks whether a virtual router has its next hop in a subnet of its addresses,
	// or would have; the answer is unix.ENETUNREACH where none does.
	Reaches
	// Lose has all virtual routers hand over, for it cannot be put back, and wait.
	Lose
	// Find ends that.
	Find
)

// Question is what the keeper asks.
type Question struct {
	Request Request
	Number  int // of a route
}

// Reply says what has come of it: yes, without words, or an error, and the kernel's number of
// that if it has one.
type Reply struct {
	Errno unix.Errno
	Words string
}
