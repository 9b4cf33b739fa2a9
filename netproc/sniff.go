package netproc

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// sniffer shows packets instead of running virtual routers.
type sniffer struct {
	sniffing.Sniff
	shown      sniffing.Shown
	notices    []report.Notice // about the packet that is judged
	assemblies assemblies
}

// packetView is what was captured, taken apart as far as it goes.
type packetView struct {
	at       time.Time
	iface    string
	links    sniffing.Links
	arrival  sniffing.Arrival
	cut      bool // the capture has the beginning only
	src, dst []byte
	vlans    []uint16 // outermost first
	family   ipc.Family
	packet   []byte // the IP packet as it was captured
	whole    []byte // as the daemon gets it: put together, without extension headers
	refused  bool   // the kernel does not deliver its extension headers
	pieces   int    // it is the last that came of so many fragments
	waits    bool   // it is a fragment, and others are missing
	short    bool   // message is cut off by the capture
	ip       wire.IP
	message  []byte // the payload, of protocol 112
	carp     bool
	trailer  int // bytes behind the message that can be an HMAC trailer
	form     wire.Form
	sum      verdictOfSum
	errors   []report.Drop
	verdict  string // "": none
	why      string // it is not-received
}

// verdictOfSum is what came of verifying a checksum.
type verdictOfSum uint8

const (
	sumUnknown verdictOfSum = iota // it cannot be computed
	sumWrong
	sumRight
)

// capture shows one captured frame.
func (p *process) capture(m sniffing.Capture) {
	s := p.sniffer
	s.shown.Text = s.shown.Text[:0]
	v := &packetView{at: time.Unix(0, m.Time).UTC(), iface: m.Interface, links: m.Links, arrival: m.Arrival, cut: int(m.Length) > len(m.Frame)}
	if s.look(v, m) && s.wants(v) {
		if s.Judge {
			p.pronounce(v)
		}
		s.show(v)
	}
	p.send(ipc.NoSlot, &s.shown)
}

// wants says whether a packet is to be shown. One whose VRID cannot be read
// may be the one that is looked for.
func (s *sniffer) wants(v *packetView) bool {
	_, vrid := wire.Peek(v.message)
	return s.VRID == 0 || len(v.message) < 2 || s.VRID == vrid
}

// look takes a frame apart; false if it is not a packet of protocol 112.
func (s *sniffer) look(v *packetView, m sniffing.Capture) bool {
	kind, rest := v.linkHeader(m.LinkType, m.Frame)
	v.packet = rest
	switch {
	case kind == etherIPv4 && len(rest) >= 10 && rest[9] == wire.Protocol:
		v.family = ipc.IPv4
		s.lookIPv4(v)
	case kind == etherIPv6 && len(rest) >= 7:
		v.family = ipc.IPv6
		if !s.lookIPv6(v) {
			return false
		}
	default:
		return false
	}
	v.check()
	return true
}

// lookIPv4 finds the message of an IPv4 packet, or of what is there of it.
func (s *sniffer) lookIPv4(v *packetView) {
	b := v.packet
	ip, message, problem := wire.ParseIPv4(b)
	if problem == wire.ProblemIPHeader && v.cut && len(b) >= 20 && int(binary.BigEndian.Uint16(b[2:])) > len(b) {
		b = slices.Clone(b)
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		ip, message, problem = wire.ParseIPv4(b)
		v.short = problem != wire.ProblemIPHeader
	}
	v.ip, v.message, v.whole = ip, message, b
	if problem == wire.ProblemIPHeader {
		v.wrong(report.DropIPHeader)
		return
	}
	if problem != wire.ProblemFragment {
		return
	}
	header := b[:int(b[0]&0x0f)*4]
	data := b[len(header):binary.BigEndian.Uint16(b[2:])]
	where := binary.BigEndian.Uint16(b[6:])
	f := piece{id: uint32(binary.BigEndian.Uint16(b[4:])), offset: int(where&0x1fff) * unit, more: where&0x2000 != 0}
	whole := s.assemble(v, header, f, data)
	if whole == nil {
		return
	}
	v.whole = whole
	v.ip, v.message, _ = wire.ParseIPv4(whole)
}

// lookIPv6 finds the message of an IPv6 packet behind its extension headers;
// false if it is of another protocol.
func (s *sniffer) lookIPv6(v *packetView) bool {
	b := v.packet
	ip, _, problem := wire.ParseIPv6(b)
	if problem == wire.ProblemIPHeader && v.cut && len(b) > ipv6HeaderLen && int(binary.BigEndian.Uint16(b[4:])) > len(b)-ipv6HeaderLen {
		b = slices.Clone(b)
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-ipv6HeaderLen))
		ip, _, problem = wire.ParseIPv6(b)
		v.short = problem != wire.ProblemIPHeader
	}
	v.whole = b
	if problem == wire.ProblemIPHeader {
		v.wrong(report.DropIPHeader)
		return b[6] == wire.Protocol
	}
	v.ip = ip
	b = b[:ipv6HeaderLen+int(binary.BigEndian.Uint16(b[4:]))]
	c := walk(b)
	v.refused = c.refused
	if c.piece == nil {
		return v.payload(b, c)
	}
	if c.next != wire.Protocol && (c.next != nextOptions || c.piece.offset == 0) {
		return false
	}
	whole := s.assemble(v, b[:c.fragment], *c.piece, b[c.fragment+unit:])
	if whole == nil {
		if c.piece.offset == 0 {
			_ = v.payload(b, c)
		}
		return c.next == wire.Protocol
	}
	c = walk(whole)
	v.refused = v.refused || c.refused
	return v.payload(whole, c)
}

