// Package engine is the VRRP state machine of one virtual router as a
// function: the same virtual router, instant and event always give the same
// actions. It has no clock, goroutine, lock, log, randomness or I/O; timers
// are values that its caller reads with Deadline.
//
// It reads beside RFC 9568 §6.4: initialize.go, backup.go and active.go hold
// one state each, timers.go the intervals of §6.1, election.go who wins. What
// differs in RFC 3768 depends on Config.Version. docs/states.md lists what
// every event does in every state.
//
// # Order of actions
//
//	takeover   SendAdvertisement, Acquire, Announce, StateChanged
//	restored   SendAdvertisement, Announce, StateChanged
//	demotion   Release, StateChanged
//	shutdown   SendAdvertisement{0}, Release, StateChanged
//	refused    SendAdvertisement{0}, Release, StateChanged
//	link down  Release, StateChanged
//	revoked    StateChanged
//
// StateChanged is always last, so that whoever reports it reports what has
// been ordered already.
//
// # What the RFCs leave open
//
// Advertisements are sent on an absolute schedule, so they do not drift, and
// on a grid of Config.Slots to the interval, so that many virtual routers fall
// due in one turn of their caller: the first period of an Active is shortened
// by less than a slot to end on the grid, and every later one is exact.
//
// An Active answers a priority-0 advertisement (§6.4.3), and in version 3 one
// that loses against it, at once, but not more often than every tenth of its
// interval (less at most a hundredth, for the grid): what arrives in between
// is answered together when that time is over. Nobody can make it send more
// than about eleven times what it sends anyway.
//
// A second priority-0 advertisement does not restart the Active_Down_Timer
// that the first one shortened, so a stream of them cannot hold off a
// takeover.
//
// Where advertisements may have been lost on the way to us (Missed), a
// takeover that is due waits for one more Active_Down_Interval, once.
//
// With Config.PreemptDelay a Backup bears an Active of lower priority for that
// long from the first advertisement on before it discards them. Only then does
// the Active_Down_Timer run out on it; a silent Active is replaced at once.
// With Config.StartupDelay the first Startup waits, Restore does not.
//
// When its addresses could not be acquired, an Active says goodbye and holds
// back for a time that doubles with every refusal in a row: it lets any other
// Active stay, of whatever priority, and tries again after that time.
package engine
