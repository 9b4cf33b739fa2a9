package wire

import (
	"encoding/binary"
	"net/netip"
)

// Specification constants.
const (
	ipv6HeaderLen = 40
	// nextFragment is the Next Header of a fragment (RFC 8200 §4.5).
	nextFragment = 44
)

// GroupIPv6 is where advertisements are sent (RFC 9568 §5.1.2.2).
var GroupIPv6 = netip.MustParseAddr("ff02::12")

// ParseIPv6 splits an IPv6 packet (RFC 8200 §3) into header and payload.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Version| Traffic Class |           Flow Label                  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Payload Length        |  Next Header  |   Hop Limit   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Source Address (16)                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Destination Address (16)                   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The packet ends where Payload Length says; what was read beyond is padding.
// Extension headers are not looked into: no advertisement has any. The
// problem is ProblemIPHeader or ProblemFragment; of a fragment the header is
// returned, but no payload.
func ParseIPv6(b []byte) (ip IP, payload []byte, problem Problem) {
	if len(b) < ipv6HeaderLen || b[0]>>4 != 6 {
		return IP{}, nil, ProblemIPHeader
	}
	end := ipv6HeaderLen + int(binary.BigEndian.Uint16(b[4:]))
	if end > len(b) {
		return IP{}, nil, ProblemIPHeader
	}
	ip = IP{
		TTL: b[7], Protocol: b[6],
		Source:      netip.AddrFrom16([16]byte(b[8:24])),
		Destination: netip.AddrFrom16([16]byte(b[24:40])),
	}
	if ip.Source.Is4In6() || ip.Destination.Is4In6() { // on no wire (RFC 4291 §2.5.5.2)
		return IP{}, nil, ProblemIPHeader
	}
	if ip.Protocol == nextFragment {
		return ip, nil, ProblemFragment
	}
	return ip, b[ipv6HeaderLen:end], NoProblem
}
