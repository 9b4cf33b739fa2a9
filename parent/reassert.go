package parent

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
)

// reassert puts back what somebody else has taken away: the device of a slot,
// and of one that is held the addresses, and that the device is up. A slot that
// it cannot be put back for is handed over: an Active without addresses is worse
// than none. The device of a slot that is not held is down: it would forward.
func (d *daemon) reassert(infos []facts.Link, addrs []facts.Address) {
	present, devices := make(map[on]bool, len(addrs)), make(map[int]facts.Link, len(infos))
	for _, a := range addrs {
		present[on{a.Index, a.Prefix.Addr()}] = true
	}
	for _, i := range infos {
		devices[i.Index] = i
	}
	for _, s := range d.slots {
		if s == nil || s.acquiring != nil || s.queued || s.own && s.made == d.now {
			continue // it is being put there, or what we have seen is older
		}
		l, waited := d.links[s.link], s.trouble.Lasts()
		device, there := devices[s.index]
		if s.own && there && l.mtu != device.MTU {
			d.widen(&s.page, l.mtu)
		}
		missing, held := s.missing(present), s.held
		var err error
		switch {
		case l.index == 0:
			continue
		case s.own && !there, d.old == nil && s.unequipped():
			if d.replace(l, s) != nil || waited {
				continue
			}
		case s.own && !bytes.Equal(device.MAC, s.mac[:]):
			if err = d.faceAgain(&s.page); err == nil && s.held {
				err = d.put(&s.page, s.placed)
			}
		case s.held && there && (missing > 0 || s.own && !device.AdminUp):
			err = d.mend(&s.page)
		case !s.held && s.own && !s.lowering && device.AdminUp:
			if err = d.lowerNow(&s.page); err == nil {
				if s.reasserted++; s.repairs.Take(d.now) {
					d.log.Warn("device set down again", "vr", s.name, "device", device.Name, "times", s.reasserted)
				}
				continue
			}
		default:
			continue
		}
		switch {
		case err != nil && held:
			d.stepDown(s, err)
			continue
		case err != nil:
			d.log.Error("release failed", "vr", s.name, "error", err)
			continue
		}
		d.tellRepair(s, there, missing, present)
		if s.held {
			d.moved(&s.page, 1)
		}
	}
	d.along = nil
}

// tellRepair tells of what was put back, and that it was somebody else who had
// removed it, unless we know better.
func (d *daemon) tellRepair(s *slot, there bool, missing int, present map[on]bool) {
	s.reasserted++
	because := d.unbidden(s, present)
	s.outlived = false
	switch {
	case !s.repairs.Take(d.now):
	case because != "":
		d.log.Warn("put back what the kernel has removed", "vr", s.name, "because", because, "addresses", missing, "times", s.reasserted)
	default:
		d.log.Warn("put back what somebody else has removed", "vr", s.name, "device", there, "addresses", missing, "times", s.reasserted)
	}
}

// unbidden says why addresses of a held slot have gone that nobody else has
// removed, "" if we do not know of it.
func (d *daemon) unbidden(s *slot, present map[on]bool) string {
	for _, a := range s.placed {
		switch {
		case present[on{s.index, a.Prefix.Addr()}]:
		case s.outlived:
			return "no advertisement has prolonged their lifetime"
		case slices.Contains(d.along, placed{s.index, a.Prefix}):
			return "they went with another address of their subnet that we gave back"
		}
	}
	return ""
}

// on is an address on an interface.
type on struct {
	index int
	addr  netip.Addr
}

// replace makes a slot's device again. If that fails the slot gives up what it
// holds, and waits for the device.
func (d *daemon) replace(l *link, s *slot) error {
	held := s.held
	err := d.remake(&s.page)
	d.equipped(s, err)
	if err != nil && held {
		d.stepDown(s, err)
	}
	if l.told.Up {
		d.own(l)
	}
	return err
}

// stepDown gives a slot up and tells the child, which says goodbye for it.
func (d *daemon) stepDown(s *slot, why error) {
	d.log.Error("handing over", "vr", s.name, "error", errors.Join(why, d.give(&s.page)))
	d.answer(ipc.Header{Slot: s.slot}, ipc.TypeAcquire, ipc.CodeKernel)
	d.links[s.link].lookAt(d.now) // whether it has its device at all
}
