package parent

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
)

// equipTime is how long a turn may make devices, and a bit: making hundreds of
// them must not keep us from advertising on other links.
const equipTime = int64(10 * time.Millisecond)

// equipSoon gives a slot its device, in one of the next turns if this one has
// made many already. At the start there is nobody to wait for it.
func (d *daemon) equipSoon(l *link, s *slot) {
	if d.child == nil || len(d.equipping) == 0 && ipc.Monotonic()-d.now < equipTime {
		d.equipped(s, d.equip(l, s))
		return
	}
	s.queued = true
	d.equipping = append(d.equipping, s)
}

// equipMore makes devices that are still to be made, as far as there is time
// in this turn.
func (d *daemon) equipMore() {
	for begin := ipc.Monotonic(); len(d.equipping) > 0 && ipc.Monotonic()-begin < equipTime; {
		s := d.equipping[0]
		d.equipping = d.equipping[1:]
		l := d.links[s.link]
		if l.index != 0 && s.index == 0 && slices.Contains(l.slots, s) {
			d.equipped(s, d.equip(l, s))
			if l.told.Up {
				d.own(l)
			}
		}
		s.queued = false
	}
}

// equipped takes note of whether a slot has its device. Without, it waits in
// Initialize, and the others on its link do not.
func (d *daemon) equipped(s *slot, err error) {
	if s.trouble.about(err, d.now) {
		d.log.Error("no device for the addresses", "vr", s.name, "error", err)
	}
	if err != nil {
		d.links[s.link].lookAt(d.now + attachRetry)
	}
}

// widen gives a slot's device the MTU of its link: the kernel takes it along
// when that falls, and not when it rises again.
func (d *daemon) widen(s *slot, mtu int) {
	if err := kernel.SetMTU(s.index, mtu); err != nil && d.correcting.take(d.now) {
		d.log.Error("device without the MTU of its interface", "vr", s.name, "mtu", mtu, "error", err)
	}
}

// unequipped says whether the device is not there that a slot's addresses are
// for.
func (s *slot) unequipped() bool { return s.device != "" && s.index == 0 }

// equip gives a slot its device. The first one on a link changes the link's
// settings, too, and its alias remembers what they were, before they change.
func (d *daemon) equip(l *link, s *slot) (err error) {
	if s.inherited {
		return nil
	}
	if s.index = l.index; s.device == "" {
		return nil
	}
	s.index, s.own = 0, true
	if l.family == ipc.IPv4 && !l.settled {
		if l.saved, err = differing(l.name, linkSettings); err != nil {
			return err
		}
	}
	if s.index, err = d.kernel.CreateMACVLAN(l.index, s.device, s.mac[:], formatAlias(base{d.namespace, l.index}, l.saved), d.group); err != nil {
		if s.index != 0 {
			err = errors.Join(err, d.kernel.DeleteLink(s.index))
		}
		s.index = 0
		return fmt.Errorf("device %s: %w", s.device, err)
	}
	s.made = d.now
	d.furnish(l, s, s.device)
	if !l.settled {
		l.settled, l.saved = true, d.set(l.saved, false)
	}
	return nil
}

// strip takes slots' addresses and their devices away.
func (d *daemon) strip(slots ...*slot) error {
	var errs []error
	var devices []int
	for _, s := range slots {
		d.finishChoreOf(s)
		errs = append(errs, d.give(s))
		if s.own && s.index != 0 {
			devices = append(devices, s.index)
		}
		s.index, s.own, s.held, s.placed = 0, false, false, nil
	}
	return errors.Join(append(errs, d.kernel.DeleteLinks(devices, d.group|doomedGroup))...)
}
