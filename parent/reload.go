package parent

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/frames"
	"github.com/rvrrpd/rvrrpd/vault"
)

// A reload is one step for us and one for the child. We have the file read beside
// the loop, and prepare what can fail: locks and sockets. Only then the next
// generation becomes ours, and its records go to the child. What the child
// asked under the old generation is still on its way, and is judged by the
// old slots; its Ready ends them. Until then these hold everything, and what
// happens to interfaces waits. A virtual router that is in both
// generations keeps its number, so that neither side confuses it with another.

// same says whether a slot that exists is as it would be made anew. One with
// secrets is always made anew, in the next vault.
func (s *slot) same(g *grant) bool {
	a, b := s.record(), g.record()
	return len(s.secrets)+len(g.secrets) == 0 && s.link == g.link && s.device == g.device && s.defaulted == g.defaulted && s.accept == g.accept && s.etherMAC == g.etherMAC && s.ioctl == g.ioctl && s.linkUpDelay == g.linkUpDelay && s.derived == g.derived && s.owner == g.owner &&
		slices.Equal(s.addrs, g.addrs) && reflect.DeepEqual(a, b)
}

// match makes the slots of a configuration, by their numbers; those that stay
// the same are the ones there are. Numbers nobody has are nil. Links that are
// new are added.
func (d *daemon) match(c *conf.Config) (next []*slot) {
	gs, names := grants(c)
	ids := make([]ipc.Link, len(names))
	for i, name := range names {
		at := slices.IndexFunc(d.links, func(l *link) bool { return l.linkName == name })
		if at < 0 {
			at = len(d.links)
			d.links = append(d.links, &link{linkName: name, id: ipc.Link(at), told: ipc.LinkState{Link: ipc.Link(at)}})
		}
		ids[i] = ipc.Link(at)
	}
	var fresh []*slot
	for i := range gs {
		g := &gs[i]
		g.link = ids[g.link]
		old := d.find(g.link, g.vrid)
		if old == nil {
			fresh = append(fresh, newSlot(g))
			continue
		}
		g.slot = old.slot
		for len(next) <= int(g.slot) {
			next = append(next, nil)
		}
		if next[g.slot] = old; !old.same(g) {
			next[g.slot] = newSlot(g)
			next[g.slot].ownership, next[g.slot].partlySince, next[g.slot].start = old.ownership, old.partlySince, old.start
			if old.marks != nil && next[g.slot].marks != nil {
				next[g.slot].marks = old.marks
			}
			if old.ownership == ipc.OwnsAll {
				next[g.slot].ceiling = priorityOwner
			}
		}
	}
	free := 0
	for _, s := range fresh {
		for free < len(next) && next[free] != nil {
			free++
		}
		if free == len(next) {
			next = append(next, nil)
		}
		s.slot = ipc.Slot(free)
		next[free] = s
	}
	return next
}

func newSlot(g *grant) *slot {
	s := &slot{grant: *g}
	if s.told.Auth == ipc.AuthHMAC || s.told.Checksum == ipc.ChecksumAuto {
		s.marks = make(marks)
	}
	return s
}

// find finds the slot of a virtual router.
func (d *daemon) find(l ipc.Link, vrid uint8) *slot {
	for _, s := range d.slots {
		if s != nil && s.link == l && s.vrid == vrid {
			return s
		}
	}
	return nil
}

// adopt makes slots the ones that run, as far as that is ours to do.
func (d *daemon) adopt(next []*slot) {
	d.slots, d.sixes = next, 0
	for _, l := range d.links {
		l.slots = nil
	}
	d.shared = make(map[netip.Addr][]*slot)
	for _, s := range present(next) {
		l := d.links[s.link]
		l.slots = append(l.slots, s)
		for _, a := range s.addrs {
			d.shared[a.Addr] = append(d.shared[a.Addr], s)
		}
		if s.family == ipc.IPv6 {
			d.sixes += len(s.addrs)
		}
	}
	maps.DeleteFunc(d.shared, func(_ netip.Addr, of []*slot) bool { return len(of) < 2 })
}

// lockLinks takes the locks of the interfaces of slots that are not locked
// yet, and lists those it has taken, also with an error.
func (d *daemon) lockLinks(next []*slot) (taken []string, err error) {
	for _, s := range next {
		if s == nil || d.locks[d.links[s.link].name] != nil {
			continue // in another family, or by another slot
		}
		name := d.links[s.link].name
		f, err := lockInterface(name)
		if err != nil {
			return taken, err
		}
		d.locks[name], taken = f, append(taken, name)
	}
	return taken, nil
}

func (d *daemon) unlockLink(name string) {
	if f := d.locks[name]; f != nil {
		unlock(f)
		delete(d.locks, name)
		d.unlockState(name)
	}
}

