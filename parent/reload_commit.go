package parent

import (
	"errors"
	"os"
	"slices"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// finish ends the old generation: the child has let go of everything that it
// does not have any more, or is dead.
func (d *daemon) finish() {
	d.acquireAll() // what the old generation has asked for last
	d.finishChore()
	for d.deleteNext() { // their names may be wanted again
		d.finishChore()
	}
	old := d.old
	d.old = nil
	d.show()
	if d.child != nil && d.child.phase == ipc.PhaseRun { // and is not to stop
		d.child.deadline = never
	}
	err := d.succeed(old)
	d.releaseLinks()
	err = errors.Join(err, d.resync())
	if err != nil {
		d.log.Error("reload", "error", err)
	}
	d.oldVault.Free()
	d.oldVault, d.stateDirty = nil, true // and written down for a next daemon
	if d.applied != nil && d.loaded != nil {
		d.applied(d.loaded.config, d.loaded.later)
	}
	d.loaded = nil
	d.log.Info("configuration loaded", "generation", d.generation)
	d.manager.tell("READY=1")
}

// succeed hands what old slots have in the ledger on to the next ones. What
// is to lie elsewhere is taken away from all of them before any gets it anew:
// the name of a device may be another's now, and two devices with one MAC
// address cannot be up at once. The child does not know devices: an Active
// goes on as it was, or hands over if it cannot have its addresses.
func (d *daemon) succeed(old []*slot) error {
	var errs []error
	var devices []int
	var kept, gone []*slot
	moved := make(map[*slot]bool)
	for _, o := range old {
		if o == nil || slices.Contains(d.slots, o) {
			continue
		}
		if s := d.behind(d.find(o.link, o.vrid)); s != nil && s.liesAs(&o.page) {
			d.inheritSlot(s, o)
			kept = append(kept, s)
		} else {
			gone = append(gone, o)
		}
	}
	for _, o := range gone { // once all that stays is known
		s, held := d.behind(d.find(o.link, o.vrid)), o.held
		errs = append(errs, d.give(&o.page))
		switch {
		case !o.own || o.index == 0:
		case s == nil && !d.wantsDevice(o.device):
			d.doom(o.index)
		default:
			devices = append(devices, o.index)
		}
		o.forget()
		if s != nil && held {
			moved[s] = true
		}
	}
	for _, l := range d.links {
		errs = append(errs, d.relax(l))
	}
	errs = append(errs, d.deleteDevices(devices))
	for _, l := range d.links {
		errs = append(errs, d.refit(l, moved))
	}
	for _, s := range kept {
		if s.held && !slices.Equal(s.placed, d.place(&s.page)) {
			if err := d.take(&s.page); err != nil {
				d.stepDown(s, err)
			}
		}
	}
	return errors.Join(errs...)
}

// wantsDevice says whether a slot wants a device of this name.
func (d *daemon) wantsDevice(device string) bool {
	return slices.ContainsFunc(d.slots, func(s *slot) bool { return s != nil && s.device == device })
}

// inheritSlot has a slot go on where an old one was.
func (d *daemon) inheritSlot(s, o *slot) {
	d.inheritPage(&s.page, &o.page)
	s.trouble, s.reached, s.start, s.reasserted = o.trouble, o.reached, o.start, o.reasserted
}

// refit makes what the slots of a link do not have yet.
func (d *daemon) refit(l *link, moved map[*slot]bool) error {
	if len(l.slots) == 0 {
		return d.detach(l)
	}
	for _, s := range l.slots {
		if l.index == 0 || s.index != 0 {
			continue
		}
		if !moved[s] {
			d.equipSoon(l, s)
			continue
		}
		err := d.equip(&l.wire, &s.page)
		if d.equipped(s, err); err == nil {
			err = d.take(&s.page)
		}
		if err != nil {
			d.stepDown(s, err)
			continue
		}
		d.moved(&s.page, s.told.AnnounceRepeat)
	}
	return nil
}

// releaseLinks gives up the locks of interfaces that no slot is on any more.
func (d *daemon) releaseLinks() {
	for name := range d.locks {
		if !slices.ContainsFunc(d.links, func(l *link) bool { return l.name == name && len(l.slots) > 0 }) {
			os.Remove(d.handoverFile(name))
			d.unlockLink(name)
		}
	}
}

// defaultDevices are the devices with default names that there are, by the
// names of their virtual routers.
func (d *daemon) defaultDevices() map[string]string {
	devices := make(map[string]string)
	for _, s := range d.slots {
		if s != nil && s.defaulted {
			devices[s.name] = s.device
		}
	}
	return devices
}
