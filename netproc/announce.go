package netproc

import (
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// Implementation constants.
const (
	// announceBurst announcements are sent on a link, and then none for
	// announceRest: two thousand in a second do no harm to a switch, nor to a
	// queue, and a thousand addresses are repeated four times in two seconds.
	// This is where no distance is configured.
	announceBurst, announceRest = 4, int64(2 * time.Millisecond)
	// roundsMax is how many configured rounds of announcements may wait; an
	// interface that cannot keep up with more gets these.
	roundsMax = 2
)

// announcing is what remains to be announced of a router.
type announcing struct {
	fresh    bool    // its addresses were taken, or moved, and not announced yet
	urgent   bool    // the first round goes on
	urgentAt int     // with this address
	first    request // the last one of that round
	repeated bool    // further rounds wait
	rounds   int     // so many
	roundAt  int     // the next address of these
	again    request // the last one of these
}

// request is an announcement that the parent was asked for.
type request struct {
	sequence uint32
	first    int  // number of the first address
	last     bool // its round ended with it
}

// announce tells the LAN where a router's addresses are, so many times; the
// first time at once where hosts look for them elsewhere.
func (p *process) announce(r *router, rounds int) {
	o := p.outbox(r.record.Link)
	if r.fresh {
		r.fresh, r.urgentAt = false, 0
		rounds--
		if len(o.urgent)+len(o.adverts) == 0 && p.now >= o.retry && r.record.AnnounceInterval == 0 {
			p.announceFirst(o, r, len(r.record.Addresses)) // with what takes them, for all who takes over at once
		} else {
			o.hurry(r)
		}
	}
	if rounds > 0 {
		r.rounds = min(r.rounds+rounds, roundsMax*max(rounds, int(r.record.AnnounceRepeat)))
		o.repeat(r)
	}
}

// hurry has the first round of a router wait, or go on.
func (o *outbox) hurry(r *router) {
	if !r.urgent {
		r.urgent = true
		o.urgent = append(o.urgent, r)
	}
}

// repeat has its further rounds wait.
func (o *outbox) repeat(r *router) {
	if !r.repeated {
		r.repeated = true
		o.again = append(o.again, r)
	}
}

// announceFirst sends the first round of a router, as many addresses of it.
func (p *process) announceFirst(o *outbox, r *router, n int) {
	n = min(n, len(r.record.Addresses)-r.urgentAt)
	r.first = p.announceNow(r, r.urgentAt, n)
	r.urgentAt += n
	o.paced(p.now, r.record.AnnounceInterval, n)
}

// announceNow asks for n addresses of a router to be announced, from a number on.
func (p *process) announceNow(r *router, first, n int) request {
	return request{sequence: p.send(r.slot, ipc.Announce{First: uint8(first), Count: uint8(n)}), first: first}
}

// announces says whether a router still has addresses to announce.
func (p *process) announces(r *router) bool {
	return p.at(r.slot) == r && r.vr.State() == engine.Active
}

// announceUrgent announces addresses that hosts look for elsewhere, one router
// after the other, and the addresses of one that has a distance configured one by one.
func (p *process) announceUrgent(o *outbox) {
	for len(o.urgent) > 0 {
		r := o.urgent[0]
		if !p.announces(r) || r.urgentAt >= len(r.record.Addresses) {
			r.urgent = false
			o.urgent = o.urgent[1:]
			continue
		}
		n := len(r.record.Addresses)
		if r.record.AnnounceInterval > 0 {
			if p.now < o.nextAnnounce {
				return
			}
			n = 1
		}
		p.announceFirst(o, r, n)
	}
}

// announceAgain repeats announcements, with their distance.
func (p *process) announceAgain(o *outbox) {
	for len(o.urgent) == 0 && len(o.again) > 0 && p.now >= o.nextAnnounce {
		p.burst(o)
	}
}

// burst repeats announcements of an address of each router by turns, or of a few
// of each where there are not so many routers.
func (p *process) burst(o *outbox) {
	room, share, interval := announceBurst, max(1, announceBurst/len(o.again)), int64(0)
	for turns := len(o.again); turns > 0 && room > 0 && interval == 0; turns-- {
		r := o.again[0]
		o.again = o.again[1:]
		if n := min(share, room); p.announces(r) && r.rounds > 0 {
			if interval = r.record.AnnounceInterval; interval > 0 {
				n = 1
			}
			room -= p.announceNext(r, n)
		} else {
			r.rounds = 0
		}
		if r.repeated = r.rounds > 0; r.repeated {
			o.again = append(o.again, r)
		}
	}
	if room < announceBurst {
		o.paced(p.now, interval, announceBurst-room)
	}
}

// announceNext goes on with a router's round by up to n addresses, and says by
// how many.
func (p *process) announceNext(r *router, n int) int {
	all := len(r.record.Addresses)
	r.roundAt = min(r.roundAt, all-1) // a reload may have left fewer
	n = min(n, all-r.roundAt)
	r.again = p.announceNow(r, r.roundAt, n)
	if r.roundAt += n; r.roundAt == all {
		r.again.last, r.roundAt = true, 0
		r.rounds--
	}
	return n
}

// paced puts the next announcement on a link off by what n of them take. A late
// one shortens the distance to the next, but not by more than half.
func (o *outbox) paced(now, interval int64, n int) {
	pace := interval
	if pace == 0 {
		pace, n = announceRest, (n+announceBurst-1)/announceBurst
	}
	if now-o.nextAnnounce > pace/2 {
		o.nextAnnounce = now
	}
	o.nextAnnounce += pace * int64(n)
}

// unannounced hears that the interface had room for no more of an announcement's
// addresses than were sent.
func (o *outbox) unannounced(r *router, h ipc.Header, m ipc.Result) {
	switch h.Sequence {
	case r.first.sequence:
		r.urgentAt = r.first.first + int(m.Sent)
		o.hurry(r)
	case r.again.sequence:
		r.roundAt = r.again.first + int(m.Sent)
		if r.again.last {
			r.again.last = false
			r.rounds++
		}
		o.repeat(r)
	}
}
