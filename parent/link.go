package parent

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// link is an interface of the configuration, there or not, and the family
// that is spoken on it.
type link struct {
	linkName
	id           ipc.Link
	index        int // 0 while the interface does not exist
	prefixes     []netip.Prefix
	mac          [6]byte
	mtu          int
	narrow       bool   // its MTU cannot carry the family
	unsent       tally  // frames
	heard        uint64 // packets that the raw socket had for us
	tx           *sender
	settled      bool      // its settings are ours
	saved        []setting // settings to restore
	told         ipc.LinkState
	again        int64            // no attempt to attach before; then another look at it
	worn         net.HardwareAddr // its own hardware address, while it has a virtual one
	upSince      int64            // it has been up since then, 0 while it is down
	wasUp        bool             // it was up once
	nextAnnounce int64            // no announcement before
	slots        []*slot
}

// attachRetry is the time between two attempts to prepare an interface, ns.
const attachRetry = int64(time.Second)

// resync compares the interfaces with what we last saw of them, and acts on
// the difference. It runs at start and after every change the kernel reports;
// a full dump each time, so that a lost report loses nothing.
func (d *daemon) resync() error {
	infos, err := d.kernel.links()
	if err != nil {
		return fmt.Errorf("interfaces: %w", err)
	}
	addrs, err := d.kernel.addresses()
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	byName, names := make(map[string]linkInfo, len(infos)), make(map[int]string, len(infos))
	for _, i := range infos {
		byName[i.Name], names[i.Index] = i, i.Name
	}
	var errs []error
	for _, l := range d.links {
		info := d.wideEnough(l, byName[l.name])
		l.mtu = info.MTU
		if l.index != info.Index {
			if now := names[l.index]; now != "" { // what was changed has another name
				for i := range l.saved {
					l.saved[i].iface = now
				}
			}
			errs = append(errs, d.detach(l))
			// Another interface, even if it is as usable as the one before: what
			// the child had on that one is gone.
			d.tell(l, ipc.LinkState{Link: l.id})
			if info.Index != 0 && !info.Port && len(l.slots) > 0 && d.now >= l.again {
				if err := d.attach(l, info); err != nil {
					errs = append(errs, err, d.detach(l))
					l.again = d.now + attachRetry
				}
			}
		}
		if l.index != 0 && len(info.MAC) == 6 {
			l.mac = [6]byte(info.MAC) // which may have been changed
		}
		state := l.facts(info, addrs)
		if !d.settled(l, state.Up) {
			state = ipc.LinkState{Link: l.id}
		}
		l.concede()
		if state.Up { // one that is down has nothing to say, and loses IPv6 addresses
			d.own(l)
		}
		d.tell(l, state)
	}
	d.reassert(infos, addrs)
	d.followRoutes(d.routed)
	return errors.Join(append(errs, d.enforce())...)
}

// enforce brings our nftables tables up to date. Where the kernel has no
// nftables only what the configuration insists on is an error.
func (d *daemon) enforce() error {
	if d.leases != nil {
		all, alive := d.leased()
		if err := d.leases.apply(all, alive); err != nil {
			return err
		}
	}
	want := d.wanted()
	err := d.wall.apply(want)
	if err == nil || len(want.refused)+len(want.owned) > 0 {
		return err
	}
	if !d.unwalled {
		d.log.Warn("ICMP redirects may come from another address than hosts use", "error", err)
	}
	d.unwalled = true
	return nil
}

// upDelay is how long a link must have been up again: the longest of its
// virtual routers'.
func (l *link) upDelay() (d time.Duration) {
	for _, s := range l.slots {
		d = max(d, s.linkUpDelay)
	}
	return d
}

// settled says whether a link has been up for as long as its virtual routers
// want it to be before they start on it again.
func (d *daemon) settled(l *link, up bool) bool {
	switch {
	case !up:
		l.upSince = 0
		return false
	case l.told.Up || !l.wasUp:
		l.wasUp = true
		return true
	case l.upSince == 0:
		l.upSince = d.now
	}
	if due := l.upSince + int64(l.upDelay()); due > d.now {
		l.again = due
		return false
	}
	return true
}

// concede strikes from the ledger what we have put on the interface and
// somebody else has made theirs since, with "ip addr replace": it is not ours
// to remove any more. The kernel tells whose an address is.
func (l *link) concede() {
	for _, s := range l.slots {
		if !s.own {
			s.placed = slices.DeleteFunc(s.placed, func(a vaddr) bool { return slices.Contains(l.prefixes, a.Prefix) })
		}
	}
}

// own follows who owns the addresses.
func (d *daemon) own(l *link) {
	for _, s := range l.slots {
		o := s.owns(l.prefixes)
		if o == s.ownership {
			continue
		}
		switch s.ownership = o; o {
		case ipc.OwnsAll:
			s.ceiling = priorityOwner
			d.log.Warn("address owner: the interface itself has the virtual addresses; priority 255", "vr", s.name)
		case ipc.OwnsSome:
			d.log.Error("the interface itself has some of the virtual addresses, not all: waiting until it has all or none", "vr", s.name)
		default:
			d.log.Warn("no longer the address owner", "vr", s.name, "priority", s.priority)
		}
		d.send(ipc.Header{Slot: s.slot}, ipc.Owner{Ownership: o})
	}
}

