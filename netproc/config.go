package netproc

import (
	"fmt"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// router is one virtual router.
type router struct {
	slot   ipc.Slot
	record ipc.Router
	vr     *engine.VirtualRouter
	out    wire.Advertisement // what we advertise; the priority changes
	// acquired is the sequence number of the last Acquire: the refusal of an
	// earlier one is old news.
	acquired uint32
	due      int64 // deadline, and where it stands
	queue    *deadlines
	place    int
}

// key is what an advertisement is looked up by (PROTOCOL R8).
type key struct {
	link   ipc.Link
	family ipc.Family
	vrid   uint8
}

func keyOf(r ipc.Router) key { return key{r.Link, r.Family, r.VRID} }

func newRouter(s ipc.Slot, m ipc.Router) *router {
	return &router{
		slot: s, record: m,
		vr: engine.New(engine.Config{
			Version: engine.Version(m.Version), Priority: m.Priority,
			AdverInterval: time.Duration(m.AdverInterval), PreemptMode: m.PreemptMode,
			AnnounceRepeat: m.AnnounceRepeat, AnnounceDelay: time.Duration(m.AnnounceDelay),
		}),
		out: wire.Advertisement{VRID: m.VRID, AuthType: wire.AuthNone, AdverInterval: time.Duration(m.AdverInterval), Addresses: m.Addresses},
	}
}

// same says whether two records are the same configuration.
func same(a, b ipc.Router) bool {
	x, y := a, b
	x.Addresses, y.Addresses = nil, nil
	return fmt.Sprint(x) == fmt.Sprint(y) && slices.Equal(a.Addresses, b.Addresses)
}

// commit swaps the staged configuration in. What has not changed keeps its
// state; what is gone or changed hands over; what is new starts.
func (p *process) commit(h ipc.Header, m ipc.Commit) error {
	if len(p.staged) != int(m.Routers) {
		return fmt.Errorf("commit of %d routers, %d are staged", m.Routers, len(p.staged))
	}
	byVRID := make(map[key]*router, len(p.staged))
	routers := make([]*router, 0, len(p.staged))
	for s, record := range p.staged {
		if byVRID[keyOf(record)] != nil {
			return fmt.Errorf("two routers with VRID %d on link %d", record.VRID, record.Link)
		}
		for int(s) >= len(routers) {
			routers = append(routers, nil)
		}
		r := p.at(s)
		if r == nil || !same(r.record, record) {
			r = newRouter(s, record)
		}
		routers[s], byVRID[keyOf(record)] = r, r
	}
	for s, old := range p.routers {
		if old != nil && (s >= len(routers) || routers[s] != old) {
			p.step(old, p.now, engine.Shutdown{})
		}
	}
	p.routers, p.byVRID, p.generation = routers, byVRID, h.Generation
	p.staged = make(map[ipc.Slot]ipc.Router)
	p.phase = ipc.PhaseRun
	p.out.Add(ipc.Header{Slot: ipc.NoSlot, Generation: p.generation}, ipc.Ready{})
	for _, r := range routers {
		if r != nil && r.vr.State() == engine.Initialize {
			p.start(r)
		}
	}
	clear(p.restored)
	return nil
}

// start lets a router begin, where its link is ready.
func (p *process) start(r *router) {
	l := p.linkState(r.record.Link)
	switch {
	case l.Up && p.restored[r.slot]:
		p.step(r, p.now, engine.Restore{Primary: l.Primary})
	case l.Up:
		p.step(r, p.now, engine.Startup{Primary: l.Primary})
	case p.restored[r.slot]:
		p.request(r, ipc.Release{}) // nobody would hear us
	}
}

// link takes over what became of a link.
func (p *process) link(m ipc.LinkState) error {
	if m.Up != m.Primary.IsValid() {
		return fmt.Errorf("link %d is up: %v, with address %v", m.Link, m.Up, m.Primary)
	}
	for int(m.Link) >= len(p.links) {
		p.links = append(p.links, ipc.LinkState{})
	}
	p.links[m.Link] = m
	if p.phase == ipc.PhaseConfigure {
		return nil
	}
	for _, r := range p.routers {
		switch {
		case r == nil || r.record.Link != m.Link:
		case m.Up:
			p.step(r, p.now, engine.Startup{Primary: m.Primary})
		default:
			p.step(r, p.now, engine.InterfaceDown{})
		}
	}
	return nil
}

func (p *process) linkState(l ipc.Link) ipc.LinkState {
	if int(l) >= len(p.links) {
		return ipc.LinkState{}
	}
	return p.links[l]
}
