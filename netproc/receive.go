package netproc

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// datagramsATurn bounds what one turn reads from the frames lane: a flood of
// packets must not keep us from advertising. No takeover happens until the
// rest has been read.
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
			f, err := ipc.DecodeFrame(payload)
			if err != nil {
				return err
			}
			// Another generation may have numbered the links differently.
			if h.Generation == p.generation {
				p.packet(f)
			}
		}
	}
	p.unread = true
	return nil
}

// packet judges one packet and hands a good advertisement to its router. One
// that is discarded touches nothing but a counter.
func (p *process) packet(f ipc.Frame) {
	r, source, message, why := p.judge(f)
	if why != 0 {
		_, vrid := wire.Peek(message)
		p.drop(f.Link, why, vrid, source)
		return
	}
	p.step(r, min(f.Received, p.now), engine.Advertisement{
		Source: source, Priority: p.advert.Priority, AdverInterval: p.advert.AdverInterval,
	})
}

// judge reads a packet into p.advert and makes the receive checks R1 to R8
// of RFC 9568 §7.1 and docs/conformance.md, in their order; the first that
// fails is why the packet is discarded.
func (p *process) judge(f ipc.Frame) (r *router, source netip.Addr, message []byte, why ipc.Drop) {
	if f.Family != ipc.IPv4 {
		return nil, source, nil, ipc.DropVRID // R8: no virtual router of that family is here
	}
	ip, message, problem := wire.ParseIPv4(f.Packet)
	switch {
	case problem != wire.NoProblem: // R1
		return nil, ip.Source, nil, dropOf(problem)
	case ip.Protocol != wire.Protocol:
		return nil, ip.Source, nil, ipc.DropIPHeader
	case ip.TTL != wire.TTL: // R2
		return nil, ip.Source, message, ipc.DropTTL
	case ip.Destination != wire.GroupIPv4: // R3
		return nil, ip.Source, message, ipc.DropDestination
	}
	version, vrid := wire.Peek(message)
	r = p.byVRID[key{f.Link, f.Family, vrid}]
	if r != nil && version != r.record.Version { // R4
		return nil, ip.Source, message, ipc.DropVersion
	}
	if problem := wire.Parse(message, ip.Source, ip.Destination, &p.advert); problem != wire.NoProblem { // R4 to R7
		return nil, ip.Source, message, dropOf(problem)
	}
	if r == nil { // R8
		return nil, ip.Source, message, ipc.DropVRID
	}
	return r, ip.Source, message, r.check(&p.advert, ip.Source)
}

// check makes the receive checks R9 to R16, as far as they concern IPv4
// without authentication. R15 discards nothing.
func (r *router) check(a *wire.Advertisement, source netip.Addr) ipc.Drop {
	v2 := a.Version == 2
	switch {
	case len(a.Addresses) == 0: // R9
		return ipc.DropCount
	case !v2 && a.AdverInterval == 0: // R10
		return ipc.DropInterval
	case v2 && a.AuthType != wire.AuthNone: // R11; the data of this type is ignored (RFC 3768 §5.3.10)
		return ipc.DropAuthType
	case v2 && a.AdverInterval != r.interval: // R12
		return ipc.DropAdverInterval
	case v2 && a.Priority != engine.PriorityOwner && !r.isOurs(a.Addresses): // R14
		return ipc.DropAddressList
	case source == r.primary: // R16
		return ipc.DropOwnFrame
	case r.vr.State() == engine.Initialize:
		return ipc.DropInactive
	}
	return 0
}

// isOurs says whether a list has our addresses, in any order. It may sort it.
func (r *router) isOurs(list []netip.Addr) bool {
	if len(list) != len(r.sorted) {
		return false
	}
	if slices.Equal(list, r.record.Addresses) {
		return true
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Equal(list, r.sorted)
}
