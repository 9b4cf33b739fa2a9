package netproc

import (
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// Implementation constants.
const (
	// roomRetry is the time between two attempts at an interface without room.
	roomRetry = int64(time.Millisecond)
	// roomChunk is how many advertisements an attempt is made with: each that
	// there is no room for comes back.
	roomChunk = 8
)

// outbox is what waits to leave one link: advertisements before announcements,
// and nobody waits for another link. The parent does what it is asked for at
// once, or says that the interface has no room.
type outbox struct {
	adverts      []*router // whose advertisement found no room
	urgent       []*router // whose addresses hosts look for elsewhere
	again        []*router // with announcements to repeat, by turns
	nextAnnounce int64     // no announcement before, but the urgent
	retry        int64     // nothing before: there was no room
	listed       bool      // among those that something waits in
}

// outbox is the one of a link.
func (p *process) outbox(l ipc.Link) *outbox {
	o := p.outboxes[l]
	if o == nil {
		o = &outbox{}
		p.outboxes[l] = o
	}
	if !o.listed {
		o.listed = true
		p.waiting = append(p.waiting, o)
	}
	return o
}

// due is when something is to leave.
func (o *outbox) due() int64 {
	switch {
	case len(o.adverts) > 0:
		return o.retry
	case len(o.urgent) > 0 && o.urgent[0].record.AnnounceInterval == 0:
		return o.retry
	case len(o.urgent)+len(o.again) > 0:
		return max(o.retry, o.nextAnnounce)
	}
	return never
}

// leave sends what is due.
func (p *process) leave(o *outbox) {
	if p.now < o.retry {
		return
	}
	for n := 0; len(o.adverts) > 0; n++ {
		if n == roomChunk {
			o.retry = p.now + roomRetry
			return
		}
		r := o.adverts[0]
		o.adverts = o.adverts[1:]
		p.advertiseAgain(r)
	}
	p.announceUrgent(o)
	p.announceAgain(o)
}

// leaveAll sends what is due on each link.
func (p *process) leaveAll() {
	listed := p.waiting[:0]
	for _, o := range p.waiting {
		p.leave(o)
		if o.listed = o.due() != never; o.listed {
			listed = append(listed, o)
		}
	}
	clear(p.waiting[len(listed):])
	p.waiting = listed
}

// waitingUntil is when the first of them is due.
func (p *process) waitingUntil() int64 {
	next := never
	for _, o := range p.waiting {
		next = min(next, o.due())
	}
	return next
}

// advertising is a router's last advertisement.
type advertising struct {
	goodbye bool
	unsent  bool   // there was no room for all of it
	said    uint32 // the number of its first message
}

// advertise has an advertisement sent, after those of others that wait for room;
// the next of the same router takes its place.
func (p *process) advertise(r *router, priority uint8) {
	r.advertising.goodbye = priority == engine.PriorityLeaving
	o := p.outboxes[r.record.Link]
	if o != nil && (len(o.adverts) > 0 || p.now < o.retry) {
		p.unadvertised(r)
		return
	}
	p.say(r)
}

// say sends a router's advertisement. Nothing in it is older than now, however
// long it has waited.
func (p *process) say(r *router) {
	r.advertising.said = p.sequence + 1
	for _, m := range r.messages() {
		p.send(r.slot, p.signed(r, m))
	}
}

// messages are those of the last advertisement.
func (r *router) messages() []ipc.Message {
	if r.advertising.goodbye {
		return r.goodbye
	}
	return r.advertise
}

// unadvertised has a router's last advertisement wait for room.
func (p *process) unadvertised(r *router) {
	if !r.unsent {
		r.unsent = true
		o := p.outbox(r.record.Link)
		o.adverts = append(o.adverts, r)
	}
}

// advertiseAgain sends what found no room, unless it is not true any more.
func (p *process) advertiseAgain(r *router) {
	r.unsent = false
	if p.at(r.slot) == r && (r.advertising.goodbye || r.vr.State() == engine.Active) {
		p.say(r)
	}
}

// full hears that there was no room for what a router has asked for.
func (p *process) full(r *router, h ipc.Header, m ipc.Result) {
	o := p.outbox(r.record.Link)
	o.retry = p.now + roomRetry
	o.nextAnnounce = min(o.nextAnnounce, o.retry) // what has not left keeps no distance
	switch {
	case m.Request == ipc.TypeAnnounce:
		o.unannounced(r, h, m)
	case h.Sequence-r.advertising.said < uint32(len(r.messages())):
		p.unadvertised(r)
	}
}
