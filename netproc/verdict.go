package netproc

import (
	"bytes"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
)

// Verdicts beside the reasons for which the daemon drops a packet.
const (
	verdictAccept      = "accept"
	verdictNotReceived = "not-received" // the daemon never gets it
	verdictIncomplete  = "incomplete"   // a fragment; others are missing
)

// pronounce judges a packet as the daemon would that has the configuration,
// by the same code and with the time of the capture. What the capture has cut
// off gets no verdict.
func (p *process) pronounce(v *packetView) {
	p.sniffer.notices = p.sniffer.notices[:0]
	link := v.links[0]
	if v.family == ipc.IPv6 {
		link = v.links[1]
	}
	if v.short {
		return
	}
	if v.why = p.sniffer.missed(v); v.why == "" && link == sniffing.NoLink {
		v.why = "interface"
	}
	p.recognise(v, link)
	switch {
	case v.why == missedSent && p.isOwn(v, link):
		v.verdict, v.why = report.DropOwnFrame.String(), ""
		return
	case v.why != "":
		v.verdict = verdictNotReceived
		return
	case v.waits:
		v.verdict = verdictIncomplete
		return
	}
	at := v.at
	p.now, p.wall = at.UnixNano(), func() time.Time { return at }
	f := ipc.Frame{Link: link, Family: v.family, Received: p.now, Packet: v.whole[:min(len(v.whole), ipc.MaxFrame)]}
	r, source, _, why := p.judge(f, p.now)
	if why != 0 {
		v.verdict = why.String()
		return
	}
	v.verdict = verdictAccept
	p.remark(r, &p.advert, source, p.now)
}

// recognise lets the routers of a link know an address of ours by which they
// are to know their own packets, where the user has told of some.
func (p *process) recognise(v *packetView, link ipc.Link) {
	if !slices.Contains(p.sniffer.Own, v.ip.Source) {
		return
	}
	for _, r := range p.routers {
		if r != nil && r.record.Link == link {
			r.primary = v.ip.Source
		}
	}
}

// isOwn says whether a packet comes from the primary address of a link.
func (p *process) isOwn(v *packetView, link ipc.Link) bool {
	return slices.ContainsFunc(p.routers, func(r *router) bool {
		return r != nil && r.record.Link == link && r.primary.IsValid() && r.primary == v.ip.Source
	})
}

// Reasons for which the daemon never gets a packet.
const missedSent = "sent"

// missed says why the kernel does not hand a packet to a daemon that listens
// on the interface; "" if it does.
func (s *sniffer) missed(v *packetView) string {
	group := groupOf(v.family)
	unicast := len(v.dst) == macLen && v.dst[0]&1 == 0
	known := slices.ContainsFunc(s.MACs, func(mac [macLen]byte) bool { return bytes.Equal(mac[:], v.dst) })
	switch {
	case v.arrival == sniffing.ArrivalSent:
		return missedSent
	case slices.ContainsFunc(v.vlans, func(id uint16) bool { return id != 0 }):
		return "vlan"
	case v.arrival == sniffing.ArrivalOther,
		v.arrival == sniffing.ArrivalUnknown && unicast && !known && (len(s.MACs) > 0 || v.ip.Destination == group):
		return "mac"
	case !v.ip.Source.IsValid(), v.family == ipc.IPv4 && headerSum(v.packet):
		return "ip-header"
	case v.refused:
		return "extension"
	case !plausible(v.ip.Source):
		return "source"
	case v.ip.Destination.IsMulticast() && v.ip.Destination != group:
		return "group"
	}
	return ""
}
