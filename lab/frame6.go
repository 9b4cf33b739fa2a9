package lab

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// ND is a neighbor solicitation or advertisement with its IPv6 header (RFC
// 4861 §4.3, §4.4).
type ND struct {
	// Type is NeighborSolicitation or NeighborAdvertisement.
	Type     int
	Src, Dst netip.Addr
	HopLimit int
	Target   netip.Addr
	// Router, Solicited and Override are the flags of an advertisement.
	Router, Solicited, Override bool
	// LinkAddr is the link-layer address that it carries as an option, the
	// source's or the target's according to its type; "" for none.
	LinkAddr string
}

// Specification constants.
const (
	NeighborSolicitation  = 135
	NeighborAdvertisement = 136
	protocolICMPv6        = 58
	// GroupMAC6 is that of ff02::12 (RFC 2464 §7).
	GroupMAC6      = "33:33:00:00:00:12"
	virtualPrefix6 = "00:00:5e:00:02:"
)

// VirtualMAC6 is the virtual router MAC address over IPv6 (RFC 9568 §7.3).
func VirtualMAC6(vrid int) string { return fmt.Sprintf("%s%02x", virtualPrefix6, vrid) }

func ipv6(b []byte) netip.Addr { return netip.AddrFrom16([16]byte(b[:16])) }

// parseIPv6 reads a packet without extension headers.
func parseIPv6(b []byte) (*VRRP, *ND) {
	if len(b) < 40 || b[0]>>4 != 6 {
		return nil, nil
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return nil, nil
	}
	hops, src, dst, m := int(b[7]), ipv6(b[8:]), ipv6(b[24:]), b[40:total]
	switch {
	case b[6] == protocolVRRP && len(m) >= 8:
		v := &VRRP{Src: src, Dst: dst, TTL: hops, DSField: int(binary.BigEndian.Uint16(b) >> 4 & 0xff)}
		v.parse(m, 16)
		return v, nil
	case b[6] == protocolICMPv6 && len(m) >= 24 && (m[0] == NeighborSolicitation || m[0] == NeighborAdvertisement):
		n := &ND{Type: int(m[0]), Src: src, Dst: dst, HopLimit: hops, Target: ipv6(m[8:])}
		if n.Type == NeighborAdvertisement {
			n.Router, n.Solicited, n.Override = m[4]&0x80 != 0, m[4]&0x40 != 0, m[4]&0x20 != 0
		}
		n.LinkAddr = linkAddr(m[24:])
		return nil, n
	}
	return nil, nil
}

// linkAddr finds the link-layer address among the options, which count in
// units of 8 bytes (RFC 4861 §4.6).
func linkAddr(options []byte) string {
	for len(options) >= 8 {
		if options[0] == 1 || options[0] == 2 {
			return mac(options[2:])
		}
		size := int(options[1]) * 8
		if size == 0 || size > len(options) {
			break
		}
		options = options[size:]
	}
	return ""
}

// The forms of a checksum.
const (
	// Plain covers the message alone: version 2, and version 3 over IPv4 as
	// RFC 9568 §5.2.8 has it.
	Plain = "rfc9568"
	// Pseudo covers a pseudo-header, too: version 3 over IPv6, and over IPv4
	// as RFC 5798 was read.
	Pseudo = "rfc5798"
)

// ChecksumForm is Plain, Pseudo or, for a checksum that is neither, "".
func (v *VRRP) ChecksumForm() string {
	sum := onesSum(0, v.Message)
	if fold(sum) == 0xffff {
		return Plain
	}
	sum = onesSum(sum, v.Src.AsSlice())
	sum = onesSum(sum, v.Dst.AsSlice())
	if fold(sum+protocolVRRP+uint32(len(v.Message))) == 0xffff {
		return Pseudo
	}
	return ""
}

func onesSum(sum uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

// Checksum is the Internet checksum (RFC 1071).
func Checksum(b []byte) uint16 { return ^uint16(fold(onesSum(0, b))) }

func fold(sum uint32) uint32 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum
}
