package wire

import (
	"encoding/binary"
	"net/netip"
)

// Specification constants.
const (
	// Protocol is the IP protocol number of VRRP (RFC 9568 §5.1.1.4).
	Protocol = 112
	// TTL is the only TTL an advertisement may arrive with: it has crossed no
	// router (RFC 9568 §5.1.1.3).
	TTL = 255

	ipv4HeaderLen = 20
	moreFragments = 0x2000
	fragOffset    = 0x1fff
)

// GroupIPv4 is where advertisements are sent (RFC 9568 §5.1.1.2).
var GroupIPv4 = netip.AddrFrom4([4]byte{224, 0, 0, 18})

// IP is what matters of an IP header.
type IP struct {
	// TTL, in IPv6 the hop limit.
	TTL uint8
	// Protocol, in IPv6 the next header.
	Protocol    uint8
	Source      netip.Addr
	Destination netip.Addr
}

// ParseIPv4 splits an IPv4 packet (RFC 791 §3.1) into header and payload.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Version|  IHL  |Type of Service|          Total Length         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Identification        |Flags|      Fragment Offset    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Time to Live |    Protocol   |         Header Checksum       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Source Address                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Destination Address                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Options                    |    Padding    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Options are skipped. The packet ends where Total Length says; what was read
// beyond is the padding of a short Ethernet frame. The header checksum has
// been verified by the kernel. The problem is ProblemIPHeader or
// ProblemFragment; of a fragment the header is returned, but no payload.
func ParseIPv4(b []byte) (ip IP, payload []byte, problem Problem) {
	if len(b) < ipv4HeaderLen || b[0]>>4 != 4 {
		return IP{}, nil, ProblemIPHeader
	}
	headerLen, total := int(b[0]&0x0f)*4, int(binary.BigEndian.Uint16(b[2:]))
	if headerLen < ipv4HeaderLen || total < headerLen || total > len(b) {
		return IP{}, nil, ProblemIPHeader
	}
	ip = IP{
		TTL: b[8], Protocol: b[9],
		Source:      netip.AddrFrom4([4]byte(b[12:16])),
		Destination: netip.AddrFrom4([4]byte(b[16:20])),
	}
	if binary.BigEndian.Uint16(b[6:])&(moreFragments|fragOffset) != 0 {
		return ip, nil, ProblemFragment
	}
	return ip, b[headerLen:total], NoProblem
}
