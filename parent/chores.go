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
	about  []*slot        // whose devices it is about
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
func (d *daemon) chore(about []*slot, do func(*kernel.Kernel) []error, after func([]error)) {
	c := &d.chores
	if c.asks == nil {
		after(do(d.kernel))
		return
	}
	c.about, c.after, c.began = about, after, ipc.Monotonic()
	c.ask(func() []error { return do(c.kernel) })
}

// finishChore waits for the chore under way, if there is one.
func (d *daemon) finishChore() {
	c := &d.chores
	if !c.busy {
		return
	}
	errs := c.wait()
	now := ipc.Monotonic()
	c.about, c.next = nil, now+choreShare*(now-c.began)
	c.after(errs)
}

// finishChoreOf does so if it is about a slot, whose device is to be something else.
func (d *daemon) finishChoreOf(s *slot) {
	if slices.Contains(d.chores.about, s) {
		d.finishChore()
	}
}

// choreDone hears that one is done, perhaps one that was waited for.
func (d *daemon) choreDone() {
	if d.chores.done() {
		d.finishChore()
	}
}

// rest leaves devices alone for a while.
func (d *daemon) rest() { d.chores.next = max(d.chores.next, d.now+choreRest) }

// tidy begins the next chore, if none is under way.
func (d *daemon) tidy() {
	if d.chores.busy {
		return
	}
	begun := d.reviveNext()
	if !begun && d.now >= d.chores.next {
		d.nextChore()
	}
}

// nextChore begins one, if there is any.
func (d *daemon) nextChore() (begun bool) {
	for _, begin := range []func() bool{d.reviveNext, d.lowerNext, d.deleteNext} {
		if begun = begin(); begun {
			break
		}
	}
	return begun
}

// finishChores does all of them, before somebody else has to.
func (d *daemon) finishChores() {
	d.finishChore()
	for d.nextChore() {
		d.finishChore()
	}
}

// choreDue is when the next one is to begin, never if there is none or one is under way.
func (d *daemon) choreDue() int64 {
	switch {
	case d.chores.busy:
		return never
	case len(d.reviving) > 0:
		return d.now
	case len(d.lowering)+len(d.doomed) > 0:
		return max(d.now, d.chores.next)
	}
	return never
}

// lowerNext sets a device of a slot that was given back down. Without its addresses it
// answers for nothing, and takes no IPv4 that is to be forwarded (rp_filter).
func (d *daemon) lowerNext() bool {
	for len(d.lowering) > 0 {
		s := d.lowering[0]
		d.lowering = d.lowering[1:]
		if s.held || !s.own || s.index == 0 {
			s.lowering = false
			continue
		}
		index := s.index
		d.chore([]*slot{s}, func(k *kernel.Kernel) []error { return []error{k.Release(index, true, nil)} }, func(errs []error) {
			s.lowering = false
			if errs[0] != nil {
				d.log.Error("release failed", "vr", s.name, "error", errs[0])
			}
			d.unmute(s)
		})
		return true
	}
	return false
}

// muteMore has devices that are to be set down take no IPv6, which takes a hundredth of
// the time, as far as there is time in this turn.
func (d *daemon) muteMore() {
	begin := ipc.Monotonic()
	for _, s := range d.lowering {
		if d.mute(s); ipc.Monotonic()-begin >= muteTime {
			return
		}
	}
}

// deleteNext deletes some of the devices that nobody has any more.
func (d *daemon) deleteNext() bool {
	if len(d.doomed) == 0 {
		return false
	}
	n := min(len(d.doomed), doomedChunk)
	devices, group := slices.Clone(d.doomed[:n]), d.group|doomedGroup
	d.doomed = d.doomed[n:]
	d.chore(nil, func(k *kernel.Kernel) []error { return []error{k.DeleteLinks(devices, group)} }, func(errs []error) {
		if errs[0] != nil {
			d.log.Error("release failed", "devices", n, "error", errs[0])
		}
	})
	return true
}

// reviveNext puts addresses again, for their lifetime to begin anew.
func (d *daemon) reviveNext() bool {
	var about []*slot
	var placements []kernel.Placement
	for len(d.reviving) > 0 && len(about) < reviveSlots {
		r := &d.reviving[0]
		s := d.successor(r.slot)
		if s == nil || !s.held || r.from >= len(s.placed) {
			r.slot.reviving = false
			d.reviving = d.reviving[1:]
			continue
		}
		addrs := s.placed[r.from:min(r.from+reviveChunk, len(s.placed))]
		r.from += len(addrs)
		d.monitor.theirs.armed = d.monitor.theirs.armed || !s.own
		about = append(about, s)
		placements = append(placements, kernel.Placement{Device: s.index, Lifetime: d.life(s), Addresses: slices.Clone(addrs)})
		if r.from < len(s.placed) {
			break // the rest of it in the next
		}
	}
	if len(about) == 0 {
		return false
	}
	d.chore(about, func(k *kernel.Kernel) (errs []error) {
		for _, p := range placements {
			errs = append(errs, k.Revive(p))
		}
		return errs
	}, func(errs []error) {
		for i, err := range errs {
			if err != nil {
				about[i].aged = 0 // with the next advertisement
				d.log.Error("lease not renewed in the kernel", "vr", about[i].name, "error", err)
			}
		}
	})
	return true
}
