package wire

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Specification constants.
const (
	// MaxAddresses is the most addresses a message counts (RFC 9568 §5.2.5).
	MaxAddresses = 255
	// AuthNone is no authentication, the only type of RFC 3768 (§5.3.6).
	AuthNone = 0

	headerLen         = 8
	authDataLen       = 8
	typeAdvertisement = 1
	maxAdverInterval  = 0x0fff // 12 bits (RFC 9568 §5.2.7)
	centisecond       = 10 * time.Millisecond
)

// Advertisement is a VRRP message (RFC 3768 §5.1, RFC 9568 §5.1).
type Advertisement struct {
	Version  uint8 // 2 or 3
	VRID     uint8
	Priority uint8
	// AdverInterval is whole seconds up to 255 in version 2, centiseconds up
	// to 4095 in version 3 (there Max Advertise Interval).
	AdverInterval time.Duration
	// Checksum is the form of a version 3 checksum over IPv4.
	Checksum Form
	// AuthType and AuthData are version 2's (RFC 2338 §5.3.6, §5.3.10).
	AuthType uint8
	AuthData [authDataLen]byte
	// Addresses are the virtual router's, all of the family of the message.
	Addresses []netip.Addr
}

// Peek returns the version and the VRID that a message claims, zero where it
// is too short for one.
func Peek(b []byte) (version, vrid uint8) {
	if len(b) > 0 {
		version = b[0] >> 4
	}
	if len(b) > 1 {
		vrid = b[1]
	}
	return version, vrid
}

// Parse reads the message b of a packet from src to dst into a, whose
// Addresses are overwritten. A message has its exact length. What it says is
// not judged: it may count no address or have an interval of zero. The
// problem is one of ProblemVersion to ProblemChecksum, the first in this
// order; a is then undefined.
//
// Version 2 (RFC 3768 §5.1, authentication as in RFC 2338 §5.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Version| Type  | Virtual Rtr ID|   Priority    | Count IP Addrs|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Auth Type   |   Adver Int   |          Checksum             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         IP Address (1)                        |
//	|                            .                                  |
//	|                         IP Address (n)                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                     Authentication Data (1)                   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                     Authentication Data (2)                   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Version 3 (RFC 9568 §5.1), with addresses of 4 or 16 bytes:
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Reserve| Max Advertise Interval|          Checksum             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      IPvX Address(es)                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
func Parse(b []byte, src, dst netip.Addr, a *Advertisement) Problem {
	return ParseWithTrailer(b, 0, src, dst, a)
}

// ParseWithTrailer is Parse for a message that trailer bytes follow. The
// checksum covers them in IPv6, where the kernel computes it for all of the
// payload, and not in IPv4 (draft-cassen-vrrp-auth-hmac).
func ParseWithTrailer(b []byte, trailer int, src, dst netip.Addr, a *Advertisement) Problem {
	whole := b
	b = b[:len(b)-trailer]
	if len(b) == 0 {
		return ProblemLength
	}
	version := b[0] >> 4
	switch {
	case version != 3 && (version != 2 || !src.Is4()):
		return ProblemVersion
	case b[0]&0x0f != typeAdvertisement:
		return ProblemType
	case len(b) < headerLen || len(b) != length(version, src, int(b[3])):
		return ProblemLength
	}
	covered := b
	if !src.Is4() {
		covered = whole
	}
	form, ok := verify(covered, version, src, dst)
	if !ok {
		return ProblemChecksum
	}
	*a = Advertisement{Version: version, VRID: b[1], Priority: b[2], Checksum: form, Addresses: a.Addresses[:0]}
	rest := b[headerLen:]
	for range b[3] {
		if src.Is4() {
			a.Addresses = append(a.Addresses, netip.AddrFrom4([4]byte(rest)))
			rest = rest[4:]
		} else {
			a.Addresses = append(a.Addresses, netip.AddrFrom16([16]byte(rest)))
			rest = rest[16:]
		}
	}
	if version == 2 {
		a.AuthType, a.AuthData = b[4], [authDataLen]byte(rest)
		a.AdverInterval = time.Duration(b[5]) * time.Second
	} else {
		a.AdverInterval = time.Duration(binary.BigEndian.Uint16(b[4:])&maxAdverInterval) * centisecond
	}
	return NoProblem
}

// Length is the length of the message at the beginning of b, as it claims
// itself, in a packet from src; 0 where it is too short to claim one.
func Length(b []byte, src netip.Addr) int {
	if len(b) < headerLen {
		return 0
	}
	return length(b[0]>>4, src, int(b[3]))
}

// Seal sets the checksum of an IPv6 message with its trailer.
func Seal(b []byte, src, dst netip.Addr) {
	b[6], b[7] = 0, 0
	binary.BigEndian.PutUint16(b[6:], fold(sum(0, b)+pseudoHeader(src, dst, len(b))))
}

// length is that of a message with count addresses of the family of src.
func length(version uint8, src netip.Addr, count int) int {
	n := headerLen + count*src.BitLen()/8
	if version == 2 {
		n += authDataLen
	}
	return n
}

// Append writes the message a of a packet from src to dst at the end of b,
// with its checksum. The values must be in their ranges, the addresses at
// most MaxAddresses and of the family of src; what is finer than the unit of
// the interval is cut off.
func Append(b []byte, a *Advertisement, src, dst netip.Addr) []byte {
	start := len(b)
	b = append(b, a.Version<<4|typeAdvertisement, a.VRID, a.Priority, byte(len(a.Addresses)))
	if a.Version == 2 {
		b = append(b, a.AuthType, byte(a.AdverInterval/time.Second))
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(a.AdverInterval/centisecond)&maxAdverInterval)
	}
	b = append(b, 0, 0)
	for _, addr := range a.Addresses {
		if src.Is4() {
			four := addr.As4()
			b = append(b, four[:]...)
		} else {
			sixteen := addr.As16()
			b = append(b, sixteen[:]...)
		}
	}
	if a.Version == 2 {
		b = append(b, a.AuthData[:]...)
	}
	message := b[start:]
	s := sum(0, message)
	if a.Version != 2 && (!src.Is4() || a.Checksum == FormPseudoHeader) {
		s += pseudoHeader(src, dst, len(message))
	}
	binary.BigEndian.PutUint16(message[6:], fold(s))
	return b
}
