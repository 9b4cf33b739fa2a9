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
	slot   *slot
	header ipc.Header
	// announce is what is to be announced once they are there, announced its header.
	announce  ipc.Announce
	announced ipc.Header
}

// takeSoon takes a slot's addresses together with those of other slots. What
// cannot be done so is done at once.
func (d *daemon) takeSoon(s *slot, h ipc.Header) ipc.Code {
	d.finishChoreOf(s)
	d.rest()
	if l := d.links[s.link]; s.index == 0 && l.index != 0 { // the last attempt failed
		err := d.equip(l, s)
		if d.equipped(s, err); err != nil {
			d.log.ErrorContext(hearsay, "acquire failed", "vr", s.name, "error", err)
			return ipc.CodeKernel
		}
	}
	d.unmute(s)
	if s.held || s.ioctl || s.etherMAC {
		if err := d.take(s); err != nil {
			d.log.ErrorContext(hearsay, "acquire failed", "vr", s.name, "error", err)
			return ipc.CodeKernel
		}
		return ipc.CodeDone
	}
	// The ledger first: undoing never forgets.
	s.held, s.placed = true, d.place(s)
	s.acquiring = &acquiring{slot: s, header: h}
	d.prolong(s, d.now)
	d.leaseCheck = min(d.leaseCheck, s.expires)
	d.acquisitions = append(d.acquisitions, s.acquiring)
	if len(d.acquisitions) >= acquireChunk {
		d.acquireAll()
	}
	return ipc.CodeDone
}

// acquireAll takes the addresses of all slots that wait, and announces them.
func (d *daemon) acquireAll() {
	all := d.acquisitions
	if len(all) == 0 {
		return
	}
	d.acquisitions = nil
	requests := make([]kernel.Placement, 0, len(all))
	for _, a := range all {
		requests = append(requests, d.placement(a.slot, a.slot.placed))
	}
	failed := d.kernel.Acquire(requests...) != nil
	for _, a := range all {
		s := a.slot
		s.acquiring = nil
		if failed { // find out whose it was; the others lose nothing
			if err := d.mend(s); err != nil {
				d.log.ErrorContext(hearsay, "acquire failed", "vr", s.name, "error", err)
				_ = d.give(s)
				d.links[s.link].lookAt(d.now) // at what is in the way
				d.answer(a.header, ipc.TypeAcquire, ipc.CodeKernel)
				continue
			}
		}
		if d.verbose(LevelLow) {
			d.log.Debug("addresses taken", "vr", s.name, "device", s.index, "addresses", s.placed)
		}
		if a.announce.Count > 0 {
			d.announce(s, d.links[s.link], a.announced, a.announce)
		}
	}
}
