// Package netproc is the network process: one goroutine that owns every
// virtual router. It reads packets, checks them, runs the state machines and
// asks the parent for what they want done. It runs behind the walls of
// netproc/sandbox: no file, no socket but its two lanes, no clock but a read.
package netproc
