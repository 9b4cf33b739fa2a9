package parent

import "github.com/rvrrpd/rvrrpd/ipc"

// show makes the slots and links there are those of the broker.
func (d *daemon) show() {
	wires := make([]*wire, len(d.links))
	for i, l := range d.links {
		wires[i], l.pages = &l.wire, pagesOf(l.slots)
	}
	d.plan = plans{d}
	d.stage(pagesOf(d.slots), pagesOf(d.old), wires)
}

// pagesOf are the pages of slots, by number.
func pagesOf(slots []*slot) []*page {
	pages := make([]*page, len(slots))
	for i, s := range slots {
		if s != nil {
			pages[i] = &s.page
		}
	}
	return pages
}

// behind is the slot that has a page.
func (d *daemon) behind(p *page) *slot {
	for _, slots := range [][]*slot{d.slots, d.old} {
		if p != nil && int(p.slot) < len(slots) && slots[p.slot] != nil && &slots[p.slot].page == p {
			return slots[p.slot]
		}
	}
	return nil
}

// slot is one virtual router as the parent sees it.
type slot struct {
	page
	reached     bool // its first state has been reported
	start       start
	repairs     rate      // lines about what was put back
	outlived    bool      // the lifetime of its addresses may have run out, for we did not run
	partlySince int64     // the interface has some of the addresses since then; 0: all or none
	marks       marks     // what its senders have sent
	inherited   bool      // its page is that of the daemon before
	queued      bool      // its device is to be made
	reasserted  int       // how often something was put back
	trouble     complaint // about the device
}

func newSlot(g *grant) *slot {
	s := &slot{page: page{grant: *g}, repairs: repairRate}
	if s.told.Auth == ipc.AuthHMAC || s.told.Checksum == ipc.ChecksumAuto {
		s.marks = make(marks)
	}
	return s
}
