package parent

import (
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"github.com/rvrrpd/rvrrpd/parent/nft"
	"github.com/rvrrpd/rvrrpd/records"
)

// slot is one virtual router as the parent sees it: its grant, and the
// ledger's page on it: what the kernel holds on its behalf. The page is
// written before the kernel is asked, so that undoing never forgets.
type slot struct {
	grant
	ownership   ipc.Ownership
	partlySince int64      // the interface has some of the addresses since then; 0: all or none
	marks       marks      // what its senders have sent
	index       int        // device for the addresses, 0 while there is none
	own         bool       // the device is ours to delete
	inherited   bool       // index and what follows are those of the daemon before
	lowering    bool       // it is to be set down
	muted       bool       // and takes no IPv6 until it is
	queued      bool       // it is to be made
	acquiring   *acquiring // its addresses are to be taken in this turn
	held        bool       // the addresses are, or may be, on the device
	placed      []vaddr    // as they were put there
	wears       bool       // the interface has its MAC address
	reasserted  int        // how often something was put back
	made        int64      // when the device was
	trouble     complaint  // about the device
	unsent      bool       // its interface had no room for its last advertisement
	prolonged   int64      // when the lease began
	aged        int64      // when the addresses were given their lifetime last, 0 for not yet
	outlived    bool       // and it has run out since, for we did not run
	reviving    bool       // they are to be given it anew
	expires     int64      // end of the lease, CLOCK_MONOTONIC in ns
}

// take puts the slot's addresses on its device.
func (d *daemon) take(s *slot) error {
	d.finishChoreOf(s)
	d.rest()
	d.prolong(s, d.now)
	d.leaseCheck = min(d.leaseCheck, s.expires)
	want := d.place(s)
	if s.held && slices.Equal(want, s.placed) {
		return nil
	}
	d.unmute(s)
	gone := slices.DeleteFunc(slices.Clone(s.placed), func(a vaddr) bool { return slices.Contains(want, a) })
	gone, heirs := d.bequeath(s, gone)
	s.held, s.placed = true, slices.Concat(want, gone)
	// What is gone goes first: with the first address of a subnet the kernel
	// takes all others of it away.
	err := errors.Join(d.wearMAC(s), d.remove(s, gone))
	if err == nil {
		s.placed = want
		err = d.put(s, want)
	}
	for _, t := range heirs {
		err = errors.Join(err, d.put(t, t.placed))
	}
	if err != nil {
		return errors.Join(err, d.give(s))
	}
	return nil
}

// place says where the slot's addresses go.
func (d *daemon) place(s *slot) []vaddr { return s.place(d.links[s.link].prefixes) }

// prolong lets a slot be held for one more lease from an instant on, and its
// addresses answer.
func (d *daemon) prolong(s *slot, at int64) {
	if at < s.prolonged {
		return
	}
	s.prolonged, s.expires = at, at+int64(s.lease)
	if s.held && s.acquiring == nil && d.ages(s) {
		d.reviveSoon(s)
	}
	if !d.silences || s.ownership == ipc.OwnsAll {
		return
	}
	d.renewing = d.answering(d.renewing, s)
}

// renew tells the kernel what this turn has prolonged.
func (d *daemon) renew() {
	if len(d.renewing) > 0 {
		err := d.leases.Renew(d.renewing)
		if err != nil {
			flushed := d.leases.Flushed()
			d.leases.Forget()
			all, alive := d.leased()
			again := d.leases.Apply(all, alive)
			if again != nil && d.complaints.take(d.now) {
				d.log.Error("lease not renewed in the kernel", "error", errors.Join(err, again))
			}
			if again == nil && flushed && d.correcting.take(d.now) {
				d.log.Warn("put back what somebody else has removed", "leases", len(all), "error", err)
			}
		}
		d.renewing = d.renewing[:0]
	}
}