// listen opens sockets for the virtual routers of slots, whose filters the
// kernel lets nobody change, and closes the old ones once they are read to
// their end.
func (d *daemon) listen(next []*slot, c *conf.Config) error {
	vrids, filtered := map[ipc.Family][]uint8{}, true
	for _, r := range c.Routers {
		filtered = filtered && r.SocketFilter
	}
	gather := int64(gatherMax)
	for _, s := range next {
		if s != nil {
			vrids[s.family] = append(vrids[s.family], s.vrid)
			gather = min(gather, int64(s.interval/100))
		}
	}
	d.gather = gather
	made := make(map[ipc.Family]*frames.Receiver)
	for family, known := range vrids {
		if old := d.recv[family]; old != nil && old.Hears(known, filtered) {
			made[family] = old
			continue
		}
		r, err := frames.OpenReceiver(family, known, filtered)
		if err == nil {
			made[family] = r
			for _, l := range d.links {
				if l.index != 0 && l.family == family {
					err = errors.Join(err, r.Join(l.index))
				}
			}
		}
		if err != nil {
			for family, r := range made {
				if r != d.recv[family] {
					r.Close()
				}
			}
			return err
		}
	}
	if d.child.configured() {
		d.forwardAll()
	}
	for family, r := range d.recv {
		if made[family] != r {
			r.Close()
		}
	}
	d.recv = made
	return nil
}

// reload has the configuration read again. While one reload is under way, or the
// child is not there, it waits.
func (d *daemon) reload() {
	if d.old != nil || d.rereader.busy || d.child == nil || d.child.phase != ipc.PhaseRun {
		d.pending = true
		return
	}
	d.pending = false
	d.manager.reloading(ipc.Monotonic())
	d.rereader.read()
}

// apply makes a configuration that was read again what runs, if all of it is right.
// Otherwise nothing changes.
func (d *daemon) apply(r reread) {
	err := r.err
	if err == nil {
		err = d.prepare(r)
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			d.log.Error("reload refused, nothing has changed", "error", strings.TrimSpace(line))
		}
		d.manager.tell("READY=1")
		d.shed()
	}
}

// prepare does what can fail, and then hands the next generation to the child.
func (d *daemon) prepare(r reread) error {
	c := r.config
	if c.User != d.user {
		c.Wipe()
		return fmt.Errorf("user = %q: another user needs a restart", c.User)
	}
	v, err := vault.Lock(c.Secrets())
	if err != nil {
		return err
	}
	c.KeepDevices(d.defaultDevices())
	next := d.match(c)
	err = errors.Join(d.recognize(next), d.suits(next))
	var locked []string
	states := maps.Clone(d.stateLocks)
	if err == nil {
		locked, err = d.lockLinks(next)
	}
	var known map[vrID]marks
	if err == nil {
		known, err = d.readState(next)
	}
	if err == nil {
		err = d.listen(next, c)
	}
	if err == nil {
		err = d.leaseAs(c.Lease)
	}
	if err != nil {
		for _, name := range locked {
			d.unlockLink(name)
		}
		for name := range d.stateLocks {
			if states[name] == nil { // with nothing to remember we would write it empty
				d.unlockState(name)
			}
		}
		v.Free()
		return err
	}
	d.warn(c)
	if len(locked) > 0 { // where a daemon may have been killed
		if err := d.sweep(locked...); err != nil {
			d.log.Error("reload", "error", err)
		}
	}
	d.vault, d.oldVault = v, d.vault
	d.setRoutes(c.Routes)
	d.stateNext = 0 // what may go is written before
	d.saveState()
	d.old = d.slots
	d.adopt(next)
	d.recall(d.old, known)
	d.generation++
	d.loaded = &r
	d.child.deadline = d.now + startTime
	d.configure()
	return nil
}

// slotOf finds the slot that a request is about, nil where there is none: while a
// reload is under way a request that was made before the child took over the next
// generation is about the one before.
func (d *daemon) slotOf(h ipc.Header) *slot {
	slots := d.slots
	if d.old != nil && h.Generation == d.generation-1 {
		slots = d.old
	}
	if int(h.Slot) >= len(slots) {
		return nil
	}
	return slots[h.Slot]
}

// successor is the slot itself, or the one that a reload has put in its place;
// nil if there is none.
func (d *daemon) successor(s *slot) *slot {
	if slices.Contains(d.old, s) || int(s.slot) >= len(d.slots) || d.slots[s.slot] == s {
		return s
	}
	next := d.slots[s.slot]
	if next == nil || next.link != s.link || next.vrid != s.vrid {
		return nil
	}
	return next
}

// warn repeats what was found when the configuration was read.
func (d *daemon) warn(c *conf.Config) {
	for _, w := range c.Warnings {
		d.log.Warn("configuration", "warning", w)
	}
}
