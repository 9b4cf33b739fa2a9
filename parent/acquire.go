package parent

import (
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
)

// acquireChunk is the number of slots whose addresses the kernel gets in one
// exchange: at a takeover of many this is most of the time, and yet the first
// announcement must not wait for the last address.
const acquireChunk = 16

// acquiring is an Acquire that waits for others, to the end of the turn at
// the longest.
type acquiring struct {
	slot   *page
	header ipc.Header
	// announce is what is to be announced once they are there, announced its header.
	announce  ipc.Announce
	announced ipc.Header
}

// takeSoon takes a slot's addresses together with those of other slots. What
// cannot be done so is done at once.
func (b *broker) takeSoon(s *page, h ipc.Header) ipc.Code {
	b.finishChoreOf(s)
	b.rest()
	if l := b.wires[s.link]; s.index == 0 && l.index != 0 { // the last attempt failed
		err := b.equip(l, s)
		if b.plan.equipped(s, err); err != nil {
			b.log.ErrorContext(hearsay, "acquire failed", "vr", s.name, "error", err)
			return ipc.CodeKernel
		}
	}
	b.unmute(s)
	if s.held || s.ioctl || s.etherMAC {
		if err := b.take(s); err != nil {
			b.log.ErrorContext(hearsay, "acquire failed", "vr", s.name, "error", err)
			return ipc.CodeKernel
		}
		return ipc.CodeDone
	}
	// The ledger first: undoing never forgets.
	s.held, s.placed = true, b.place(s)
	s.acquiring = &acquiring{slot: s, header: h}
	b.prolong(s, b.now)
	b.acquisitions = append(b.acquisitions, s.acquiring)
	if len(b.acquisitions) >= acquireChunk {
		b.acquireAll()
	}
	return ipc.CodeDone
}

// acquireAll takes the addresses of all slots that wait, and announces them.
func (b *broker) acquireAll() {
	all := b.acquisitions
	if len(all) == 0 {
		return
	}
	b.acquisitions = nil
	requests := make([]kernel.Placement, 0, len(all))
	for _, a := range all {
		requests = append(requests, b.placement(a.slot, a.slot.placed))
	}
	failed := b.kernel.Acquire(requests...) != nil
	for _, a := range all {
		s := a.slot
		s.acquiring = nil
		if failed { // find out whose it was; the others lose nothing
			if err := b.mend(s); err != nil {
				b.log.ErrorContext(hearsay, "acquire failed", "vr", s.name, "error", err)
				_ = b.give(s)
				b.plan.lookAt(b.wires[s.link], b.now) // at what is in the way
				b.answer(a.header, ipc.TypeAcquire, ipc.CodeKernel)
				continue
			}
		}
		if b.verbose(LevelLow) {
			b.log.Debug("addresses taken", "vr", s.name, "device", s.index, "addresses", s.placed)
		}
		if a.announce.Count > 0 {
			b.announce(s, b.wires[s.link], a.announced, a.announce)
		}
	}
}
