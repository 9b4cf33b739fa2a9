package netproc

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// reportEvery is the least time between two reports of the same reason,
// whoever the sources are: a spoofed source cannot fill the log.
const reportEvery = int64(10 * time.Second)

// dropped counts the packets discarded for one reason.
type dropped struct {
	total, unreported uint64
	next              int64 // no report before
}

// receive reads the frames lane until it is empty.
func (p *process) receive() error {
	for {
		n, err := p.frames.Recv(p.buf)
		if errors.Is(err, ipc.ErrAgain) {
			return nil
		} else if err != nil {
			return err
		}
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
			p.packet(f)
		}
	}
}

// packet checks one packet and hands a good advertisement to its router. A
// packet that is dropped touches nothing but a counter.
func (p *process) packet(f ipc.Frame) {
	h, message, problem := wire.ParseIPv4(f.Packet)
	if reason := fromProblem(problem); reason != 0 {
		p.drop(f, h.Src, message, reason)
		return
	}
	r, reason := p.check(f, h, message)
	if reason != 0 {
		p.drop(f, h.Src, message, reason)
		return
	}
	p.step(r, min(f.Received, p.now), engine.Advertisement{
		Source: h.Src, Priority: p.advert.Priority, AdverInterval: p.advert.AdverInterval,
	})
}

// check makes the receive checks R2 to R16 of docs/conformance.md, in their
// order (RFC 3768 §7.1); the first that fails is the reason.
func (p *process) check(f ipc.Frame, h wire.IPv4, message []byte) (*router, ipc.Drop) {
	switch {
	case h.TTL != wire.TTL:
		return nil, ipc.DropTTL
	case h.Dst != wire.GroupIPv4:
		return nil, ipc.DropDestination
	}
	a := &p.advert
	if reason := fromProblem(wire.ParseV2(message, a)); reason != 0 {
		return nil, reason
	}
	r := p.byVRID[key{f.Link, f.Family, a.VRID}]
	switch {
	case r == nil:
		return nil, ipc.DropVRID
	case len(a.Addresses) == 0:
		return nil, ipc.DropCount
	case a.AuthType != wire.AuthNone:
		return nil, ipc.DropAuthType
	case a.AdverInterval != time.Duration(r.record.AdverInterval):
		return nil, ipc.DropAdverInterval
	case a.Priority != engine.PriorityOwner && !sameAddresses(a.Addresses, r.record.Addresses):
		return nil, ipc.DropAddressList
	case h.Src == p.linkState(f.Link).Primary:
		return nil, ipc.DropOwnFrame
	case r.vr.State() == engine.Initialize:
		return nil, ipc.DropInactive
	}
	return r, 0
}

// sameAddresses compares two lists in any order.
func sameAddresses(a, b []netip.Addr) bool {
	if len(a) != len(b) {
		return false
	}
	if slices.Equal(a, b) {
		return true
	}
	for _, ip := range b {
		if !slices.Contains(a, ip) {
			return false
		}
	}
	return true
}

// drop counts a discarded packet and reports it at a limited rate.
func (p *process) drop(f ipc.Frame, source netip.Addr, message []byte, reason ipc.Drop) {
	d := &p.drops[reason]
	d.total++
	d.unreported++
	if p.now < d.next || p.phase == ipc.PhaseConfigure {
		return
	}
	p.out.Add(ipc.Header{Slot: ipc.NoSlot, Generation: p.generation}, ipc.Dropped{
		Link: f.Link, Reason: reason, VRID: wire.VRID(message), Source: source,
		Count: uint32(min(d.unreported, 1<<32-1)),
	})
	d.unreported, d.next = 0, p.now+reportEvery
}
