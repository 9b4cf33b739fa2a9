package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// advertisement is an IPv4 advertisement of version 3 for one address.
type advertisement struct {
	source         net.HardwareAddr
	from, address  netip.Addr
	vrid, priority uint8
	interval       time.Duration
}

var group = netip.MustParseAddr("224.0.0.18")

// frame builds it. spoil, if any, changes the message when its checksum is in
// place; ttl is 255 of a good one.
func (a advertisement) frame(ttl uint8, spoil func(message []byte) []byte) []byte {
	m := []byte{0x31, a.vrid, a.priority, 1}
	m = binary.BigEndian.AppendUint16(m, uint16(a.interval/(10*time.Millisecond)))
	m = append(append(m, 0, 0), a.address.AsSlice()...)
	binary.BigEndian.PutUint16(m[6:], lab.Checksum(slices.Concat(a.pseudoHeader(len(m)), m)))
	if spoil != nil {
		m = spoil(m)
	}
	ip := []byte{0x45, 0xc0, 0, byte(20 + len(m)), 0, 0, 0, 0, ttl, protocolVRRP, 0, 0}
	ip = append(append(ip, a.from.AsSlice()...), group.AsSlice()...)
	binary.BigEndian.PutUint16(ip[10:], lab.Checksum(ip))
	to := []byte{0x01, 0x00, 0x5e, 0x00, 0x00, 0x12}
	return slices.Concat(to, a.source, binary.BigEndian.AppendUint16(nil, etherIPv4), ip, m)
}

// pseudoHeader is what keepalived puts before the message for the checksum;
// rvrrpd takes either form.
func (a advertisement) pseudoHeader(length int) []byte {
	return append(slices.Concat(a.from.AsSlice(), group.AsSlice()), 0, protocolVRRP, 0, byte(length))
}

// good builds one that is as it should be.
func (a advertisement) good() []byte { return a.frame(255, nil) }

// bogus builds one of each kind that a daemon must drop.
func (a advertisement) bogus() [][]byte {
	other := a
	other.vrid++
	higher := a
	higher.priority = 250
	change := func(at int, value byte) func([]byte) []byte {
		return func(m []byte) []byte { m[at] ^= value; return m }
	}
	return [][]byte{
		a.frame(255, change(6, 1)),      // checksum
		a.frame(254, nil),               // TTL
		a.frame(255, change(0, 0x70)),   // version 4
		other.good(),                    // nobody's VRID
		higher.frame(255, change(3, 3)), // more addresses than it has, and so the checksum
		a.frame(255, func(m []byte) []byte { return m[:len(m)-2] }),
	}
}
