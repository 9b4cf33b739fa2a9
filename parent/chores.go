package parent

import (
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
)

// A chore is something that nobody waits for and the kernel may take its time for. To set a
// device down takes it some 12 ms, because it waits for all processors, and seconds where
// these are busy; an address that is put again waits for whoever else changes interfaces.
// A goroutine does them one after the other, so that advertisements do not wait.

// Implementation constants.
const (
	// choreRest is how long devices are left alone after the last change of addresses, ns:
	// the kernel does one thing at a time, and a takeover is to come first.
	choreRest = int64(100 * time.Millisecond)
	// choreShare is how many times longer than a chore has taken they are left alone after
	// it, for a takeover, or another daemon, not to wait behind a thousand of them.
	choreShare = 3
	// doomedChunk is how many devices are deleted at once: the kernel takes some 20 ms.
	doomedChunk = 100
	// reviveChunk and reviveSlots are how many addresses of a virtual router are put again in
	// one exchange with the kernel, and of how many routers in one chore.
	reviveChunk, reviveSlots = 8, 16
	// muteTime is how long a turn may have devices take no IPv6, and a bit.
	muteTime = int64(10 * time.Millisecond)
)

// chores is the chore under way. A worker that has not begun to run does none: they are done
// at once then.
type chores struct {
	worker[[]error]
	kernel *kernel.Kernel // the worker's own edge to the kernel
	about  []*page        // whose devices it is about
	after  func([]error)  // what the loop does then
	began  int64
	next   int64 // none that is not urgent begins before
}

// openChores starts the worker, with an edge to the kernel of its own.
func openChores() (c chores, err error) {
	if c.kernel, err = kernel.Open(); err == nil {
		c.worker, err = startWorker[[]error]()
	}
	return c, err
}

// chore begins one about slots; what follows it is done by the loop.
func (b *broker) chore(about []*page, do func(*kernel.Kernel) []error, after func([]error)) {
	c := &b.chores
	if c.asks == nil {
		after(do(b.kernel))
		return
	}
	c.about, c.after, c.began = about, after, ipc.Monotonic()
	c.ask(func() []error { return do(c.kernel) })
}

// finishChore waits for the chore under way, if there is one.
func (b *broker) finishChore() {
	c := &b.chores
	if !c.busy {
		return
	}
	errs := c.wait()
	now := ipc.Monotonic()
	c.about, c.next = nil, now+choreShare*(now-c.began)
	c.after(errs)
}

// finishChoreOf does so if it is about a slot, whose device is to be something else.
func (b *broker) finishChoreOf(s *page) {
	if slices.Contains(b.chores.about, s) {
		b.finishChore()
	}
}

// choreDone hears that one is done, perhaps one that was waited for.
func (b *broker) choreDone() {
	if b.chores.done() {
		b.finishChore()
	}
}

// rest leaves devices alone for a while.
func (b *broker) rest() { b.chores.next = max(b.chores.next, b.now+choreRest) }

// tidy begins the next chore, if none is under way.
func (b *broker) tidy() {
	if b.chores.busy {
		return
	}
	begun := b.reviveNext()
	if !begun && b.now >= b.chores.next {
		b.nextChore()
	}
}

// nextChore begins one, if there is any.
func (b *broker) nextChore() (begun bool) {
	for _, begin := range []func() bool{b.reviveNext, b.lowerNext, b.deleteNext} {
		if begun = begin(); begun {
			break
		}
	}
	return begun
}

// finishChores does all of them, before somebody else has to.
func (b *broker) finishChores() {
	b.finishChore()
	for b.nextChore() {
		b.finishChore()
	}
}

// choreDue is when the next one is to begin, never if there is none or one is under way.
func (b *broker) choreDue() int64 {
	switch {
	case b.chores.busy:
		return never
	case len(b.reviving) > 0:
		return b.now
	case len(b.lowering)+len(b.doomed) > 0:
		return max(b.now, b.chores.next)
	}
	return never
}

// lowerNext sets a device of a slot that was given back down. Without its addresses it
// answers for nothing, and takes no IPv4 that is to be forwarded (rp_filter).
func (b *broker) lowerNext() bool {
	for len(b.lowering) > 0 {
		s := b.lowering[0]
		b.lowering = b.lowering[1:]
		if s.held || !s.own || s.index == 0 {
			s.lowering = false
			continue
		}
		index := s.index
		b.chore([]*page{s}, func(k *kernel.Kernel) []error { return []error{k.Release(index, true, nil)} }, func(errs []error) {
			s.lowering = false
			if errs[0] != nil {
				b.log.Error("release failed", "vr", s.name, "error", errs[0])
			}
			b.unmute(s)
		})
		return true
	}
	return false
}

// muteMore has devices that are to be set down take no IPv6, which takes a hundredth of
// the time, as far as there is time in this turn.
func (b *broker) muteMore() {
	begin := ipc.Monotonic()
	for _, s := range b.lowering {
		if b.mute(s); ipc.Monotonic()-begin >= muteTime {
			return
		}
	}
}

// doom has a device deleted that nobody has any more.
func (b *broker) doom(index int) { b.doomed = append(b.doomed, index) }

// deleteNext deletes some of the devices that nobody has any more.
func (b *broker) deleteNext() bool {
	if len(b.doomed) == 0 {
		return false
	}
	n := min(len(b.doomed), doomedChunk)
	devices, group := slices.Clone(b.doomed[:n]), b.group|doomedGroup
	b.doomed = b.doomed[n:]
	b.chore(nil, func(k *kernel.Kernel) []error { return []error{k.DeleteLinks(devices, group)} }, func(errs []error) {
		if errs[0] != nil {
			b.log.Error("release failed", "devices", n, "error", errs[0])
		}
	})
	return true
}

// reviveNext puts addresses again, for their lifetime to begin anew.
func (b *broker) reviveNext() bool {
	var about []*page
	var placements []kernel.Placement
	for len(b.reviving) > 0 && len(about) < reviveSlots {
		r := &b.reviving[0]
		s := b.successor(r.slot)
		if s == nil || !s.held || r.from >= len(s.placed) {
			r.slot.reviving = false
			b.reviving = b.reviving[1:]
			continue
		}
		addrs := s.placed[r.from:min(r.from+reviveChunk, len(s.placed))]
		r.from += len(addrs)
		b.foreignAddresses.armed = b.foreignAddresses.armed || !s.own
		about = append(about, s)
		placements = append(placements, kernel.Placement{Device: s.index, Lifetime: b.life(s), Addresses: slices.Clone(addrs)})
		if r.from < len(s.placed) {
			break // the rest of it in the next
		}
	}
	if len(about) == 0 {
		return false
	}
	b.chore(about, func(k *kernel.Kernel) (errs []error) {
		for _, p := range placements {
			errs = append(errs, k.Revive(p))
		}
		return errs
	}, func(errs []error) {
		for i, err := range errs {
			if err != nil {
				about[i].aged = 0 // with the next advertisement
				b.log.Error("lease not renewed in the kernel", "vr", about[i].name, "error", err)
			}
		}
	})
	return true
}
