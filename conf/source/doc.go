// Package source reads the configuration of rvrrpd: a file in TOML or JSON with
// rVRRPd's keys becomes a validated [conf.Config], or a list of everything that is
// wrong with it.
//
// The way of a file is short. The decoder of its format turns it into a tree
// of nodes, each of which knows its line. The tree is held against one table,
// settings, which names every key with its form, range and default. What
// passes is assembled into a Config, and what concerns several virtual routers
// at once is checked there.
package source
