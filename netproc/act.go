package netproc

import (
	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// step gives an event of the instant at to a router's engine, asks the parent
// for what comes of it, and puts the router's deadline in its place.
func (p *process) step(r *router, at int64, ev engine.Event) {
	p.actions = r.vr.Step(engine.Instant(at), ev, p.actions[:0])
	for _, a := range p.actions {
		p.act(r, a)
	}
	p.schedule(r)
}

// act turns one action into a message. Nothing is waited for: the parent
// carries them out in their order, and an answer becomes an event.
func (p *process) act(r *router, a engine.Action) {
	switch a := a.(type) {
	case engine.SendAdvertisement:
		p.advertise(r, a.Priority)
		if r.vr.State() != engine.Active || a.Priority == engine.PriorityLeaving {
			return
		}
		r.heal.told(p.now, int64(r.interval))
		if r.acquire != 0 {
			p.refresh(r)
			p.lookAround(r)
		}
	case engine.Acquire:
		r.acquire = p.send(r.slot, ipc.Acquire{})
		r.fresh = true
	case engine.Release:
		p.send(r.slot, ipc.Release{})
	case engine.Announce:
		p.announce(r, int(a.Repeat))
	case engine.StateChanged:
		c := stateChange(a)
		r.explain(&c, p.now, p.now-r.due)
		p.send(r.slot, c)
		r.changed(a.To, p.now)
		if a.To == engine.Active {
			p.turnedActive(r, &c)
		}
	}
}

// changed is what follows from a new state, for the announcements.
func (r *router) changed(to engine.State, now int64) {
	if r.heal.over(); to != engine.Active {
		return
	}
	r.nextRefresh = now + r.record.AnnounceRefresh
	if r.preempting(now) { // it may announce until it has heard us
		r.heal.contended(now, int64(r.interval))
		r.heal.told(now, int64(r.interval)) // by what was sent just now
	}
}