// payload takes over the message behind extension headers.
func (v *packetView) payload(b []byte, c chain) bool {
	if c.next != wire.Protocol {
		return false
	}
	v.whole = stripped(b, c.at)
	v.ip, v.message, _ = wire.ParseIPv6(v.whole)
	return true
}

// assemble puts a fragment to the others, and returns the whole packet with
// the last one. Of the first fragment the message is shown as far as it goes.
func (s *sniffer) assemble(v *packetView, header []byte, f piece, data []byte) []byte {
	whole := (*assembly)(nil)
	if !v.short && s.missed(v) == "" {
		id := packetID{v.iface, v.family, v.ip.Source, v.ip.Destination, f.id}
		whole = s.assemblies.add(id, v.at, header, f, data)
	}
	if whole != nil {
		v.pieces = whole.pieces
		return whole.packet()
	}
	v.waits = true
	v.wrong(report.DropFragment)
	if f.offset == 0 {
		v.message = data
	}
	return nil
}

func (v *packetView) wrong(why report.Drop) { v.errors = append(v.errors, why) }

// check lists what is wrong as far as that can be seen without a
// configuration: everything, in the order of the receive checks.
func (v *packetView) check() {
	if !v.ip.Source.IsValid() {
		return
	}
	if v.family == ipc.IPv4 && headerSum(v.packet) {
		v.wrong(report.DropIPHeader)
	}
	if v.ip.TTL != wire.TTL {
		v.wrong(report.DropTTL)
	}
	if v.ip.Destination != groupOf(v.family) {
		v.wrong(report.DropDestination)
	}
	if v.carp = isCARP(v.message); v.carp || v.waits || v.short && len(v.message) == 0 {
		return
	}
	v.checkMessage()
}

// groupOf is where advertisements of a family are sent.
func groupOf(f ipc.Family) netip.Addr {
	if f == ipc.IPv6 {
		return wire.GroupIPv6
	}
	return wire.GroupIPv4
}

// checkMessage looks at the message. Of one that is cut off by the capture it
// says nothing that the rest could change.
func (v *packetView) checkMessage() {
	m := v.message
	if len(m) == 0 {
		v.wrong(report.DropLength)
		return
	}
	version := m[0] >> 4
	if version != 3 && (version != 2 || v.family != ipc.IPv4) {
		v.wrong(report.DropVersion) // of which we know no layout
		return
	}
	if m[0]&0x0f != 1 {
		v.wrong(report.DropType)
	}
	n := wire.Length(m, v.ip.Source)
	if n > 0 && len(m) == n+auth.TrailerLen {
		v.trailer = auth.TrailerLen
	}
	if !v.short && len(m) != n+v.trailer {
		v.wrong(report.DropLength)
	}
	if n > 0 && len(m) >= n {
		if v.verify(n); v.sum == sumWrong {
			v.wrong(report.DropChecksum)
		}
	}
	v.contents(version)
}

// verify computes the checksum of a message of n bytes: over what it claims
// to be, and in IPv6, where the kernel makes it, over all that is there.
func (v *packetView) verify(n int) {
	v.sum = sumWrong
	covered := [][]byte{v.message[:n]}
	if v.family == ipc.IPv6 && !v.short {
		covered = append(covered, v.message)
	}
	for _, b := range covered {
		if form, right := wire.Verify(b, v.ip.Source, v.ip.Destination); right {
			v.form, v.sum = form, sumRight
		}
	}
}

// contents looks at the fields, as far as they are there.
func (v *packetView) contents(version uint8) {
	m := v.message
	if len(m) > 1 && m[1] == 0 {
		v.wrong(report.DropVRID)
	}
	if len(m) > 3 && m[3] == 0 {
		v.wrong(report.DropCount)
	}
	if len(m) < 8 {
		return
	}
	if version == 3 && binary.BigEndian.Uint16(m[4:])&0x0fff == 0 {
		v.wrong(report.DropInterval)
	}
	if version == 2 && authName(m[4]) == unknownAuth(m[4]) {
		v.wrong(report.DropAuthType)
	}
	if t := v.hmac(); t != nil && (t[0] != 1 || t[1] == 0 || t[2] != 0 || t[3] != 0) {
		v.wrong(report.DropTrailer)
	}
	if version == 2 && m[5] == 0 {
		v.wrong(report.DropAdverInterval)
	}
	if list := addresses(m, v.ip.Source, len(m)-v.trailer); v.family == ipc.IPv6 && len(list) > 0 && !list[0].IsLinkLocalUnicast() {
		v.wrong(report.DropLinkLocal)
	}
}

// hmac is the trailer, nil without one.
func (v *packetView) hmac() []byte {
	if v.trailer == 0 {
		return nil
	}
	return v.message[len(v.message)-v.trailer:]
}

// isCARP recognises OpenBSD's CARP, which has taken the protocol number and
// the group, and looks like a VRRP advertisement of version 2: version and
// type 0x21, VHID, advskew, seven words of authentication data, 36 bytes.
func isCARP(b []byte) bool {
	const carpLen, authWords = 36, 7
	return len(b) == carpLen && b[0] == 0x21 && b[3] == authWords
}
