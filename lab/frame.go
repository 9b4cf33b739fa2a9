package lab

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Frame is a VRRP, ARP or neighbor discovery frame as seen on the wire.
type Frame struct {
	// Time is when the kernel, or tcpdump, saw it.
	Time time.Time
	// Port is the name of the node it came from; a Capture does not know it.
	Port string
	// Len is its length without the Ethernet checksum, in bytes.
	Len int
	// Fragments are the lengths of the frames of a packet that came in
	// several; Time is the last one's, Len as if it had come in one.
	Fragments []int
	// Src and Dst are MAC addresses.
	Src, Dst string
	// VRRP, ARP or ND is what it carries.
	VRRP *VRRP
	ARP  *ARP
	ND   *ND
}

// VRRP is an advertisement with its IP header.
type VRRP struct {
	Src, Dst netip.Addr
	// TTL is the hop limit, DSField the traffic class, over IPv6.
	TTL, DSField                   int
	Version, VRID, Priority, Count int
	// Inter is the interval, in seconds with version 2, in centiseconds with
	// version 3.
	Inter int
	Addrs []netip.Addr
	// Message is the VRRP message itself; a Capture does not have it.
	Message []byte
	// ChecksumGood and IPChecksumGood say what tshark thinks of them; a Tap
	// does not look.
	ChecksumGood, IPChecksumGood bool
}

// ARP is an Ethernet and IPv4 ARP message. Op is 1 for a request, 2 for a reply.
type ARP struct {
	Op                   int
	SenderMAC, TargetMAC string
	SenderIP, TargetIP   netip.Addr
}

// Specification constants.
const (
	etherIPv4     = 0x0800
	etherARP      = 0x0806
	etherIPv6     = 0x86dd
	protocolVRRP  = 112
	arpRequest    = 1
	arpReply      = 2
	BroadcastMAC  = "ff:ff:ff:ff:ff:ff"
	GroupMAC      = "01:00:5e:00:00:12" // RFC 1112 §6.4 of 224.0.0.18
	zeroMAC       = "00:00:00:00:00:00"
	virtualPrefix = "00:00:5e:00:01:"
)

// VirtualMAC is the virtual router MAC address (RFC 3768 §7.3).
func VirtualMAC(vrid int) string { return fmt.Sprintf("%s%02x", virtualPrefix, vrid) }

// parseFrame reads an Ethernet frame; false when it is none of Frame's.
func parseFrame(b []byte) (f Frame, ok bool) {
	if len(b) < 14 {
		return f, false
	}
	f = Frame{Len: len(b), Dst: mac(b), Src: mac(b[6:])}
	switch payload := b[14:]; binary.BigEndian.Uint16(b[12:]) {
	case etherARP:
		f.ARP = parseARP(payload)
		return f, f.ARP != nil
	case etherIPv4:
		f.VRRP = parseVRRP(payload)
		return f, f.VRRP != nil
	case etherIPv6:
		f.VRRP, f.ND = parseIPv6(payload)
		return f, f.VRRP != nil || f.ND != nil
	}
	return f, false
}

func mac(b []byte) string { return net.HardwareAddr(b[:6]).String() }

func ipv4(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b[:4])) }

func parseARP(b []byte) *ARP {
	if len(b) < 28 || binary.BigEndian.Uint32(b) != 0x00010800 {
		return nil
	}
	return &ARP{Op: int(binary.BigEndian.Uint16(b[6:])), SenderMAC: mac(b[8:]), SenderIP: ipv4(b[14:]), TargetMAC: mac(b[18:]), TargetIP: ipv4(b[24:])}
}

func parseVRRP(b []byte) *VRRP {
	if len(b) < 20 || b[0]>>4 != 4 || b[9] != protocolVRRP {
		return nil
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if head < 20 || total < head+8 || total > len(b) {
		return nil
	}
	v := &VRRP{Src: ipv4(b[12:]), Dst: ipv4(b[16:]), TTL: int(b[8]), DSField: int(b[1])}
	v.parse(b[head:total], 4)
	return v
}

// parse reads a VRRP message of at least 8 bytes.
func (v *VRRP) parse(m []byte, size int) {
	v.Message = slices.Clone(m)
	v.Version, v.VRID, v.Priority, v.Count, v.Inter = int(m[0]>>4), int(m[1]), int(m[2]), int(m[3]), int(m[5])
	if v.Version == 3 {
		v.Inter |= int(m[4]&15) << 8
	}
	for a := m[8:]; len(v.Addrs) < v.Count && len(a) >= size; a = a[size:] {
		addr, _ := netip.AddrFromSlice(a[:size])
		v.Addrs = append(v.Addrs, addr)
	}
}

// Advert matches advertisements from a node of the lab.
func Advert(from *Node) func(Frame) bool {
	return func(f Frame) bool { return f.VRRP != nil && f.VRRP.Src == from.Addr }
}

// AdvertOf matches advertisements from a node with a priority.
func AdvertOf(from *Node, priority int) func(Frame) bool {
	return func(f Frame) bool { return Advert(from)(f) && f.VRRP.Priority == priority }
}

// GratuitousARP matches announcements of an address, from whatever MAC.
func GratuitousARP(vip netip.Addr) func(Frame) bool {
	return func(f Frame) bool { return f.ARP != nil && f.ARP.SenderIP == vip && f.ARP.TargetIP == vip }
}

// From matches what a node has sent, as told by its port.
func From(n *Node, match func(Frame) bool) func(Frame) bool {
	return func(f Frame) bool { return f.Port == n.Name && match(f) }
}

// Select returns the frames that match.
func Select(frames []Frame, match func(Frame) bool) (out []Frame) {
	for _, f := range frames {
		if match(f) {
			out = append(out, f)
		}
	}
	return out
}

// First returns the first frame after a time that matches.
func First(frames []Frame, after time.Time, match func(Frame) bool) (f Frame, ok bool) {
	i := slices.IndexFunc(frames, func(f Frame) bool { return f.Time.After(after) && match(f) })
	if i < 0 {
		return f, false
	}
	return frames[i], true
}

// Last returns the last frame before a time that matches.
func Last(frames []Frame, before time.Time, match func(Frame) bool) (f Frame, ok bool) {
	for _, f := range slices.Backward(frames) {
		if f.Time.Before(before) && match(f) {
			return f, true
		}
	}
	return f, false
}

// String writes a frame in one line.
func (f Frame) String() string {
	at := f.Time.Format("15:04:05.000000")
	switch {
	case f.VRRP != nil:
		return fmt.Sprintf("%s %s %s > %s advert vrid %d prio %d %v", at, f.Port, f.Src, f.VRRP.Src, f.VRRP.VRID, f.VRRP.Priority, f.VRRP.Addrs)
	case f.ARP != nil:
		return fmt.Sprintf("%s %s %s > %s arp op %d %s is %s, asks %s", at, f.Port, f.Src, f.Dst, f.ARP.Op, f.ARP.SenderIP, f.ARP.SenderMAC, f.ARP.TargetIP)
	case f.ND != nil:
		return fmt.Sprintf("%s %s %s > %s %+v", at, f.Port, f.Src, f.Dst, *f.ND)
	}
	return at
}