// leased lists what is to last on each interface, but for addresses that this
// host has itself, and which of the virtual addresses may answer now.
func (d *daemon) leased() (all map[string]nft.Lasting, alive []nft.Renewed) {
	all = make(map[string]nft.Lasting)
	for _, s := range present(d.slots) {
		if s.ownership == ipc.OwnsAll || s.accept && !d.silences {
			continue
		}
		l := d.links[s.link]
		name, w := l.name, all[l.name]
		if w.Ungated = !d.silences; s.device != "" {
			w.Devices = append(w.Devices, s.device)
		}
		for _, a := range s.addrs {
			switch {
			case d.hasItself(l, a.Addr): // which answers whatever becomes of us
				continue
			case d.silences:
				w.Virtual = append(w.Virtual, a.Addr)
			}
			if !s.accept {
				w.Refused = append(w.Refused, a.Addr)
			}
		}
		all[name] = w
		if d.silences && s.held && s.expires > d.now {
			alive = d.answering(alive, s)
		}
	}
	for _, w := range all {
		slices.Sort(w.Devices)
		slices.SortFunc(w.Virtual, netip.Addr.Compare)
		slices.SortFunc(w.Refused, netip.Addr.Compare)
	}
	return all, alive
}

// renewsSince is the first kernel in which an element that is added again
// lives longer.
var renewsSince = kernel.Version{Major: 6, Minor: 12}

// leaseAs has addresses silenced in the way that is configured from now on,
// also those that are held. A way that cannot be had changes nothing.
func (d *daemon) leaseAs(lease string) (err error) {
	d.silences, d.renewing = lease == "auto" || lease == "nftables", d.renewing[:0]
	if d.silences && d.leases == nil {
		d.leases, err = nft.OpenLeases(kernel.Running().Before(renewsSince))
	}
	if d.leases != nil {
		err = d.leases.Apply(d.leased())
	}
	d.silences = d.silences && err == nil
	switch {
	case err != nil && lease == "nftables":
		return err
	case err != nil && lease == "auto":
		d.log.Warn("addresses of intervals below a second may answer for 15 s when we are gone", "error", err)
	case err != nil:
		d.log.Error("reload", "error", err)
	}
	d.lease = lease
	for _, s := range d.slots {
		if s != nil && s.held {
			d.reviveSoon(s)
		}
	}
	return nil
}

// answering adds the addresses of a slot to those that may answer for the rest
// of its lease, on every interface that has them: its tables see the packets
// of all; and its device to those that may forward.
func (d *daemon) answering(to []nft.Renewed, s *slot) []nft.Renewed {
	name, left := d.links[s.link].name, time.Duration(s.expires-d.now)
	for _, a := range s.addrs {
		to = append(to, nft.Renewed{Iface: name, Addr: a.Addr, Time: left})
		for _, o := range d.shared[a.Addr] {
			if also := d.links[o.link].name; also != name && o.ownership != ipc.OwnsAll {
				to = append(to, nft.Renewed{Iface: also, Addr: a.Addr, Time: left})
			}
		}
	}
	if s.device != "" {
		to = append(to, nft.Renewed{Iface: name, Device: s.device, Time: left})
	}
	return to
}

// note remembers which addresses this host has itself, on whatever interface: all
// but those that a daemon like us has put there, which are marked or on a device of
// its; what is put aside (aside.go) it has, too. A link-local one of IPv6 is another one on each interface.
func (d *daemon) note(infos []facts.Link, addrs []facts.Address) {
	d.hosts = make(map[netip.Addr]bool)
	devices := make(map[int]bool)
	for _, i := range infos {
		_, _, devices[i.Index] = parseAlias(i.Alias, "")
	}
	for _, a := range addrs {
		left := slices.ContainsFunc(d.links, func(l *link) bool { return l.index == a.Index && slices.Contains(l.left, vaddr{Prefix: a.Prefix}) })
		if ip := a.Prefix.Addr(); (a.Proto != facts.Protocol || a.Host) && !devices[a.Index] && !left && !nft.LinkLocal(ip) {
			d.hosts[ip] = true
		}
	}
}

// hasItself says whether this host has an address without us: a link on it, or
// any interface. It answers whatever becomes of us.
func (d *daemon) hasItself(l *link, ip netip.Addr) bool {
	return d.hosts[ip] || records.Has(l.prefixes, ip)
}

