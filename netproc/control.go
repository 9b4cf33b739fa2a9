package netproc

import (
	"errors"
	"fmt"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
	"github.com/rvrrpd/rvrrpd/ipc/telling"
)

// hear reads the control lane to its end.
func (p *process) hear() error {
	for {
		n, err := p.control.Recv(p.buf)
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
			if err := ipc.Check(h, len(payload), ipc.FromParent, ipc.LaneControl, p.phase); err != nil {
				return err
			}
			m, err := telling.Decode(h.Type, payload)
			if err != nil {
				return err
			}
			if err := p.told(h, m); err != nil {
				return err
			}
		}
	}
}

// told acts on one message of the parent.
func (p *process) told(h ipc.Header, m ipc.Message) error {
	switch m := m.(type) {
	case ipc.Hello:
		if m.Build != ipc.Build() {
			return fmt.Errorf("parent is build %q, this is %q", m.Build, ipc.Build())
		}
		p.phase = ipc.PhaseConfigure
		return nil
	case ipc.Router:
		return p.stageRouter(h, m)
	case ipc.Restore:
		return p.stageRestore(h)
	case ipc.LinkState:
		return p.linkState(h, m)
	case ipc.Secret:
		return p.stageSecret(h, m)
	case ipc.Mark:
		return p.stageMark(h, m)
	case ipc.Owner:
		return p.owner(h, m)
	case sniffing.Sniff:
		p.sniffer = &sniffer{Sniff: m}
		return nil
	case sniffing.Capture:
		p.capture(m)
		return nil
	case ipc.Commit:
		return p.commit(h, m)
	case ipc.Result:
		return p.result(h, m)
	case ipc.Moved:
		p.moved(h, m)
		return nil
	case ipc.Missed:
		p.missed = max(p.missed, m.Until)
		return nil
	case ipc.Tapped:
		p.tapped(m)
		return nil
	case ipc.Ping:
		p.send(ipc.NoSlot, ipc.Ping{})
		return nil
	case ipc.Stop:
		return errStopped
	default:
		return fmt.Errorf("parent sent: %v", h.Type)
	}
}

// result acts on an answer. The parent answers a Drain, and every request
// that it did not simply carry out.
func (p *process) result(h ipc.Header, m ipc.Result) error {
	if m.Request == ipc.TypeDrain {
		return p.drain.answer(h.Sequence, m.Code, p.clock())
	}
	r := p.at(h.Slot)
	switch {
	case m.Request == ipc.TypeRelease && m.Code == ipc.CodeNotHeld && h.Sequence == 0:
		if r != nil {
			p.revoked(r)
		}
		return nil
	case m.Code == ipc.CodeDone:
		return nil
	case m.Code == ipc.CodeFull:
		if r != nil {
			p.full(r, h, m)
		}
		return nil
	}
	p.refused[m.Code]++
	if r != nil && m.Request == ipc.TypeLook {
		p.lookRefused(r, h.Sequence)
		return nil
	}
	// Whatever the code: the addresses are not ours, and an Active without
	// addresses is worse than none. An answer to an older Acquire says
	// nothing about the present; one lost advertisement or announcement, or
	// a Release of what is not held, does no harm.
	// The answer to nobody's question is that the addresses were lost.
	if r != nil && m.Request == ipc.TypeAcquire && (h.Sequence == r.acquire || h.Sequence == 0 && r.vr.State() == engine.Active) {
		r.acquire = 0
		p.step(r, p.now, engine.Refused{})
	}
	return nil
}

// moved: hosts look for the addresses of an Active elsewhere.
func (p *process) moved(h ipc.Header, m ipc.Moved) {
	if r := p.at(h.Slot); r != nil && p.announces(r) {
		r.fresh = true
		p.announce(r, int(m.Rounds))
	}
}

// revoked: the parent took the addresses back because we did not advertise
// for too long. An Acquire of ours may have crossed that message, so that it
// holds them again: they are released in any case.
func (p *process) revoked(r *router) {
	if r.vr.State() == engine.Active {
		p.send(r.slot, ipc.Release{})
	}
	p.step(r, p.now, engine.Revoked{})
}
