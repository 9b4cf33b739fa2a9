package netproc

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// Link types of capture files that are understood (pcap-linktype(7)).
const (
	linkNull     = 0
	linkEthernet = 1
	linkRawBSD   = 12
	linkRaw      = 101
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

// Types of Ethernet.
const (
	etherIPv4   = 0x0800
	etherIPv6   = 0x86dd
	etherVLAN   = 0x8100
	etherQinQ   = 0x88a8
	tagsMax     = 3 // VLAN tags that are skipped
	macLen      = 6
	etherHeader = 14
)

// Packet types of the cooked link types, as packet(7) has them.
const (
	cookedOther = 3
	cookedSent  = 4
)

// linkHeader skips the header of the link layer, and returns the type of
// Ethernet of what follows; 0 where there is none.
func (v *packetView) linkHeader(linkType uint16, b []byte) (kind uint16, rest []byte) {
	switch linkType {
	case linkEthernet:
		if len(b) < etherHeader {
			return 0, nil
		}
		v.dst, v.src = b[:macLen], b[macLen:2*macLen]
		kind, rest = binary.BigEndian.Uint16(b[2*macLen:]), b[etherHeader:]
	case linkSLL:
		if len(b) < 16 {
			return 0, nil
		}
		v.cooked(binary.BigEndian.Uint16(b))
		if binary.BigEndian.Uint16(b[4:]) == macLen {
			v.src = b[6 : 6+macLen]
		}
		kind, rest = binary.BigEndian.Uint16(b[14:]), b[16:]
	case linkSLL2:
		if len(b) < 20 {
			return 0, nil
		}
		v.cooked(uint16(b[10]))
		if b[11] == macLen {
			v.src = b[12 : 12+macLen]
		}
		kind, rest = binary.BigEndian.Uint16(b), b[20:]
	case linkNull:
		if len(b) < 4 {
			return 0, nil
		}
		return version(b[4:])
	case linkRaw, linkRawBSD, linkIPv4, linkIPv6:
		return version(b)
	default:
		return 0, nil
	}
	for range tagsMax {
		if kind != etherVLAN && kind != etherQinQ || len(rest) < 4 {
			break
		}
		v.vlans = append(v.vlans, binary.BigEndian.Uint16(rest)&0x0fff)
		kind, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	return kind, rest
}

// cooked takes over what a cooked header says of where a frame went.
func (v *packetView) cooked(kind uint16) {
	switch {
	case kind == cookedOther:
		v.arrival = sniffing.ArrivalOther
	case kind == cookedSent:
		v.arrival = sniffing.ArrivalSent
	case kind < cookedOther:
		v.arrival = sniffing.ArrivalOurs
	}
}

// version tells IPv4 and IPv6 apart where nothing else does.
func version(b []byte) (kind uint16, rest []byte) {
	switch {
	case len(b) == 0:
		return 0, nil
	case b[0]>>4 == 4:
		return etherIPv4, b
	case b[0]>>4 == 6:
		return etherIPv6, b
	default:
		return 0, nil
	}
}

// Specification constants: the headers that may stand before the payload of
// IPv6 (RFC 8200 §4).
const (
	ipv6HeaderLen = 40
	nextHopByHop  = 0
	nextRouting   = 43
	nextFragment  = 44
	nextOptions   = 60

	optionPad1 = 0
	optionPadN = 1
)

// Implementation constants: the kernel discards a packet with more.
const (
	extensionsMax = 8 // headers, to come to an end
	optionsMax    = 8 // options of a header but for padding
	paddingMax    = 7 // bytes of padding in one place
)

// chain is what stands before the payload of an IPv6 packet.
type chain struct {
	next     uint8 // the header that is not looked into
	at       int   // where it begins
	refused  bool  // the kernel does not deliver a packet with these headers
	piece    *piece
	fragment int // where the fragment header is, 0 without one
}

// walk follows the extension headers of a packet as far as they are there.
func walk(b []byte) chain {
	c := chain{next: b[6], at: ipv6HeaderLen}
	for range extensionsMax {
		if len(b) < c.at+8 {
			return c
		}
		head := b[c.at:]
		n := 8
		switch {
		case c.next == nextHopByHop && c.at == ipv6HeaderLen, c.next == nextOptions, c.next == nextRouting:
			if n = (int(head[1]) + 1) * 8; n > len(head) {
				return c
			}
			// A group is no place to route on from.
			c.refused = c.refused || c.next == nextRouting || !passes(head[2:n])
		case c.next == nextFragment:
			where := binary.BigEndian.Uint16(head[2:])
			p := piece{id: binary.BigEndian.Uint32(head[4:]), next: head[0], offset: int(where &^ 7), more: where&1 != 0}
			if p.offset == 0 && !p.more {
				break // one of itself (RFC 6946)
			}
			if c.piece, c.fragment = &p, c.at; p.offset > 0 {
				c.next, c.at = p.next, c.at+n
				return c
			}
		default:
			return c
		}
		c.next, c.at = head[0], c.at+n
	}
	return c
}

// passes says whether the kernel lets a header with these options pass:
// unknown ones it skips or discards the packet for, as their type says.
func passes(options []byte) bool {
	n, padding := 0, 0
	for len(options) > 0 {
		kind := options[0]
		if kind == optionPad1 {
			if padding++; padding > paddingMax {
				return false
			}
			options = options[1:]
			continue
		}
		if len(options) < 2 || len(options) < 2+int(options[1]) {
			return false
		}
		value := options[2 : 2+options[1]]
		options = options[2+len(value):]
		switch {
		case kind == optionPadN:
			if padding += 2 + len(value); padding > paddingMax || slices.ContainsFunc(value, func(b byte) bool { return b != 0 }) {
				return false
			}
		case kind>>6 != 0:
			return false
		default:
			if n, padding = n+1, 0; n > optionsMax {
				return false
			}
		}
	}
	return true
}

// stripped is an IPv6 packet without its extension headers, as the kernel
// hands its payload over, which begins at the given place.
func stripped(b []byte, at int) []byte {
	out := append(slices.Clone(b[:ipv6HeaderLen]), b[at:]...)
	out[6] = wire.Protocol
	binary.BigEndian.PutUint16(out[4:], uint16(len(out)-ipv6HeaderLen))
	return out
}

// headerSum says whether the checksum of an IPv4 header is wrong: the kernel
// drops such packets before the daemon could.
func headerSum(b []byte) bool {
	n := int(b[0]&0x0f) * 4
	return n > len(b) || checksum(b[:n]) != 0
}

// checksum is that of a header of IPv4; 0 over one that has the right one.
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// plausible says whether the kernel takes a packet from an address: no host
// has the others.
func plausible(a netip.Addr) bool {
	return !a.IsMulticast() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
