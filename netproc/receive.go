package netproc

import (
	"errors"
	"net/netip"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/ipc/telling"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// datagramsATurn bounds what one turn reads from the frames lane: a flood of
// packets must not keep us from advertising. No takeover happens until all has
// been read that had arrived when it was due.
const datagramsATurn = 64

// receive reads the frames lane, to its end if that is near.
func (p *process) receive() error {
	for range datagramsATurn {
		n, err := p.frames.Recv(p.buf)
		if errors.Is(err, ipc.ErrAgain) {
			p.unread = false
			p.drain.emptied()
			return nil
		} else if err != nil {
			return err
		}
		p.now = p.clock() // packets may have arrived since the turn began
		for rest := p.buf[:n]; len(rest) > 0; {
			var h ipc.Header
			var payload []byte
			if h, payload, rest, err = ipc.Next(rest); err != nil {
				return err
			}
			if err := ipc.Check(h, len(payload), ipc.FromParent, ipc.LaneFrames, p.phase); err != nil {
				return err
			}
			f, err := telling.DecodeFrame(payload)
			if err != nil {
				return err
			}
			// Of whatever generation: a link keeps its number for life.
			p.packet(f)
			p.drain.passed(f.Received)
		}
	}
	p.unread = true
	return nil
}

// packet judges one packet and hands a good advertisement to its router. One
// that is discarded touches nothing but a counter.
func (p *process) packet(f ipc.Frame) {
	arrived := min(f.Received, p.now)
	r, source, message, why := p.judge(f, arrived)
	p.overheard(f.Link, source, message)
	if why != 0 {
		_, vrid := wire.Peek(message)
		p.drop(r, why, subject{f.Link, vrid, source}, message)
		return
	}
	r.heard.accepted(source, p.advert.Priority, arrived)
	r.advertised(p.advert.Addresses)
	p.remark(r, &p.advert, source, arrived)
	if r.vr.State() == engine.Active && p.advert.Priority != engine.PriorityLeaving {
		r.heal.contended(p.now, int64(r.interval))
	}
	p.step(r, arrived, engine.Advertisement{
		Source: source, Priority: p.advert.Priority, AdverInterval: p.advert.AdverInterval,
	})
}

// judge reads a packet into p.advert and makes the receive checks R1 to R16
// of RFC 9568 §7.1 and docs/conformance.md, in their order; the first that
// fails is why the packet is discarded. No check changes what a later one reads,
// and only what passes all of them is remembered.
func (p *process) judge(f ipc.Frame, arrived int64) (r *router, source netip.Addr, message []byte, why report.Drop) {
	parse, group := wire.ParseIPv4, wire.GroupIPv4
	if f.Family == ipc.IPv6 {
		parse, group = wire.ParseIPv6, wire.GroupIPv6
	}
	ip, message, problem := parse(f.Packet)
	switch {
	case problem != wire.NoProblem: // R1
		return nil, ip.Source, nil, dropOf(problem)
	case ip.Protocol != wire.Protocol:
		return nil, ip.Source, nil, report.DropIPHeader
	case ip.TTL != wire.TTL: // R2
		return nil, ip.Source, message, report.DropTTL
	case ip.Destination != group: // R3
		return nil, ip.Source, message, report.DropDestination
	}
	version, vrid := wire.Peek(message)
	r = p.byVRID[key{f.Link, f.Family, vrid}]
	if r != nil && !r.speaks(version) { // R4
		return r, ip.Source, message, report.DropVersion
	}
	trailer := r.trailerOf(message, ip.Source)
	if problem := wire.ParseWithTrailer(message, trailer, ip.Source, ip.Destination, &p.advert); problem != wire.NoProblem { // R4 to R7
		return r, ip.Source, message, dropOf(problem)
	}
	switch {
	case r == nil: // R8
		return nil, ip.Source, message, report.DropVRID
	case len(p.advert.Addresses) == 0: // R9
		return r, ip.Source, message, report.DropCount
	case p.advert.Version != 2 && p.advert.AdverInterval == 0: // R10
		return r, ip.Source, message, report.DropInterval
	}
	if why := p.authenticate(r, message, trailer, &p.advert, ip.Source); why != 0 { // R11
		return r, ip.Source, message, why
	}
	if why = r.check(&p.advert, ip.Source, arrived); why == 0 {
		why = p.admit(r, message, trailer, ip.Source)
	}
	return r, ip.Source, message, why
}

// speaks says whether a router understands a version.
func (r *router) speaks(version uint8) bool {
	return version == r.record.Version || r.record.Migration && version == 2
}

// check makes the receive checks R12 to R16, as far as they discard. In migration mode the interval is the sender's in version
// 2, too (RFC 9568 §8.4.2).
func (r *router) check(a *wire.Advertisement, source netip.Addr, arrived int64) report.Drop {
	v2 := a.Version == 2
	switch {
	case v2 && a.AdverInterval != r.interval && (!r.record.Migration || a.AdverInterval == 0): // R12
		return report.DropAdverInterval
	case r.record.Family == ipc.IPv6 && !a.Addresses[0].IsLinkLocalUnicast(): // R13
		return report.DropLinkLocal
	case v2 && a.Priority != engine.PriorityOwner && !r.isOurs(a.Addresses): // R14
		return report.DropAddressList
	case source == r.primary: // R16
		return report.DropOwnFrame
	case r.vr.State() == engine.Initialize && !r.watching:
		return report.DropInactive
	case v2 && r.migration.supersedes(source, arrived):
		return report.DropSuperseded
	}
	return 0
}
