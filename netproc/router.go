package netproc

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// router is one virtual router.
type router struct {
	slot     ipc.Slot
	record   ipc.Router
	watching bool // it judges packets as if it had left Initialize: sniffer
	interval time.Duration
	slots    int // of an interval, on which advertisements fall; 0: as the engine has it
	vr       *engine.VirtualRouter
	primary  netip.Addr // the address its advertisements come from

	// The messages it sends again and again, made once for each primary; in
	// migration mode two each.
	advertise, goodbye []ipc.Message

	addressLists
	advertising
	announcing
	auth  authenticator
	heard hearing
	heal  healing
	// No announcement to refresh before.
	nextRefresh int64
	// nextLook is when it looks around, lookWait for how long not after that, look
	// the number of its last Look.
	nextLook, lookWait int64
	look               uint32
	forms              forms
	learned            learned
	migration          migration

	acquire uint32 // number of its last Acquire, 0 after it was refused

	// Its deadline, and where that stands; queue is nil while no timer runs.
	due   int64
	queue *deadlines
	place int
}

// newRouter makes a virtual router in Initialize, one of a crowd that has its interval. It refuses what the codec
// lets pass but no advertisement can carry.
func newRouter(s ipc.Slot, m ipc.Router, secrets []ipc.Secret, crowd int) (*router, error) {
	interval, unit, most := time.Duration(m.AdverInterval), time.Second, time.Duration(255)
	if m.Version == 3 {
		unit, most = 10*time.Millisecond, 4095
	}
	switch {
	case m.Version == 2 && m.Family != ipc.IPv4:
		return nil, fmt.Errorf("version 2 in family %d, accepted: 4", m.Family)
	case m.Migration && (m.Version != 3 || m.Family != ipc.IPv4):
		return nil, fmt.Errorf("migration mode with version %d in family %d, accepted: 3 and 4", m.Version, m.Family)
	case interval%unit != 0 || interval < unit || interval > most*unit:
		return nil, fmt.Errorf("interval %v, accepted in version %d: %v to %v in steps of %v", interval, m.Version, unit, most*unit, unit)
	}
	r := &router{slot: s, record: m, interval: interval, slots: slotsOf(crowd), addressLists: listsOf(m.Addresses)}
	r.vr = engine.New(r.engineConfig())
	var err error
	r.auth, err = newAuthenticator(&m, secrets)
	return r, err
}

// Implementation constants: a wake-up of two processes costs more than an advertisement, and a
// neighbor's socket has room for some 250 of them.
const (
	// gathered is how many virtual routers are to advertise together.
	gathered = 32
	// fewestSlots is the number of slots in an interval at the least: by one of them the first
	// period of an Active may be short.
	fewestSlots = 8
)

// slotsOf is how many slots the interval of a crowd has; 0: as the engine has it, and each router one
// of its own, more or less.
func slotsOf(crowd int) int {
	if crowd <= fewestSlots {
		return 0
	}
	return max(fewestSlots, crowd/gathered)
}

// key is what its advertisements are looked up by.
func (r *router) key() key { return key{r.record.Link, r.record.Family, r.record.VRID} }

// engineConfig is the engine's part of the record, with the priority that the
// router has now.
func (r *router) engineConfig() engine.Config {
	c := engineConfig(r.record)
	c.Priority, c.Slots = r.priority(), r.slots
	return c
}

// priority is the configured one, but 255 for the owner of the addresses.
func (r *router) priority() uint8 {
	if r.record.Ownership == ipc.OwnsAll {
		return engine.PriorityOwner
	}
	return r.record.Priority
}

// group is where our advertisements are sent.
func (r *router) group() netip.Addr {
	if r.record.Family == ipc.IPv6 {
		return wire.GroupIPv6
	}
	return wire.GroupIPv4
}

// fits says whether the state of a link is one that we can speak from, or
// not of our link.
func (r *router) fits(l ipc.LinkState) bool {
	return !l.Up || l.Link != r.record.Link || l.Primary.Is4() == (r.record.Family == ipc.IPv4)
}

// speakFrom sets the primary address.
func (r *router) speakFrom(primary netip.Addr) {
	if r.primary == primary {
		return
	}
	r.primary = primary
	r.advertise = r.advertisement(r.priority())
	r.goodbye = r.advertisement(engine.PriorityLeaving)
}

// remake makes the messages anew, because something in them is another now.
func (r *router) remake() {
	if primary := r.primary; primary.IsValid() {
		r.primary = netip.Addr{}
		r.speakFrom(primary)
	}
}

// advertisement makes the messages of one advertisement: version 3 first, so
// that whoever understands both can ignore version 2.
func (r *router) advertisement(priority uint8) (ms []ipc.Message) {
	a := wire.Advertisement{
		Version: r.record.Version, VRID: r.record.VRID, Priority: priority, Checksum: r.form(),
		AdverInterval: r.interval, AuthType: wire.AuthNone, Addresses: r.record.Addresses,
	}
	r.auth.fill(&a, r.primary, r.group())
	ms = append(ms, ipc.Advertise{Message: wire.Append(nil, &a, r.primary, r.group())})
	if r.record.Migration {
		a.Version, a.AdverInterval = 2, version2Interval(r.interval)
		ms = append(ms, ipc.Advertise{Message: wire.Append(nil, &a, r.primary, r.group())})
	}
	return ms
}

// start lets a new router begin as soon as its link is usable. Addresses the
// parent still holds for it are only worth keeping when it is now.
func (p *process) start(r *router, held bool) {
	l := p.links[r.record.Link]
	switch {
	case held && l.Up && r.record.Ownership != ipc.OwnsSome:
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
	if !l.Up || r.record.Ownership == ipc.OwnsSome {
		p.step(r, p.now, engine.InterfaceDown{})
		return
	}
	r.speakFrom(l.Primary)
	p.step(r, p.now, engine.Startup{Primary: l.Primary})
}
