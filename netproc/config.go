package netproc

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// configuration is what runs.
type configuration struct {
	generation uint32
	routers    []*router // by slot; nil where there is none
	byVRID     map[key]*router
	links      map[ipc.Link]ipc.LinkState
}

// key is what an advertisement is looked up by (R8).
type key struct {
	link   ipc.Link
	family ipc.Family
	vrid   uint8
}

// staging is a configuration on its way: everything of one generation, from
// its first record to Commit.
type staging struct {
	generation uint32
	records    map[ipc.Slot]ipc.Router
	secrets    map[ipc.Slot][]ipc.Secret
	marks      map[ipc.Slot][]ipc.Mark
	restored   map[ipc.Slot]bool
	links      map[ipc.Link]ipc.LinkState
}

// stage returns the staging area that a message belongs to. A link keeps its
// number and its state from the running configuration unless the new one
// says otherwise.
func (p *process) stage(h ipc.Header) (*staging, error) {
	switch {
	case h.Generation <= p.generation:
		return nil, fmt.Errorf("%v of generation %d, running is %d", h.Type, h.Generation, p.generation)
	case p.staged == nil:
		p.staged = &staging{
			generation: h.Generation,
			records:    make(map[ipc.Slot]ipc.Router),
			secrets:    make(map[ipc.Slot][]ipc.Secret),
			marks:      make(map[ipc.Slot][]ipc.Mark),
			restored:   make(map[ipc.Slot]bool),
			links:      make(map[ipc.Link]ipc.LinkState),
		}
		maps.Copy(p.staged.links, p.links)
	case p.staged.generation != h.Generation:
		return nil, fmt.Errorf("%v of generation %d, staged is %d", h.Type, h.Generation, p.staged.generation)
	}
	return p.staged, nil
}

func (p *process) stageRouter(h ipc.Header, m ipc.Router) error {
	s, err := p.stage(h)
	if err != nil {
		return err
	}
	if _, there := s.records[h.Slot]; there {
		return fmt.Errorf("slot %d: staged twice", h.Slot)
	}
	s.records[h.Slot] = m
	return nil
}

// stageSecret keeps a secret of a router that is staged.
func (p *process) stageSecret(h ipc.Header, m ipc.Secret) error {
	s, err := p.stage(h)
	if err != nil {
		return err
	}
	s.secrets[h.Slot] = append(s.secrets[h.Slot], ipc.Secret{ID: m.ID, Value: slices.Clone(m.Value)})
	clear(m.Value) // the memory messages are read into
	return nil
}

// stageMark keeps what another process of a router that is staged has sent
// or heard.
func (p *process) stageMark(h ipc.Header, m ipc.Mark) error {
	s, err := p.stage(h)
	if err != nil {
		return err
	}
	s.marks[h.Slot] = append(s.marks[h.Slot], m)
	return nil
}

func (p *process) stageRestore(h ipc.Header) error {
	s, err := p.stage(h)
	if err != nil {
		return err
	}
	s.restored[h.Slot] = true
	return nil
}

// linkState takes over what became of a link, now or at Commit.
func (p *process) linkState(h ipc.Header, m ipc.LinkState) error {
	if m.Up != m.Primary.IsValid() || m.Primary.Is6() && !m.Primary.IsLinkLocalUnicast() {
		return fmt.Errorf("link %d: up %v with primary address %v", m.Link, m.Up, m.Primary)
	}
	if h.Generation != p.generation {
		s, err := p.stage(h)
		if err != nil {
			return err
		}
		s.links[m.Link] = m
		return nil
	}
	if p.links == nil {
		return errors.New("link state before any configuration")
	}
	for _, r := range p.routers {
		if r != nil && !r.fits(m) {
			return fmt.Errorf("slot %d: primary address %v in family %d", r.slot, m.Primary, r.record.Family)
		}
	}
	was := p.links[m.Link]
	p.links[m.Link] = m
	if speaksAlike(was, m) {
		return nil
	}
	for _, r := range p.routers {
		if r != nil && r.record.Link == m.Link {
			p.follow(r)
		}
	}
	return nil
}

// speaksAlike says whether two states of a link are the same to who advertises
// on it: the networks matter to who listens.
func speaksAlike(a, b ipc.LinkState) bool {
	a.Networks = b.Networks
	return a == b
}

// owner takes over whether a router owns its addresses. It starts anew with
// the priority that follows from it; an Active first says goodbye, so that
// nobody waits for it.
func (p *process) owner(h ipc.Header, m ipc.Owner) error {
	if h.Generation != p.generation {
		s, err := p.stage(h)
		if err != nil {
			return err
		}
		record, there := s.records[h.Slot]
		if !there {
			return fmt.Errorf("slot %d: owned, but not configured", h.Slot)
		}
		record.Ownership = m.Ownership
		s.records[h.Slot] = record
		return nil
	}
	r := p.at(h.Slot)
	if r == nil {
		return fmt.Errorf("slot %d: owned, but not configured", h.Slot)
	}
	if r.record.Ownership == m.Ownership {
		return nil
	}
	p.own(r, m.Ownership)
	return nil
}

// own gives a router another ownership.
func (p *process) own(r *router, o ipc.Ownership) {
	p.step(r, p.now, engine.Shutdown{})
	r.record.Ownership = o
	p.actions = r.vr.Configure(engine.Instant(p.now), r.engineConfig(), p.actions[:0])
	r.primary = netip.Addr{}
	p.follow(r)
}

