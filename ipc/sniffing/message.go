// Package sniffing is the language between the sniffer and its network process, beside
// what they have in common with the daemon: the rows of its messages stand in the table
// of package ipc.
package sniffing

import (
	"net/netip"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// Sniff makes the child show packets instead of running virtual routers,
// which are there to judge them. It stands before Commit.
type Sniff struct {
	// JSON: one object for each packet, else a line of text.
	JSON bool
	// Judge: the configuration that follows judges each packet.
	Judge bool
	// Detail of the text: 0, one line, to 5.
	Detail uint8
	// VRID whose packets are shown; 0: all.
	VRID uint8
	// Live: a router whose link is not up judges like one that waits for it.
	Live bool
	// Own and MACs are addresses of ours, by which a capture is judged.
	Own  []netip.Addr
	MACs [][6]byte
}

// Arrival says where a captured frame went.
type Arrival uint8

// Where a frame went.
const (
	ArrivalUnknown Arrival = iota
	ArrivalOurs            // to us, to a group, or to all
	ArrivalOther           // to another's hardware address
	ArrivalSent            // we have sent it
	numArrivals
)

// Links are the links of an interface, IPv4's first.
type Links [2]ipc.Link

// NoLink is none of an interface and family without virtual routers.
const NoLink ipc.Link = 0xffff

// Capture is one captured frame, unread.
type Capture struct {
	// Time is Unix time in nanoseconds.
	Time int64
	// LinkType is what Frame begins with, as in capture files.
	LinkType uint16
	// Length is that of the frame, of which Frame may be the beginning.
	Length  uint32
	Arrival Arrival
	// Links it came from, NoLink where no virtual router is.
	Links Links
	// Interface it was captured on, "" where that is not known.
	Interface string
	Frame     []byte
}

// Shown answers each Capture: what is to be shown of it, whole lines of
// printable text; nothing of a frame that is not VRRP or not wanted.
type Shown struct {
	Text []byte
}
