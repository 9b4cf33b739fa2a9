// Package report has the messages by which the network process reports: the parent hands them
// on to the keeper unread.
package report

import (
	"net/netip"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// Looked reports what a look has found.
type Looked struct {
	// Peer as in Look.
	Peer netip.Addr
	// Answers is whether Peer answers for its address.
	Answers bool
	// Arrive is how many of its advertisements have reached the interface.
	Arrive uint32
	// Takeovers is how many takeovers from Peer the report is about.
	Takeovers uint32
	// Hint says in words what follows: printable ASCII, in which HintInterface
	// stands for the name of the interface.
	Hint string
}

// HintInterface stands in a Looked for the name of the interface, which the
// child does not know.
const HintInterface = "{interface}"

// StateChange reports a transition of the slot.
type StateChange struct {
	From, To State
	Reason   Reason
	// Peer is the router whose advertisement caused it, if one did.
	Peer netip.Addr
	// Priority is the peer's.
	Priority uint8
	// Verdict says why nothing was heard, with ReasonActiveDown; Peer is the
	// former Active then, if there was one.
	Verdict Verdict
	// Count advertisements were discarded, the last for Drop, with
	// VerdictDropped.
	Count uint32
	Drop  Drop
	// Hint says in words what Verdict means here: printable ASCII.
	Hint string
}

// Dropped reports discarded packets, at a limited rate.
type Dropped struct {
	Link   ipc.Link
	Reason Drop
	// VRID as in the packet, 0 where it could not be read.
	VRID uint8
	// Source of the packet reported.
	Source netip.Addr
	// Count of packets discarded for this reason since the last report.
	Count uint32
	// Total of packets discarded for this reason since the start.
	Total uint64
	// Hint says what may be the matter with it, where the child knows more than
	// Reason says: printable ASCII.
	Hint string
}

// Noticed reports accepted advertisements that an operator should know of, at
// a limited rate.
type Noticed struct {
	Link   ipc.Link
	Notice Notice
	VRID   uint8
	Source netip.Addr
	// Count and Total as in Dropped.
	Count uint32
	Total uint64
	// Plain and Pseudo count the advertisements of Source by the form of their
	// checksum, with NoticeChecksum.
	Plain, Pseudo uint64
	// Hint as in Dropped.
	Hint string
}
