package netproc

import (
	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// step gives an event to a router's engine, asks the parent for what comes of
// it, and puts the router's deadline in its place.
func (p *process) step(r *router, at int64, ev engine.Event) {
	p.actions = r.vr.Step(engine.Instant(at), ev, p.actions[:0])
	for _, a := range p.actions {
		p.act(r, a)
	}
	p.schedule(r)
}

// act turns one action into a message.
func (p *process) act(r *router, a engine.Action) {
	switch a := a.(type) {
	case engine.SendAdvertisement:
		r.out.Priority = a.Priority
		p.message.Message = wire.AppendV2(p.message.Message[:0], &r.out)
		p.request(r, &p.message)
	case engine.Acquire:
		p.request(r, ipc.Acquire{})
		r.acquired = p.sequence
	case engine.Release:
		p.request(r, ipc.Release{})
	case engine.Announce:
		p.request(r, ipc.Announce{Repeat: a.Repeat})
	case engine.StateChanged:
		p.request(r, ipc.StateChange{From: state(a.From), To: state(a.To), Reason: reason(a.Reason), Peer: a.Peer, Priority: a.Priority})
	}
}

// request sends a numbered request for a router's slot.
func (p *process) request(r *router, m ipc.Message) {
	p.sequence++
	p.out.Add(ipc.Header{Slot: r.slot, Generation: p.generation, Sequence: p.sequence}, m)
}

// The border between ipc and engine, one value at a time.

func state(s engine.State) ipc.State {
	switch s {
	case engine.Backup:
		return ipc.Backup
	case engine.Active:
		return ipc.Active
	default:
		return ipc.Initialize
	}
}

var reasons = map[engine.Reason]ipc.Reason{
	engine.Started:        ipc.ReasonStartup,
	engine.OwnerStarted:   ipc.ReasonOwner,
	engine.ActiveDown:     ipc.ReasonActiveDown,
	engine.ActiveLeft:     ipc.ReasonActiveLeft,
	engine.HigherPriority: ipc.ReasonHigherPriority,
	engine.HigherAddress:  ipc.ReasonHigherAddress,
	engine.ShutDown:       ipc.ReasonShutdown,
	engine.LinkDown:       ipc.ReasonLinkDown,
	engine.Restored:       ipc.ReasonRestored,
	engine.AcquireRefused: ipc.ReasonRefused,
	engine.LeaseLost:      ipc.ReasonLeaseLost,
}

func reason(r engine.Reason) ipc.Reason { return reasons[r] }

var problems = map[wire.Problem]ipc.Drop{
	wire.BadIPHeader: ipc.DropIPHeader,
	wire.IsFragment:  ipc.DropFragment,
	wire.BadVersion:  ipc.DropVersion,
	wire.BadType:     ipc.DropType,
	wire.BadLength:   ipc.DropLength,
	wire.BadChecksum: ipc.DropChecksum,
}

// fromProblem is 0 where there is none.
func fromProblem(p wire.Problem) ipc.Drop { return problems[p] }
