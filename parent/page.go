package parent

import (
	"reflect"
	"slices"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// unequipped says whether the device is not there that a slot's addresses are
// for.
func (s *page) unequipped() bool { return s.device != "" && s.index == 0 }

// page is one virtual router as the ledger has it: its grant, and what the kernel holds on
// its behalf. It is written before the kernel is asked, so that undoing never forgets.
type page struct {
	grant
	made      int64 // when the device was
	ownership ipc.Ownership
	index     int        // device for the addresses, 0 while there is none
	own       bool       // the device is ours to delete
	lowering  bool       // it is to be set down
	muted     bool       // and takes no IPv6 until it is
	acquiring *acquiring // its addresses are to be taken in this turn
	held      bool       // the addresses are, or may be, on the device
	placed    []vaddr    // as they were put there
	wears     bool       // the interface has its MAC address
	unsent    bool       // its interface had no room for its last advertisement
	prolonged int64      // when the lease began
	aged      int64      // when the addresses were given their lifetime last, 0 for not yet
	reviving  bool       // they are to be given it anew
	expires   int64      // end of the lease, CLOCK_MONOTONIC in ns
	stuck     bool       // that is over, and the addresses could not be removed
	joints    []*joint   // the leases that it has a part in, its own at the front
}

// forget strikes the device, and what is on it: the kernel has it no more.
func (s *page) forget() { s.index, s.own, s.held, s.stuck, s.placed = 0, false, false, false, nil }

// inheritPage copies the page of a slot whose addresses stay where they are.
func (b *broker) inheritPage(s, o *page) {
	s.index, s.own, s.held, s.placed, s.expires, s.wears = o.index, o.own, o.held, o.placed, o.expires, o.wears
	s.prolonged, s.made, s.muted, s.stuck = o.prolonged, o.made, o.muted, o.stuck
	if s.interval == o.interval { // or its lifetime is another
		s.aged = o.aged
	}
	if i := slices.Index(b.lowering, o); i >= 0 {
		b.lowering[i], s.lowering = s, true
	}
}

// adoptPage opens the ledger at the page of the daemon before.
func (b *broker) adoptPage(s *page, h *savedSlot) {
	s.index, s.own, s.held, s.placed, s.expires = h.Index, s.device != "", h.Held, h.Placed, h.Expires
	if s.held {
		b.leaseCheck = min(b.leaseCheck, s.expires)
	}
}

// owned notes how many of its addresses the interface of a slot itself has. Its owner may
// advertise that it is one, from then on.
func (s *page) owned(o ipc.Ownership) {
	if s.ownership = o; o == ipc.OwnsAll {
		s.ceiling = priorityOwner
	}
}

// missing counts the slot's addresses that are not there.
func (s *page) missing(present map[on]bool) (n int) {
	for _, a := range s.placed {
		if s.held && !present[on{s.index, a.Prefix.Addr()}] {
			n++
		}
	}
	return n
}

// same says whether a slot that exists is as it would be made anew. One with
// secrets is always made anew, in the next vault.
func (s *page) same(g *grant) bool {
	a, b := s.record(), g.record()
	return len(s.secrets)+len(g.secrets) == 0 && s.link == g.link && s.device == g.device && s.defaulted == g.defaulted && s.accept == g.accept && s.etherMAC == g.etherMAC && s.ioctl == g.ioctl && s.linkUpDelay == g.linkUpDelay && s.derived == g.derived && s.owner == g.owner &&
		slices.Equal(s.addrs, g.addrs) && reflect.DeepEqual(a, b)
}

// find finds the slot of a virtual router.
func (b *broker) find(l ipc.Link, vrid uint8) *page {
	for _, s := range b.pages {
		if s != nil && s.link == l && s.vrid == vrid {
			return s
		}
	}
	return nil
}

// pageOf finds the page that a request is about, nil where there is none: while a
// reload is under way a request that was made before the child took over the next
// generation is about the one before.
func (b *broker) pageOf(h ipc.Header) *page {
	slots := b.pages
	if len(b.oldPages) > 0 && h.Generation == b.generation-1 {
		slots = b.oldPages
	}
	if int(h.Slot) >= len(slots) {
		return nil
	}
	return slots[h.Slot]
}

// successor is the slot itself, or the one that a reload has put in its place;
// nil if there is none.
func (b *broker) successor(s *page) *page {
	if slices.Contains(b.oldPages, s) {
		return s
	}
	if int(s.slot) >= len(b.pages) || b.pages[s.slot] == nil || b.pages[s.slot].link != s.link || b.pages[s.slot].vrid != s.vrid {
		return nil
	}
	return b.pages[s.slot]
}

// generations lists the slots there are, and while a reload is under way those
// of the generation before: these hold everything until it is over.
func (b *broker) generations() []*page { return present(b.pages, b.oldPages) }

// active lists the slots that hold their addresses.
func (b *broker) active() []*page {
	return slices.DeleteFunc(present(b.pages), func(s *page) bool { return !s.held })
}

// present lists slots without the numbers that nobody has.
func present[S any](slots ...[]*S) []*S {
	return slices.DeleteFunc(slices.Concat(slots...), func(s *S) bool { return s == nil })
}

// liesAs says whether a slot's addresses are where those of an old one are,
// and in the same way.
func (s *page) liesAs(o *page) bool {
	return s.device == o.device && s.etherMAC == o.etherMAC && s.ioctl == o.ioctl && (!s.ioctl || slices.Equal(s.addrs, o.addrs))
}
