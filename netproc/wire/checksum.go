package wire

import (
	"encoding/binary"
	"net/netip"
)

// Form says what the checksum of a version 3 message over IPv4 covers; that
// of every other message has one form only.
type Form uint8

// Forms of the checksum.
const (
	// FormPlain covers the message alone, as RFC 9568 §5.2.8 says.
	FormPlain Form = iota
	// FormPseudoHeader covers an IPv4 pseudo-header too, as implementations
	// of RFC 5798 send it.
	FormPseudoHeader
)

// sum adds the 16-bit words of b to s (RFC 1071 §1); an odd last byte is
// padded with zero. Carries gather in the upper half: there is room for those
// of 65,536 words.
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

// fold adds the carries back in, and complements: the checksum itself, or
// zero when s covers a correct one.
func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// pseudoHeader is the sum over the pseudo-header of a message of n bytes, as
// for TCP in IPv4 (RFC 5798 §5.2.8) or as in RFC 8200 §8.1.
//
//	IPv4: source 4, destination 4, zero, protocol, length 2
//	IPv6: source 16, destination 16, length 4, zero 3, next header
func pseudoHeader(src, dst netip.Addr, n int) uint32 {
	s := uint32(Protocol) + uint32(n)
	if src.Is4() {
		a, b := src.As4(), dst.As4()
		return sum(sum(s, a[:]), b[:])
	}
	a, b := src.As16(), dst.As16()
	return sum(sum(s, a[:]), b[:])
}

// Verify compares the checksum of the message b of a packet from src to dst,
// whatever else is wrong with it, and tells its form.
func Verify(b []byte, src, dst netip.Addr) (Form, bool) {
	version, _ := Peek(b)
	return verify(b, version, src, dst)
}

// verify compares the checksum of a whole message, and tells its form.
func verify(message []byte, version uint8, src, dst netip.Addr) (Form, bool) {
	s := sum(0, message)
	if src.Is4() && fold(s) == 0 {
		return FormPlain, true
	}
	if version == 2 {
		return FormPlain, false
	}
	ok := fold(s+pseudoHeader(src, dst, len(message))) == 0
	if src.Is4() {
		return FormPseudoHeader, ok
	}
	return FormPlain, ok
}
