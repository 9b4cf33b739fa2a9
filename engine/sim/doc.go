// Package sim is the engine's test bench; nothing but tests imports it. It
// holds the text language of test scripts (text.go), a monitor that holds
// every step of a virtual router against RFC 9568 §6.4 (monitor.go), and a
// simulation of several routers on a virtual LAN under virtual time (world.go,
// node.go, check.go) that is a function of its scenario (scenario.go,
// generate.go).
package sim