// give takes the slot's addresses off its device again.
func (d *daemon) give(s *slot) error {
	if !s.held {
		return nil
	}
	d.finishChoreOf(s)
	d.rest()
	if err := errors.Join(d.remove(s, s.placed), d.shedMAC(s)); err != nil {
		return err // still held: the next attempt may succeed
	}
	if d.verbose(LevelLow) {
		d.log.Debug("addresses given back", "vr", s.name, "device", s.index, "addresses", s.placed)
	}
	s.held, s.placed, s.aged = false, nil, 0
	if s.own && !s.lowering {
		s.lowering = true
		d.lowering = append(d.lowering, s)
	}
	return nil
}

// mute has a device that is up and no longer held take no IPv6: what is sent
// to the virtual MAC is another's to forward (RFC 9568 §6.4.2 (335)).
func (d *daemon) mute(s *slot) {
	if !s.muted && !s.held && s.own && s.index != 0 && d.links[s.link].family == ipc.IPv6 {
		s.muted = kernel.WriteSetting("ipv6", s.device, "disable_ipv6", "1") == nil
	}
}

// unmute undoes mute, for a device that is down, or held again.
func (d *daemon) unmute(s *slot) {
	if !s.muted {
		return
	}
	s.muted = false
	if err := kernel.WriteSetting("ipv6", s.device, "disable_ipv6", "0"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Error("device without IPv6", "vr", s.name, "error", err)
	}
}

// expireLeases takes back the addresses of slots that the child has not
// advertised for as long as their lease.
func (d *daemon) expireLeases() {
	d.leaseCheck = never
	for _, s := range d.generations() {
		if s.held && s.expires <= d.now {
			d.log.ErrorContext(hearsay, "lease lost", "vr", s.name, "because", d.blame(s))
			if err := d.give(s); err != nil {
				d.log.ErrorContext(hearsay, "release failed", "vr", s.name, "error", err)
				s.expires = d.now + int64(s.lease) // try again
			} else if d.find(s.link, s.vrid) != nil {
				d.answer(ipc.Header{Slot: s.slot}, ipc.TypeRelease, ipc.CodeNotHeld)
			}
		}
		if s.held {
			d.leaseCheck = min(d.leaseCheck, s.expires)
		}
	}
}

// blame says why a slot's lease has ended. A link that keeps advertisements is
// given up.
func (d *daemon) blame(s *slot) string {
	l := d.links[s.link]
	if !d.holdsBack(s) {
		return "the network process did not advertise"
	}
	d.choke(l)
	return "the interface did not take its advertisements"
}

// undo takes back everything in the ledger, as far as the kernel lets us.
func (d *daemon) undo() error {
	d.finishChore()
	if d.left {
		for _, f := range d.locks {
			unlock(f)
		}
		return nil
	}
	var errs []error
	if d.routed {
		errs = append(errs, d.deleteRoutes())
	}
	for _, l := range d.links {
		if !slices.ContainsFunc(d.generations(), func(s *slot) bool { return d.links[s.link] == l && s.own && s.held }) {
			errs = append(errs, d.restore(l))
		}
	}
	for _, o := range d.old { // the end of a generation that did not come
		if o != nil && !slices.Contains(d.slots, o) {
			errs = append(errs, d.strip(o))
		}
	}
	if d.kernel != nil && (len(d.doomed) > 0 || slices.ContainsFunc(d.slots, func(s *slot) bool { return s != nil && s.own && s.index != 0 })) {
		errs = append(errs, d.kernel.DeleteGroup(d.group))
		for _, s := range d.slots {
			if s != nil && s.own {
				s.index, s.own, s.held, s.placed = 0, false, false, nil
			}
		}
	}
	for _, l := range d.links {
		errs = append(errs, d.detach(l))
	}
	if d.kernel != nil {
		d.giveBack(d.collect(), nil)
	}
	if d.leases != nil {
		errs = append(errs, d.leases.Apply(nil, nil))
	}
	for name, f := range d.locks {
		unlock(f)
		delete(d.locks, name)
	}
	return errors.Join(errs...)
}
