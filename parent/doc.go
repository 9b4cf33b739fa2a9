// Package parent is the privileged process. It holds the raw sockets and
// netlink, and does what the network process asks for only where the
// configuration granted it before that process existed. It parses no packet.
//
// For a reader: the broker does, the daemon decides. Of the broker, grant.go says what
// may happen at all, policy.go decides on each request, ops.go does it, ledger.go
// remembers it so that it is undone. run.go is the daemon's loop; child.go has the network
// process started, start.go builds the walls of this one.
package parent
