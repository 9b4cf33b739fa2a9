package netproc

import (
	"net/netip"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// formHold is for how many intervals an Active that has changed the form of its
// checksum does not change it back for a router that would lose against the one
// it was changed for. Two that understand one form each, and not the same,
// cannot both be served; changing for each in turn would make every one of them
// Active again and again.
const formHold = 64

// learned is the form of the checksum that a virtual router has from others,
// and from whom.
type learned struct {
	changes  uint64 // how often it was changed: odd while it covers a pseudo-header
	by       netip.Addr
	priority uint8 // of by
	until    int64 // only who beats by changes it before
}

// form is the form of the checksum we send.
func (r *router) form() wire.Form {
	if r.record.Checksum == ipc.ChecksumPseudo || r.learns() && r.learned.changes%2 == 1 {
		return wire.FormPseudoHeader
	}
	return wire.FormPlain
}

// learns says whether the form is that of the others: only version 3 over IPv4
// has two.
func (r *router) learns() bool {
	return r.record.Checksum == ipc.ChecksumAuto && r.record.Version == 3 && r.record.Family == ipc.IPv4
}

// learn takes over the form of an accepted advertisement. A Backup follows the
// Active, and where two contend the one that will win: that is whom it will have
// to be understood by. An Active hears only routers that do not know of it, or
// are about to win. Those that do not understand it must, so that it changes at
// once; what it answers has the new form already.
func (p *process) learn(r *router, a *wire.Advertisement, source netip.Addr, arrived int64) {
	same, active := a.Checksum == r.form(), r.vr.State() == engine.Active
	if !r.learns() || !r.learned.yields(source, a.Priority, arrived) || same && active {
		return
	}
	hold := int64(aliveIntervals)
	if active {
		hold = formHold
	}
	r.learned.by, r.learned.priority = source, a.Priority
	r.learned.until = arrived + hold*int64(max(a.AdverInterval, r.interval))
	if same {
		return
	}
	r.learned.changes++
	r.remake()
	p.mark(r, ipc.Mark{Source: ipc.FormSource, Sequence: r.learned.changes})
}

// yields says whether a sender's form counts.
func (l *learned) yields(source netip.Addr, priority uint8, arrived int64) bool {
	return arrived > l.until || source == l.by || priority > l.priority || priority == l.priority && l.by.Less(source)
}

// resume goes on from what another process of the router has learned.
func (l *learned) resume(marks []ipc.Mark) {
	for _, m := range marks {
		if m.Source == ipc.FormSource {
			l.changes = max(l.changes, m.Sequence)
		}
	}
}
