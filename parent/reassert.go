package parent

import (
	"errors"
	"net/netip"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// reassert puts back what somebody else has taken away from the slots that
// are held: addresses, the device, or that it is up. A slot that it cannot be
// put back for is handed over: an Active without addresses is worse than none.
func (d *daemon) reassert(infos []linkInfo, addrs []addrInfo) {
	type on struct {
		index int
		addr  netip.Addr
	}
	present, devices := make(map[on]bool, len(addrs)), make(map[int]linkInfo, len(infos))
	for _, a := range addrs {
		present[on{a.Index, a.Prefix.Addr()}] = true
	}
	for _, i := range infos {
		devices[i.Index] = i
	}
	for _, s := range d.slots {
		if s == nil || !s.held {
			continue
		}
		device, there := devices[s.index]
		missing := 0
		for _, a := range s.placed {
			if !present[on{s.index, a.Prefix.Addr()}] {
				missing++
			}
		}
		var err error
		switch {
		case !there && s.own:
			err = d.remake(s)
		case there && (missing > 0 || s.own && !device.AdminUp):
			err = d.put(s, s.placed)
		default:
			continue
		}
		s.reasserted++
		if s.report.take(d.now) {
			d.log.Warn("put back what somebody else has removed", "vr", s.name, "device", there, "addresses", missing, "times", s.reasserted)
		}
		if err != nil {
			d.handOver(s, err)
			continue
		}
		d.announceSlot(s, d.links[s.link], 1)
	}
}

// remake makes a held slot's device again.
func (d *daemon) remake(s *slot) error {
	placed := s.placed
	s.index, s.held, s.placed = 0, false, nil
	err := d.equip(d.links[s.link], s)
	if err == nil {
		err = d.take(s)
	}
	if err != nil {
		s.placed = placed
	}
	return err
}

// handOver gives a slot up and tells the child, which says goodbye for it.
func (d *daemon) handOver(s *slot, why error) {
	d.log.Error("handing over", "vr", s.name, "error", errors.Join(why, d.give(s)))
	d.answer(ipc.Header{Slot: s.slot}, ipc.TypeAcquire, ipc.CodeKernel)
}
