package netproc

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// Implementation constants.
const (
	// An Active looks around again after lookAgain, and then each time after
	// twice as long, up to lookSeldom: a tap costs what the host forwards 5 to
	// 10 %, for as long as it is there.
	lookAgain, lookSeldom = int64(10 * time.Second), int64(time.Hour)
	// lookersMax is how many routers look at a link together, formersMax how many
	// former Actives are asked after together.
	lookersMax, formersMax = 256, 16
	// sendersMax bounds whom a look tells apart: anybody can invent senders.
	sendersMax = 1024
)

// look is a moment in which the parent watches a link below whatever can keep
// packets from the daemon. What the daemon hears meanwhile is held against it.
type look struct {
	began   int64
	ended   bool
	lookers []*router                   // who are Active, and hear nobody
	formers map[netip.Addr]*former      // who has just fallen silent, or is dropped
	heard   map[sender]bool             // by the daemon's sockets
	lost    bool                        // there were more of them
	arrived map[sender]uint32           // at the interface
	answers map[netip.Addr]hardwareAddr // to the questions for addresses
}

// sender is one of advertisements of a virtual router; proper are those that
// the daemon hears all of.
type sender struct {
	source netip.Addr
	vrid   uint8
	proper bool
}

// former is an Active from whom somebody has taken over.
type former struct {
	slot      ipc.Slot // one of those
	request   uint32   // number of the Look that asks after it
	takeovers uint32
	drop      report.Drop // why its advertisements were discarded, 0 if none were
}

// lookAt is the look at a router's link, a new one if there is none.
func (p *process) lookAt(r *router) *look {
	lk := p.looks[r.record.Link]
	if lk == nil {
		lk = &look{
			began: p.now, formers: make(map[netip.Addr]*former), heard: make(map[sender]bool),
			arrived: make(map[sender]uint32), answers: make(map[netip.Addr]hardwareAddr),
		}
		if p.looks == nil {
			p.looks = make(map[ipc.Link]*look)
		}
		p.looks[r.record.Link] = lk
	}
	return lk
}

// lookAround lets an Active look for others when it is time, with an
// advertisement: to hear nobody is what an Active that is alone expects, and
// one that is deaf, too.
func (p *process) lookAround(r *router) {
	if p.now < r.nextLook {
		return
	}
	lk := p.lookAt(r)
	if len(lk.lookers) == lookersMax || slices.Contains(lk.lookers, r) {
		return
	}
	lk.lookers = append(lk.lookers, r)
	r.look = p.send(r.slot, ipc.Look{})
	r.nextLook = p.now + r.lookWait
}

// turnedActive says when a new Active looks around first: at once if it has
// heard nobody, but for what was dropped. Of one that it has heard it knows that it
// is not deaf, or asks after it.
func (p *process) turnedActive(r *router, c *report.StateChange) {
	r.nextLook, r.lookWait = p.now, max(lookAgain, 10*int64(r.interval))
	if c.Reason != report.ReasonOwner && (c.Reason != report.ReasonActiveDown || c.Peer.IsValid()) {
		r.nextLook += r.lookWait
	}
	if wantsProbe(c) {
		p.probe(r, c)
	}
}

// wantsProbe says whether a takeover leaves open what became of the Active. Asked
// after is who sent an advertisement that was accepted, and nobody else: a neighbor
// without a key must not choose whom the parent asks for.
func wantsProbe(c *report.StateChange) bool {
	return c.Peer.IsValid() && (c.Verdict == report.VerdictSilent || c.Verdict == report.VerdictDropped)
}

// probe asks after a former Active: an advertisement that does not come may
// mean that it is dead, or that we are deaf to it, and then there are two
// Actives.
func (p *process) probe(r *router, c *report.StateChange) {
	lk := p.lookAt(r)
	f := lk.formers[c.Peer]
	switch {
	case f != nil:
		f.takeovers++
	case len(lk.formers) == formersMax:
		return
	default:
		f = &former{slot: r.slot, takeovers: 1, request: p.send(r.slot, ipc.Look{Peer: c.Peer})}
		lk.formers[c.Peer] = f
	}
	f.drop = max(f.drop, r.heard.doubt)
}

