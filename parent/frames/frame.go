package frames

import (
	"encoding/binary"
	"net/netip"
)

// minFrame is the shortest Ethernet frame without its checksum. Virtual
// interfaces do not pad, and rVRRPd only accepts padded advertisements.
const minFrame = 60

var (
	groupMAC  = [6]byte{0x01, 0x00, 0x5e, 0x00, 0x00, 0x12}
	groupMAC6 = [6]byte{0x33, 0x33, 0x00, 0x00, 0x00, 0x12}
	groupIPv6 = netip.MustParseAddr("ff02::12") // RFC 9568 §5.1.2.2
	allNodes  = netip.MustParseAddr("ff02::1")
	broadcast = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

// AppendAdvertisement puts Ethernet and IP headers before a VRRP message
// (RFC 9568 §5.1): from the virtual MAC and the link's address to the group,
// TTL or hop limit 255, DSCP CS6, without options.
func AppendAdvertisement(b []byte, mac [6]byte, src netip.Addr, message []byte) []byte {
	if src.Is6() {
		b = append(append(b, groupMAC6[:]...), mac[:]...)
		b = appendIPv6(append(b, 0x86, 0xdd), 0xc0, protocolVRRP, len(message), src, groupIPv6)
		return pad(append(b, message...))
	}
	b = append(b, groupMAC[:]...)
	b = append(b, mac[:]...)
	b = append(b, 0x08, 0x00)
	ip := len(b)
	b = append(b, 0x45, 0xc0)
	b = binary.BigEndian.AppendUint16(b, uint16(20+len(message)))
	b = append(b, 0, 0, 0, 0, 255, 112, 0, 0)
	b = append(b, src.AsSlice()...)
	b = append(b, groupIPv4[:]...)
	binary.BigEndian.PutUint16(b[ip+10:], checksum(b[ip:ip+20]))
	return pad(append(b, message...))
}

// AppendGratuitousARP makes the announcement of an address (RFC 9568 §6.4.2,
// errata 7947 and 7949): a broadcast ARP request whose sender and target
// address are the virtual address and whose sender MAC is the virtual one.
// The target MAC is ignored in a request (RFC 5227 §1.1 says zero; that is
// what we send).
func AppendGratuitousARP(b []byte, mac [6]byte, ip netip.Addr) []byte {
	return appendARP(b, mac, ip, ip)
}

// appendARP makes an ARP request, from an address for one.
func appendARP(b []byte, mac [6]byte, from, ip netip.Addr) []byte {
	b = append(b, broadcast[:]...)
	b = append(b, mac[:]...)
	b = append(b, 0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1)
	b = append(b, mac[:]...)
	b = append(b, from.AsSlice()...)
	b = append(b, 0, 0, 0, 0, 0, 0)
	return pad(append(b, ip.AsSlice()...))
}

// Specification constants: ARP (RFC 826), and ICMPv6 (RFC 4861 §4.3, §4.4).
const (
	arpReply              = 2
	neighborSolicitation  = 135
	neighborAdvertisement = 136
)

// AppendNeighborAdvertisement makes the announcement of an IPv6 address (RFC
// 9568 §6.4.2, RFC 4861 §4.4): unsolicited, to all nodes, with the Router and
// Override flags and the virtual MAC as target link-layer address.
func AppendNeighborAdvertisement(b []byte, mac [6]byte, src, ip netip.Addr) []byte {
	return appendNeighbor(b, mac, src, allNodes, ip, [3]byte{neighborAdvertisement, 0xa0, 2})
}

// AppendQuestion asks all who have an address for their hardware address.
func AppendQuestion(b []byte, mac [6]byte, src, ip netip.Addr) []byte {
	if ip.Is4() {
		return appendARP(b, mac, src, ip)
	}
	target, group := ip.As16(), [16]byte{0xff, 0x02, 11: 1, 12: 0xff} // RFC 4291 §2.7.1
	copy(group[13:], target[13:])
	return appendNeighbor(b, mac, src, netip.AddrFrom16(group), ip, [3]byte{neighborSolicitation, 0, 1})
}

// appendNeighbor makes a message of neighbor discovery to a group, of a type,
// with flags and a link-layer address as an option.
func appendNeighbor(b []byte, mac [6]byte, src, group, ip netip.Addr, is [3]byte) []byte {
	b = append(append(append(b, 0x33, 0x33), group.AsSlice()[12:]...), mac[:]...)
	b = appendIPv6(append(b, 0x86, 0xdd), 0, protocolICMPv6, 32, src, group)
	icmp := len(b)
	b = append(append(b, is[0], 0, 0, 0, is[1], 0, 0, 0), ip.AsSlice()...)
	b = append(append(b, is[2], 1), mac[:]...)
	pseudo := append(append(src.AsSlice(), group.AsSlice()...), 0, 0, 0, 32, 0, 0, 0, protocolICMPv6)
	binary.BigEndian.PutUint16(b[icmp+2:], checksum(append(pseudo, b[icmp:]...)))
	return b
}

// appendIPv6 makes an IPv6 header.
func appendIPv6(b []byte, class, next byte, length int, src, dst netip.Addr) []byte {
	b = append(b, 0x60|class>>4, class<<4, 0, 0, byte(length>>8), byte(length), next, 255)
	return append(append(b, src.AsSlice()...), dst.AsSlice()...)
}

func pad(b []byte) []byte {
	for len(b) < minFrame {
		b = append(b, 0)
	}
	return b
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// etherLoopback is the EtherType of frames that test an interface.
const etherLoopback = 0x9000

// AppendLoopback makes a frame from an interface to itself.
func AppendLoopback(b []byte, mac [6]byte) []byte {
	b = append(append(b, mac[:]...), mac[:]...)
	return pad(binary.BigEndian.AppendUint16(b, etherLoopback))
}
