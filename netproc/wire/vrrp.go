package wire

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Specification constants.
const (
	// TypeAdvertisement is the only type there is (RFC 3768 §5.3.2).
	TypeAdvertisement = 1
	// AuthNone is no authentication (RFC 3768 §5.3.6).
	AuthNone = 0

	fixedLen = 8 // before the addresses
	authLen  = 8 // authentication data, always there in version 2
)

// Advertisement is a VRRPv2 message.
type Advertisement struct {
	VRID, Priority, AuthType uint8
	// AdverInterval is a whole number of seconds, 0..255.
	AdverInterval time.Duration
	// Addresses are the virtual router's.
	Addresses []netip.Addr
	// AuthData is the authentication data.
	AuthData [authLen]byte
}

// VRID reads the VRID of a message, whatever else is wrong with it; 0 where
// there is none.
func VRID(b []byte) uint8 {
	if len(b) < 2 {
		return 0
	}
	return b[1]
}

// ParseV2 reads a VRRPv2 message (RFC 3768 §5.1) in the order of the receive
// checks: version, type, completeness, checksum. It uses the memory of
// a.Addresses again.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-------+-------+---------------+---------------+---------------+
//	|Version| Type  | Virtual Rtr ID|    Priority   | Count IP Addrs|
//	+-------+-------+---------------+---------------+---------------+
//	|   Auth Type   |   Adver Int   |            Checksum           |
//	+---------------+---------------+-------------------------------+
//	|                         IP Address (1..n)                     |
//	+---------------------------------------------------------------+
//	|                     Authentication Data (8 bytes)             |
//	+---------------------------------------------------------------+
func ParseV2(b []byte, a *Advertisement) Problem {
	switch {
	case len(b) == 0:
		return BadLength
	case b[0]>>4 != 2:
		return BadVersion
	case b[0]&0xf != TypeAdvertisement:
		return BadType
	case len(b) < fixedLen:
		return BadLength
	}
	n := int(b[3])
	if len(b) != fixedLen+4*n+authLen {
		return BadLength
	}
	if Checksum(b) != 0 {
		return BadChecksum
	}
	a.VRID, a.Priority, a.AuthType, a.AdverInterval = b[1], b[2], b[4], time.Duration(b[5])*time.Second
	a.Addresses = a.Addresses[:0]
	for rest := b[fixedLen : fixedLen+4*n]; len(rest) > 0; rest = rest[4:] {
		a.Addresses = append(a.Addresses, netip.AddrFrom4([4]byte(rest)))
	}
	a.AuthData = [authLen]byte(b[len(b)-authLen:])
	return NoProblem
}

// AppendV2 appends a VRRPv2 message with its checksum. Intervals are cut to
// whole seconds, addresses must be IPv4 and at most 255.
func AppendV2(b []byte, a *Advertisement) []byte {
	start := len(b)
	b = append(b, 2<<4|TypeAdvertisement, a.VRID, a.Priority, byte(len(a.Addresses)),
		a.AuthType, byte(a.AdverInterval/time.Second), 0, 0)
	for _, ip := range a.Addresses {
		v4 := ip.As4()
		b = append(b, v4[:]...)
	}
	b = append(b, a.AuthData[:]...)
	binary.BigEndian.PutUint16(b[start+6:], Checksum(b[start:]))
	return b
}

// Checksum is the Internet checksum (RFC 1071) of b; over bytes that include
// a right checksum it is 0.
func Checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
