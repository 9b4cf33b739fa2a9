// Package engine is the VRRP state machine of one virtual router as a
// function: the same virtual router, instant and event always give the same
// actions. It has no clock, goroutine, lock, log, randomness or I/O; timers
// are values that its caller reads with Deadline.
package engine
