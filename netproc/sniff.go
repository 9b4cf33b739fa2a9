package netproc

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
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

// sniffer shows packets instead of running virtual routers.
type sniffer struct {
	ipc.Sniff
	shown   ipc.Shown
	notices []ipc.Notice // about the packet that is judged
}

// sight is what was captured, taken apart as far as it goes.
type sight struct {
	at       time.Time
	iface    string
	cut      bool // the capture has the beginning only
	src, dst []byte
	family   ipc.Family
	ip       wire.IP
	packet   []byte // the IP packet
	message  []byte // its payload, of protocol 112
	carp     bool
	trailer  int // bytes behind the message that can be an HMAC trailer
	advert   wire.Advertisement
	errors   []ipc.Drop
	verdict  ipc.Drop
}

// capture shows one captured frame.
func (p *process) capture(m ipc.Capture) {
	s := p.sniffer
	s.shown.Text = s.shown.Text[:0]
	if v, is := look(m); is && s.wants(v) {
		if s.Judge {
			p.pronounce(v)
		}
		s.show(v)
	}
	p.send(ipc.NoSlot, &s.shown)
}

// wants says whether a packet is to be shown.
func (s *sniffer) wants(v *sight) bool {
	_, vrid := wire.Peek(v.message)
	return s.VRID == 0 || s.VRID == vrid
}

// look takes a frame apart; false if it is not a packet of protocol 112.
func look(m ipc.Capture) (*sight, bool) {
	v := &sight{at: time.Unix(0, m.Time).UTC(), iface: m.Interface, cut: int(m.Length) > len(m.Frame)}
	kind, rest := v.linkHeader(m.LinkType, m.Frame)
	switch kind {
	case etherIPv4:
		v.family = ipc.IPv4
	case etherIPv6:
		v.family = ipc.IPv6
	default:
		return nil, false
	}
	v.packet = rest
	if v.family == ipc.IPv4 && (len(rest) < 10 || rest[9] != wire.Protocol) ||
		v.family == ipc.IPv6 && (len(rest) < 7 || rest[6] != wire.Protocol && !fragmentOf(rest)) {
		return nil, false
	}
	v.check()
	return v, true
}

// fragmentOf says whether an IPv6 packet is a fragment of one of protocol 112.
func fragmentOf(b []byte) bool { return b[6] == 44 && len(b) > 40 && b[40] == wire.Protocol }

// linkHeader skips the header of the link layer, and returns the type of
// Ethernet of what follows; 0 where there is none.
func (v *sight) linkHeader(linkType uint16, b []byte) (kind uint16, rest []byte) {
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
		if binary.BigEndian.Uint16(b[4:]) == macLen {
			v.src = b[6 : 6+macLen]
		}
		kind, rest = binary.BigEndian.Uint16(b[14:]), b[16:]
	case linkSLL2:
		if len(b) < 20 {
			return 0, nil
		}
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
		kind, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	return kind, rest
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

func (v *sight) wrong(why ipc.Drop) { v.errors = append(v.errors, why) }

// check reads IP and VRRP, and lists what is wrong as far as that can be seen
// without a configuration: everything, in the order of the receive checks.
func (v *sight) check() {
	parse, group := wire.ParseIPv4, wire.GroupIPv4
	if v.family == ipc.IPv6 {
		parse, group = wire.ParseIPv6, wire.GroupIPv6
	}
	var problem wire.Problem
	if v.ip, v.message, problem = parse(v.packet); problem != wire.NoProblem {
		v.wrong(dropOf(problem))
	}
	if problem == wire.ProblemIPHeader {
		return
	}
	if v.headerSum() {
		v.wrong(ipc.DropIPHeader)
	}
	if v.ip.TTL != wire.TTL {
		v.wrong(ipc.DropTTL)
	}
	if v.ip.Destination != group {
		v.wrong(ipc.DropDestination)
	}
	if problem != wire.NoProblem {
		return
	}
	if v.carp = isCARP(v.message); v.carp {
		return
	}
	if n := wire.Length(v.message, v.ip.Source); n > 0 && len(v.message) == n+auth.TrailerLen {
		v.trailer = auth.TrailerLen
	}
	if problem := wire.ParseWithTrailer(v.message, v.trailer, v.ip.Source, v.ip.Destination, &v.advert); problem != wire.NoProblem {
		v.wrong(dropOf(problem))
		return
	}
	v.contents()
}

// contents looks at an advertisement that is well formed.
func (v *sight) contents() {
	if len(v.advert.Addresses) == 0 {
		v.wrong(ipc.DropCount)
	} else if v.family == ipc.IPv6 && !v.advert.Addresses[0].IsLinkLocalUnicast() {
		v.wrong(ipc.DropLinkLocal)
	}
	if v.advert.AdverInterval == 0 {
		v.wrong(ipc.DropInterval)
	}
	if t := v.hmac(); t != nil && (t[0] != 1 || t[1] == 0 || t[2] != 0 || t[3] != 0) {
		v.wrong(ipc.DropTrailer)
	}
}

// hmac is the trailer, nil without one.
func (v *sight) hmac() []byte {
	if v.trailer == 0 {
		return nil
	}
	return v.message[len(v.message)-v.trailer:]
}

// headerSum says whether the checksum of an IPv4 header is wrong: the kernel
// drops such packets before the daemon could.
func (v *sight) headerSum() bool {
	if v.family != ipc.IPv4 || !v.ip.Source.IsValid() {
		return false
	}
	sum := uint32(0)
	for b := v.packet[:int(v.packet[0]&0x0f)*4]; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum != 0xffff
}

// isCARP recognises OpenBSD's CARP, which has taken the protocol number and
// the group, and looks like a VRRP advertisement of version 2: version and
// type 0x21, VHID, advskew, seven words of authentication data, 36 bytes.
func isCARP(b []byte) bool {
	const carpLen, authWords = 36, 7
	return len(b) == carpLen && b[0] == 0x21 && b[3] == authWords
}

// pronounce judges a packet as the daemon would that has the configuration,
// by the same code and with the time of the capture.
func (p *process) pronounce(v *sight) {
	p.sniffer.notices = p.sniffer.notices[:0]
	if v.headerSum() {
		v.verdict = ipc.DropIPHeader
		return
	}
	at := v.at
	p.now, p.wall = at.UnixNano(), func() time.Time { return at }
	f := ipc.Frame{Link: p.linkOf(v.family), Family: v.family, Received: p.now, Packet: v.packet}
	var r *router
	var source netip.Addr
	r, source, _, v.verdict = p.judge(f, p.now)
	if v.verdict == 0 {
		p.remark(r, &p.advert, source, p.now)
	}
}

// linkOf is the link that packets of a family were captured on: there is one
// at the most.
func (p *process) linkOf(f ipc.Family) ipc.Link {
	for _, r := range p.routers {
		if r != nil && r.record.Family == f {
			return r.record.Link
		}
	}
	return 0
}
