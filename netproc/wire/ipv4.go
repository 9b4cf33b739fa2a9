package wire

import (
	"encoding/binary"
	"net/netip"
)

// Problem is why a packet cannot be used; NoProblem is zero.
type Problem uint8

// Problems, in the order the receive checks meet them.
const (
	NoProblem   Problem = iota
	BadIPHeader         // not a complete IPv4 packet of protocol 112
	IsFragment          // a fragment
	BadVersion          // not the version expected
	BadType             // not an ADVERTISEMENT
	BadLength           // incomplete, or longer than its address count says
	BadChecksum         // checksum does not fit
)

// Specification constants.
const (
	// Protocol is VRRP's IP protocol number (RFC 9568 §5.1.1.4).
	Protocol = 112
	// TTL is the only one accepted (RFC 9568 §5.1.1.3).
	TTL = 255
)

// GroupIPv4 is the address advertisements are sent to (RFC 9568 §5.1.1.2).
var GroupIPv4 = netip.AddrFrom4([4]byte{224, 0, 0, 18})

// IPv4 is what matters of an IPv4 header.
type IPv4 struct {
	TTL      uint8
	Src, Dst netip.Addr
}

// ParseIPv4 reads an IPv4 header and returns the payload: as long as the
// header says, whatever follows it in b.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-------+-------+---------------+-------------------------------+
//	|Version|  IHL  |Type of Service|          Total Length         |
//	+-------+-------+---------------+-----+-------------------------+
//	|         Identification        |Flags|      Fragment Offset    |
//	+---------------+---------------+-----+-------------------------+
//	|  Time to Live |    Protocol   |        Header Checksum        |
//	+---------------+---------------+-------------------------------+
//	|                       Source Address                          |
//	+---------------------------------------------------------------+
//	|                    Destination Address                        |
//	+---------------------------------------------------------------+
//	|                    Options                    |    Padding    |
//	+---------------------------------------------------------------+
func ParseIPv4(b []byte) (h IPv4, payload []byte, p Problem) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return h, nil, BadIPHeader
	}
	header, total := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < 20 || total < header || total > len(b) || b[9] != Protocol {
		return h, nil, BadIPHeader
	}
	h = IPv4{TTL: b[8], Src: netip.AddrFrom4([4]byte(b[12:])), Dst: netip.AddrFrom4([4]byte(b[16:]))}
	if binary.BigEndian.Uint16(b[6:])&0x3fff != 0 { // more fragments, or an offset
		return h, nil, IsFragment
	}
	return h, b[header:total], NoProblem
}
