package parent

import (
	"errors"
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
	d.oldVault, d.stateDirty = nil, true
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
		if s := d.find(o.link, o.vrid); s != nil && s.liesAs(o) {
			d.inheritPage(s, o)
			kept = append(kept, s)
		} else {
			gone = append(gone, o)
		}
	}
	for _, o := range gone { // once all that stays is known
		s, held := d.find(o.link, o.vrid), o.held
		errs = append(errs, d.give(o))
		switch {
		case !o.own || o.index == 0:
		case s == nil && !d.wantsDevice(o.device):
			d.doomed = append(d.doomed, o.index)
		default:
			devices = append(devices, o.index)
		}
		o.index, o.own, o.held, o.placed = 0, false, false, nil
		if s != nil && held {
			moved[s] = true
		}
	}
	for _, l := range d.links {
		errs = append(errs, d.relax(l))
	}
	errs = append(errs, d.kernel.DeleteLinks(devices, d.group|doomedGroup))
	for _, l := range d.links {
		errs = append(errs, d.refit(l, moved))
	}
	for _, s := range kept {
		if s.held && !slices.Equal(s.placed, d.place(s)) {
			if err := d.take(s); err != nil {
				d.handOver(s, err)
			}
		}
	}
	return errors.Join(errs...)
}

// wantsDevice says whether a slot wants a device of this name.
func (d *daemon) wantsDevice(device string) bool {
	return slices.ContainsFunc(d.slots, func(s *slot) bool { return s != nil && s.device == device })
}

// generations lists the slots there are, and while a reload is under way those
// of the generation before: these hold everything until it is over.
func (d *daemon) generations() []*slot { return present(d.slots, d.old) }

// active lists the slots that hold their addresses.
func (d *daemon) active() []*slot {
	return slices.DeleteFunc(present(d.slots), func(s *slot) bool { return !s.held })
}

// present lists slots without the numbers that nobody has.
func present(slots ...[]*slot) []*slot {
	return slices.DeleteFunc(slices.Concat(slots...), func(s *slot) bool { return s == nil })
}

// liesAs says whether a slot's addresses are where those of an old one are,
// and in the same way.
func (s *slot) liesAs(o *slot) bool {
	return s.device == o.device && s.etherMAC == o.etherMAC && s.ioctl == o.ioctl && (!s.ioctl || slices.Equal(s.addrs, o.addrs))
}

// inheritPage copies an old slot's page of the ledger.
func (d *daemon) inheritPage(s, o *slot) {
	s.index, s.own, s.held, s.placed, s.expires, s.wears = o.index, o.own, o.held, o.placed, o.expires, o.wears
	s.prolonged, s.made, s.trouble, s.muted = o.prolonged, o.made, o.trouble, o.muted
	if s.interval == o.interval { // or its lifetime is another
		s.aged = o.aged
	}
	s.reached, s.start, s.reasserted = o.reached, o.start, o.reasserted
	if i := slices.Index(d.lowering, o); i >= 0 {
		d.lowering[i], s.lowering = s, true
	}
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
		err := d.equip(l, s)
		if d.equipped(s, err); err == nil {
			err = d.take(s)
		}
		if err != nil {
			d.handOver(s, err)
			continue
		}
		d.moved(s, s.told.AnnounceRepeat)
	}
	return nil
}

// releaseLinks gives up the locks of interfaces that no slot is on any more.
func (d *daemon) releaseLinks() {
	for name := range d.locks {
		if !slices.ContainsFunc(d.links, func(l *link) bool { return l.name == name && len(l.slots) > 0 }) {
			d.unlockLink(name)
		}
	}
}

// bequeath lists, of addresses that a slot gives up, those that no other slot
// on the same device is to have: what one is to have stays where it is, and
// is on its page from now on.
func (d *daemon) bequeath(s *slot, gone []vaddr) (nobodys []vaddr, heirs []*slot) {
	for _, a := range gone {
		i := slices.IndexFunc(d.slots, func(t *slot) bool {
			return t != nil && t != s && t.held && t.index == s.index && !t.ioctl && !s.ioctl && has(d.place(t), a)
		})
		if i < 0 {
			nobodys = append(nobodys, a)
			continue
		}
		t := d.slots[i]
		if heirs = append(heirs, t); !has(t.placed, a) {
			t.placed = append(slices.Clone(t.placed), a)
		}
	}
	return nobodys, heirs
}

func has(addrs []vaddr, a vaddr) bool {
	return slices.ContainsFunc(addrs, func(b vaddr) bool { return a.Prefix == b.Prefix })
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
