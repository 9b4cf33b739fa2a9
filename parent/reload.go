package parent

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/vault"
)

// A reload is one step for us and one for the child. We have the file read beside
// the loop, and prepare what can fail: locks and sockets. Only then the next
// generation becomes ours, and its records go to the child. What the child
// asked under the old generation is still on its way, and is judged by the
// old slots; its Ready ends them. Until then these hold everything, and what
// happens to interfaces waits. A virtual router that is in both
// generations keeps its number, so that neither side confuses it with another.

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
			d.links = append(d.links, &link{wire: wire{linkName: name, id: ipc.Link(at), told: ipc.LinkState{Link: ipc.Link(at)}}})
		}
		ids[i] = ipc.Link(at)
	}
	var fresh []*slot
	for i := range gs {
		g := &gs[i]
		g.link = ids[g.link]
		old := d.behind(d.find(g.link, g.vrid))
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
			next[g.slot].partlySince, next[g.slot].start = old.partlySince, old.start
			next[g.slot].owned(old.ownership)
			if old.marks != nil && next[g.slot].marks != nil {
				next[g.slot].marks = old.marks
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

// adopt makes slots the ones that run, as far as that is ours to do.
func (d *daemon) adopt(next []*slot) {
	d.slots = next
	for _, l := range d.links {
		l.slots = nil
	}
	for _, s := range present(next) {
		l := d.links[s.link]
		l.slots = append(l.slots, s)
	}
	d.show()
}

// lockLinks takes the locks of the interfaces of slots that are not locked
// yet, and lists those it has taken, also with an error.
func (d *daemon) lockLinks(next []*slot) (taken []string, err error) {
	for _, s := range next {
		if s == nil || d.locks[d.links[s.link].name] != nil {
			continue // in another family, or by another slot
		}
		name := d.links[s.link].name
		f, err := d.lockInterface(name)
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

// listen opens the sockets of slots.
func (d *daemon) listen(next []*slot, c *conf.Config) error {
	vrids, filtered := map[ipc.Family][]uint8{}, true
	for _, r := range c.Routers {
		filtered = filtered && r.SocketFilter
	}
	gather := int64(gatherMax)
	for _, s := range present(next) {
		vrids[s.family] = append(vrids[s.family], s.vrid)
		gather = min(gather, int64(s.interval/100))
	}
	return d.forwarder.Listen(vrids, filtered, gather, d.lane())
}

// reload has the configuration read again. While one reload is under way, or the
// child is not there, it waits.
func (d *daemon) reload() {
	if d.old != nil || d.rereader.busy || d.child == nil || d.child.phase != ipc.PhaseRun {
		d.pending = true
		return
	}
	d.pending = false
	d.manager.tell(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", ipc.Monotonic()/int64(time.Microsecond)))
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

// warn repeats what was found when the configuration was read.
func (d *daemon) warn(c *conf.Config) {
	for _, w := range c.Warnings {
		d.log.Warn("configuration", "warning", w)
	}
}