// update makes a router what fresh is, without a change of its state, unless
// it comes to own its addresses, or no longer does.
func (p *process) update(r, fresh *router) {
	ownership := fresh.record.Ownership
	moved := !slices.Equal(r.record.Addresses, fresh.record.Addresses)
	fresh.record.Ownership = r.record.Ownership
	r.record, r.interval, r.slots = fresh.record, fresh.interval, fresh.slots
	r.readdress(fresh.addressLists)
	if was, is := r.auth.hmac, fresh.auth.hmac; was != nil && is != nil {
		is.GoOn(was)
	}
	r.auth.wipe()
	r.auth = fresh.auth
	if !r.record.Migration {
		r.migration = migration{}
	}
	r.learned.changes = max(r.learned.changes, fresh.learned.changes)
	r.remake()
	if ownership != r.record.Ownership {
		p.own(r, ownership)
		return
	}
	p.actions = r.vr.Configure(engine.Instant(p.now), r.engineConfig(), p.actions[:0])
	if moved && r.vr.State() == engine.Active {
		if len(p.actions) == 0 {
			p.actions = append(p.actions, engine.SendAdvertisement{Priority: r.priority()})
		}
		// The parent takes what is new and gives up what is gone.
		p.actions = append(p.actions, engine.Acquire{})
		if n := r.record.AnnounceRepeat; n > 0 {
			p.actions = append(p.actions, engine.Announce{Repeat: n})
		}
	}
	for _, a := range p.actions {
		p.act(r, a)
	}
	p.schedule(r)
}

// commit swaps the staged configuration in. What has not changed keeps its
// state, and so does what has changed as long as it is the same virtual router
// in the same slot; what is gone hands over; what is new starts.
//
// The goodbyes still bear the old generation and stand before Ready, all else
// the new one and stands behind it: with Ready the parent can let go of what
// the old generation was granted.
func (p *process) commit(h ipc.Header, m ipc.Commit) error {
	s, err := p.stage(h)
	if err != nil {
		return err
	}
	next, changed, err := p.build(s, int(m.Routers))
	if err != nil {
		return err
	}
	if len(s.secrets) > 0 {
		ipc.Scrub()
	}
	for _, old := range p.routers {
		if old != nil && next.at(old.slot) != old {
			p.step(old, p.now, engine.Shutdown{})
			old.auth.wipe()
		}
	}
	if p.sniffer != nil { // the routers judge, and do nothing
		p.configuration, p.staged, p.phase = next, nil, ipc.PhaseSniff
		for _, r := range p.routers {
			if r != nil {
				l := p.links[r.record.Link]
				r.primary = l.Primary
				r.watching = (l.Up || !p.sniffer.Live) && r.record.Ownership != ipc.OwnsSome
			}
		}
		p.send(ipc.NoSlot, ipc.Ready{})
		return nil
	}
	kept := p.configuration
	p.looks = nil // which name slots
	p.configuration, p.staged, p.phase = next, nil, ipc.PhaseRun
	p.send(ipc.NoSlot, ipc.Ready{})
	for _, r := range p.routers {
		if r == nil {
			continue
		}
		fresh := r
		if changed[r] != nil {
			fresh = changed[r]
		}
		if fresh.auth.hmac != nil {
			p.tellMarks(fresh) // what has become of those it was told
		}
		if fresh != r {
			p.update(r, fresh)
		}
		switch {
		case kept.at(r.slot) != r:
			p.start(r, s.restored[r.slot])
		case !speaksAlike(kept.links[r.record.Link], p.links[r.record.Link]):
			p.follow(r)
		}
	}
	return nil
}

// build makes a configuration of what is staged, count routers in all. A
// router that goes on is the one it was; what it is to become is in changed.
func (p *process) build(s *staging, count int) (c configuration, changed map[*router]*router, err error) {
	if len(s.records) != count {
		return c, nil, fmt.Errorf("commit of %d routers, %d are staged", count, len(s.records))
	}
	for slot := range s.secrets {
		if _, there := s.records[slot]; !there {
			return c, nil, fmt.Errorf("slot %d: has a secret, but is not configured", slot)
		}
	}
	for slot := range s.restored {
		if _, there := s.records[slot]; !there {
			return c, nil, fmt.Errorf("slot %d: restored, but not configured", slot)
		}
	}
	crowds := make(map[int64]int) // by interval
	for _, record := range s.records {
		crowds[record.AdverInterval]++
	}
	changed = make(map[*router]*router)
	c = configuration{generation: s.generation, byVRID: make(map[key]*router, count), links: s.links}
	for slot, record := range s.records {
		fresh, err := newRouter(slot, record, s.secrets[slot], crowds[record.AdverInterval])
		if err != nil {
			return c, nil, fmt.Errorf("slot %d: %w", slot, err)
		}
		fresh.auth.resume(s.marks[slot])
		fresh.learned.resume(s.marks[slot])
		r := p.at(slot)
		if r == nil || r.key() != fresh.key() {
			r = fresh
		} else {
			changed[r] = fresh
		}
		if !r.fits(s.links[record.Link]) {
			return c, nil, fmt.Errorf("slot %d: primary address %v in family %d", slot, s.links[record.Link].Primary, record.Family)
		}
		k := r.key()
		if other := c.byVRID[k]; other != nil {
			return c, nil, fmt.Errorf("slots %d and %d: both are VRID %d on link %d", slot, other.slot, k.vrid, k.link)
		}
		c.byVRID[k] = r
		for len(c.routers) <= int(slot) {
			c.routers = append(c.routers, nil)
		}
		c.routers[slot] = r
	}
	return c, changed, nil
}

// at returns the router of a slot, nil where there is none.
func (c *configuration) at(s ipc.Slot) *router {
	if int(s) >= len(c.routers) {
		return nil
	}
	return c.routers[s]
}
