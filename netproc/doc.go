// Package netproc is the network process: one goroutine that owns every
// virtual router. It reads packets, checks them, runs the state machines and
// asks the parent for what they want done. It runs behind the walls of
// netproc/sandbox: no file, no socket but its two lanes, no clock but a read.
//
// # Order of a turn
//
// What the parent says, then packets, then deadlines, then everything that
// came of it goes to the parent in one batch. A packet that the parent
// forwarded before it answered is therefore seen before the answer takes
// effect; deadlines.go tells why that matters.
//
// # Trust
//
// Packets may be anything; what is wrong with one is counted, and it touches
// nothing else. The parent is trusted, and the same build: what it must not
// say is an error, and the process ends.
package netproc