// lookRefused forgets what the parent will not look for, and nothing else that
// the same router has asked for. It was no look: the next one is due after the
// same time, and not after twice as long.
func (p *process) lookRefused(r *router, request uint32) {
	lk := p.looks[r.record.Link]
	if lk == nil {
		return
	}
	lk.lookers = slices.DeleteFunc(lk.lookers, func(l *router) bool { return l == r && r.look == request })
	maps.DeleteFunc(lk.formers, func(_ netip.Addr, f *former) bool { return f.slot == r.slot && f.request == request })
	if len(lk.lookers)+len(lk.formers) == 0 {
		delete(p.looks, r.record.Link)
	}
}

// overheard notes what the daemon hears on a link that is looked at.
func (p *process) overheard(link ipc.Link, source netip.Addr, message []byte) {
	lk := p.looks[link]
	if lk == nil {
		return
	}
	if len(lk.heard) == sendersMax {
		lk.lost = true
		return
	}
	_, vrid := wire.Peek(message)
	lk.heard[sender{source, vrid, true}] = true
}

// tapped notes what has been seen on a link. The last of a look waits until the
// frames lane has been read: the parent has put there first what its sockets have.
func (p *process) tapped(m ipc.Tapped) {
	lk := p.looks[m.Link]
	switch {
	case lk == nil:
	case len(m.Packet) == 0:
		lk.ended, p.lookEnded = true, true
	default:
		lk.note(m.Packet)
	}
}

// judgeLooks tells what the looks have found that are over.
func (p *process) judgeLooks() {
	p.lookEnded = false
	for link, lk := range p.looks {
		if lk.ended {
			delete(p.looks, link)
			lk.lost = lk.lost || p.missed >= lk.began
			p.tellFormers(lk)
			p.tellLookers(lk)
		}
	}
}

// tellFormers tells what became of the former Actives.
func (p *process) tellFormers(lk *look) {
	for peer, f := range lk.formers {
		if p.at(f.slot) == nil {
			continue
		}
		arrive, deaf := uint32(0), false
		for s, n := range lk.arrived {
			if s.source == peer {
				arrive += n
				deaf = deaf || p.deafTo(lk, f.slot, s)
			}
		}
		_, answers := lk.answers[peer]
		p.send(f.slot, report.Looked{Peer: peer, Answers: answers, Arrive: arrive, Takeovers: f.takeovers, Hint: f.hint(peer, answers, arrive, deaf)})
	}
}

// deafTo says whether advertisements of one of our virtual routers have reached
// the link of a slot, and none of them the daemon.
func (p *process) deafTo(lk *look, slot ipc.Slot, s sender) bool {
	r := p.at(slot)
	ours := p.byVRID[key{r.record.Link, r.record.Family, s.vrid}] != nil
	return ours && s.proper && !lk.heard[s] && !lk.lost
}

// tellLookers tells the Actives that are not alone. Deafness is the link's, and
// told once for all of them. Each looks around less often from now on.
func (p *process) tellLookers(lk *look) {
	said := false
	for _, r := range lk.lookers {
		r.lookWait = min(2*r.lookWait, lookSeldom)
		if p.at(r.slot) != r || r.vr.State() != engine.Active {
			continue
		}
		known, deaf := lk.others(r.record.VRID), []netip.Addr(nil)
		for _, s := range known {
			if p.deafTo(lk, r.slot, s) {
				deaf = append(deaf, s.source)
			}
		}
		hint := ""
		switch {
		case len(deaf) > 0 && !said:
			said = true
			hint = r.deafHint(deaf)
		case len(known) == 0: // else the two know of each other
			hint = r.answerHint(lk.answers)
		}
		if hint != "" {
			p.send(r.slot, report.Looked{Hint: hint[:min(len(hint), ipc.MaxHint)]})
		}
	}
}

// others are the senders of a virtual router, seen or heard.
func (lk *look) others(vrid uint8) (out []sender) {
	all := maps.Clone(lk.heard)
	for s := range lk.arrived {
		all[s] = true
	}
	for s := range all {
		if s.vrid == vrid {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b sender) int { return a.source.Compare(b.source) })
	return out
}