// wanted are the rules that follow from what is now.
func (d *daemon) wanted() (r rules) {
	for _, s := range d.slots {
		if s == nil {
			continue
		}
		l := d.links[s.link]
		for _, a := range s.addrs {
			switch {
			case s.ownership == ipc.OwnsAll && s.own:
				r.owned = append(r.owned, owned{l.index, a.Addr})
			case s.ownership != ipc.OwnsAll && !s.accept:
				r.refused = append(r.refused, a.Addr)
			}
		}
		if s.index != 0 {
			r.quiet = append(r.quiet, s.index)
		}
	}
	slices.Sort(r.quiet)
	slices.SortFunc(r.refused, netip.Addr.Compare)
	r.quiet, r.refused = slices.Compact(r.quiet), slices.Compact(r.refused)
	return r
}

// facts takes over the interface's prefixes and says what the child may know:
// whether the link is usable and the address to speak from: its first, but a
// virtual one that it owns only if it has no other.
func (l *link) facts(info linkInfo, addrs []addrInfo) ipc.LinkState {
	l.prefixes = l.prefixes[:0]
	state := ipc.LinkState{Link: l.id}
	for _, a := range addrs {
		if l.index == 0 || a.Index != l.index || a.Proto == protoRVRRPD || a.Prefix.Addr().Is4() != (l.family == ipc.IPv4) {
			continue
		}
		l.prefixes = append(l.prefixes, a.Prefix)
		if ip := a.Prefix.Addr(); info.Up && a.Primary && (!state.Up || l.virtual(state.Primary) && !l.virtual(ip)) {
			state.Up, state.Primary = true, ip
		}
	}
	return state
}

// virtual says whether ip is a virtual address on this link.
func (l *link) virtual(ip netip.Addr) bool {
	return slices.ContainsFunc(l.slots, func(s *slot) bool {
		return slices.ContainsFunc(s.addrs, func(a conf.Address) bool { return a.Addr == ip })
	})
}

// tell passes on what changed.
func (d *daemon) tell(l *link, state ipc.LinkState) {
	if state == l.told {
		return
	}
	if state.Up {
		d.log.Info("link up", "link", l.linkName, "primary", state.Primary)
	} else {
		d.log.Info("link down", "link", l.linkName)
	}
	l.told = state
	d.send(ipc.Header{Slot: ipc.NoSlot}, state)
}

// attach prepares an interface that has appeared: a socket to send through,
// membership of the group, and the devices of its virtual routers, down
// until they are needed.
func (d *daemon) attach(l *link, info linkInfo) (err error) {
	if info.Loopback || len(info.MAC) != 6 {
		return fmt.Errorf("%s: not an Ethernet interface", l.name)
	}
	d.tellConflicts(l.family)
	l.index, l.mac = info.Index, [6]byte(info.MAC)
	if l.tx, err = openSender(info.Index, l.name); err != nil {
		return err
	}
	d.byIndex[arrival{info.Index, l.family}] = l.id
	if err := d.recv[l.family].join(info.Index); err != nil {
		return err
	}
	for _, s := range l.slots {
		if err := d.equip(l, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

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
	onDevice := deviceSettings
	if l.family == ipc.IPv6 {
		onDevice = deviceSettings6
	} else if !l.settled {
		if l.saved, err = differing(l.name, linkSettings); err != nil {
			return err
		}
	}
	if s.index, err = d.kernel.createMACVLAN(l.index, s.device, s.mac[:], formatAlias(l.saved), d.group); err != nil {
		return fmt.Errorf("device %s: %w", s.device, err)
	}
	settings, err := differing(s.device, onDevice)
	if err = errors.Join(err, change(settings)); err == nil && l.family == ipc.IPv4 {
		err = silenceIPv6(s.device)
	}
	if err == nil && !l.settled {
		l.settled = true
		err = change(l.saved)
	}
	return err
}

// strip takes a slot's addresses and its device away.
func (d *daemon) strip(s *slot) error {
	err := d.give(s)
	if s.own && s.index != 0 {
		err = errors.Join(err, d.kernel.deleteLink(s.index))
	}
	s.index, s.own, s.held, s.placed = 0, false, false, nil
	return err
}

// detach undoes attach, also for an interface that is gone, or has another
// name now.
func (d *daemon) detach(l *link) error {
	if l.index == 0 {
		return nil
	}
	var errs []error
	for _, s := range l.slots {
		errs = append(errs, d.strip(s))
	}
	if r := d.recv[l.family]; r != nil {
		r.leave(l.index)
	}
	if l.tx != nil {
		l.tx.close()
	}
	if l.settled {
		errs = append(errs, restoreSettings(l.saved))
	}
	delete(d.byIndex, arrival{l.index, l.family})
	l.index, l.tx, l.saved, l.settled = 0, nil, nil, false
	return errors.Join(errs...)
}
