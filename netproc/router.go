package netproc

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// router is one virtual router.
type router struct {
	slot     ipc.Slot
	record   ipc.Router
	sorted   []netip.Addr // its addresses, to compare lists in any order
	interval time.Duration
	vr       *engine.VirtualRouter
	primary  netip.Addr // the address its advertisements come from

	// The messages it sends again and again, made once for each primary.
	advertise, goodbye ipc.Message

	acquire uint32 // number of its last Acquire, 0 after it was refused

	// Its deadline, and where that stands; queue is nil while no timer runs.
	due   int64
	queue *deadlines
	place int
}

// newRouter makes a virtual router in Initialize. It refuses what the codec
// lets pass but no advertisement can carry.
func newRouter(s ipc.Slot, m ipc.Router) (*router, error) {
	interval, unit, most := time.Duration(m.AdverInterval), time.Second, time.Duration(255)
	if m.Version == 3 {
		unit, most = 10*time.Millisecond, 4095
	}
	switch {
	case m.Family != ipc.IPv4:
		return nil, fmt.Errorf("family %d, accepted: 4", m.Family)
	case interval%unit != 0 || interval < unit || interval > most*unit:
		return nil, fmt.Errorf("interval %v, accepted in version %d: %v to %v in steps of %v", interval, m.Version, unit, most*unit, unit)
	}
	r := &router{slot: s, record: m, interval: interval, vr: engine.New(engineConfig(m)), sorted: slices.Clone(m.Addresses)}
	slices.SortFunc(r.sorted, netip.Addr.Compare)
	return r, nil
}

// speakFrom sets the primary address.
func (r *router) speakFrom(primary netip.Addr) {
	if r.primary == primary {
		return
	}
	r.primary = primary
	r.advertise = r.advertisement(r.record.Priority)
	r.goodbye = r.advertisement(engine.PriorityLeaving)
}

func (r *router) advertisement(priority uint8) ipc.Message {
	a := wire.Advertisement{
		Version: r.record.Version, VRID: r.record.VRID, Priority: priority,
		AdverInterval: r.interval, AuthType: wire.AuthNone, Addresses: r.record.Addresses,
	}
	if r.record.PseudoHeader {
		a.Checksum = wire.FormPseudoHeader
	}
	return ipc.Advertise{Message: wire.Append(nil, &a, r.primary, wire.GroupIPv4)}
}

// start lets a new router begin as soon as its link is usable. Addresses the
// parent still holds for it are only worth keeping when it is now.
func (p *process) start(r *router, held bool) {
	l := p.links[r.record.Link]
	switch {
	case held && l.Up:
		r.speakFrom(l.Primary)
		p.step(r, p.now, engine.Restore{Primary: l.Primary})
	case held:
		p.send(r.slot, ipc.Release{})
	default:
		p.follow(r)
	}
}

// follow tells a router what its link is like now.
func (p *process) follow(r *router) {
	l := p.links[r.record.Link]
	if !l.Up {
		p.step(r, p.now, engine.InterfaceDown{})
		return
	}
	r.speakFrom(l.Primary)
	p.step(r, p.now, engine.Startup{Primary: l.Primary})
}
