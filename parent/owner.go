package parent

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/nft"
	"github.com/rvrrpd/rvrrpd/records"
	"golang.org/x/sys/unix"
)

// Virtual addresses that the interface itself has make a router their owner,
// unless another VRRP daemon has left them there. keepalived marks them since
// 2.3.2 (RTPROT_KEEPALIVED); what an older one, as Debian 12's, leaves behind
// looks like the interface's own.

// leftAgain is the least time between two removals of what was left, ns: who
// is alive puts it back.
const leftAgain = int64(10 * time.Second)

// leftHint says where addresses may come from that nobody has marked.
const leftHint = "another VRRP daemon that was killed, keepalived for one, may have left them; then remove them, or set owner = false"

// leftover says whether an address of the interface is a virtual one that was
// left there, as far as the kernel or the operator tells.
func (l *link) leftover(a facts.Address) bool {
	return slices.ContainsFunc(l.slots, func(s *slot) bool {
		left := s.owner == conf.OwnerFalse || s.owner == conf.OwnerAuto && a.Proto == unix.RTPROT_KEEPALIVED
		return left && s.advertises(a.Prefix.Addr())
	})
}

// clear removes what was left on a link: a Backup must not answer for it. The
// only addresses that an interface has stay; it cannot do without.
func (d *daemon) clear(l *link) error {
	if len(l.left) == 0 || len(l.prefixes) == 0 || d.now < l.clearNext {
		return nil
	}
	l.clearNext = d.now + leftAgain
	l.lookAt(l.clearNext)
	d.log.Warn("removing virtual addresses that were left on the interface", "link", l.linkName, "addresses", l.left)
	err := d.withdraw(l.index, l.left)
	d.giveBack(d.collect(), func(p placed) bool { return p.index == l.index && slices.Contains(l.left, vaddr{Prefix: p.prefix}) })
	return err
}

// own follows who owns the addresses.
func (d *daemon) own(l *link) {
	for _, s := range l.slots {
		partly := s.partlySince != 0
		o, was := d.ownership(l, s), s.ownership
		waits := d.routesLost || d.old == nil && s.unequipped()
		if waits {
			o = ipc.OwnsSome // it stays in Initialize, too
		}
		if partly && s.held && !s.own && s.acquiring == nil && len(s.place(l.prefixes)) > len(s.placed) {
			if err := d.take(&s.page); err != nil { // what was the interface's and is gone from it
				d.stepDown(s, err)
			}
		}
		if o == was {
			continue
		}
		s.owned(o)
		if !s.queued || !waits && o != ipc.OwnsNone {
			d.tellOwner(l, s, was, waits)
		}
		d.send(ipc.Header{Slot: s.slot}, ipc.Owner{Ownership: o})
	}
}

// ownership is what the interface's addresses make of a slot. One that has
// some of them waits for the others, which may be on their way; if none has
// come within an Active_Down_Interval it takes part like one that has none.
// What a next daemon finds held has waited already.
func (d *daemon) ownership(l *link, s *slot) ipc.Ownership {
	o := s.owns(l.prefixes)
	if o != ipc.OwnsSome || s.owner == conf.OwnerTrue {
		s.partlySince = 0
		return o
	}
	wait := int64(s.lease + time.Duration(256-int(s.priority))*s.interval/256)
	if s.partlySince == 0 {
		if s.partlySince = d.now; s.held && d.child == nil {
			s.partlySince -= wait
		}
	}
	if due := s.partlySince + wait; d.now < due {
		l.lookAt(due)
		return ipc.OwnsSome
	}
	return ipc.OwnsNone
}

// tellOwner tells of another ownership, and where nobody knows whose the
// addresses are, what to do if they were left.
func (d *daemon) tellOwner(l *link, s *slot, was ipc.Ownership, waits bool) {
	there := slices.DeleteFunc(slices.Clone(l.prefixes), func(p netip.Prefix) bool { return !s.advertises(p.Addr()) })
	var commands []string
	for _, p := range there {
		commands = append(commands, fmt.Sprintf("ip addr del %v dev %s", p, l.name))
	}
	left := []any{"vr", s.name, "addresses", there, "hint", leftHint, "command", strings.Join(commands, " && ")}
	switch {
	case waits:
		d.log.Warn("waiting for a device or a route that is missing", "vr", s.name, "device", s.device)
	case s.owner == conf.OwnerTrue && s.ownership == ipc.OwnsSome:
		d.log.Error("waiting until the interface itself has all virtual addresses: owner = true", "vr", s.name, "addresses", there)
	case s.owner == conf.OwnerTrue:
		d.log.Info("address owner: the interface itself has the virtual addresses; priority 255", "vr", s.name, "addresses", there)
	case s.ownership == ipc.OwnsAll:
		d.log.Warn("address owner: the interface itself has the virtual addresses; priority 255", left...)
	case s.ownership == ipc.OwnsSome:
		d.log.Error("the interface itself has some of the virtual addresses, not all: waiting for the others", left...)
	case s.partlySince != 0:
		d.log.Error("the interface itself has some of the virtual addresses, not all: they stay there, and the router takes part without being their owner", left...)
	case was == ipc.OwnsSome:
		d.log.Info("waits no longer", "vr", s.name)
	default:
		d.log.Warn("no longer the address owner", "vr", s.name, "priority", s.priority)
	}
}

// tellOutside tells, when it changes, which virtual addresses of a link lie in
// no subnet of the interface. In IPv6 that may have link-local addresses alone:
// there one that has a length in the file brings its subnet along.
func (d *daemon) tellOutside(l *link) {
	if those := l.others(&l.outside, func(a conf.Address) bool {
		within := func(p netip.Prefix) bool { return p.Contains(a.Addr) || a.Addr.Is6() && a.Bits > 0 }
		return !nft.LinkLocal(a.Addr) && !slices.ContainsFunc(l.prefixes, within)
	}); len(those) > 0 {
		d.log.Warn("virtual addresses in no subnet of the interface", "link", l.linkName, "addresses", those, "hint", "hosts reach them only with a route to them, or in a subnet of their own")
	}
}

// tellElsewhere tells which of them another interface of this host has itself.
func (d *daemon) tellElsewhere(l *link) {
	if those := l.others(&l.elsewhere, func(a conf.Address) bool { return d.hosts[a.Addr] && !records.Has(l.prefixes, a.Addr) }); len(those) > 0 {
		d.log.Warn("another interface of this host itself has virtual addresses", "link", l.linkName, "addresses", those, "hint", "they stay there, and answer whatever the state of the virtual router; give it other ones")
	}
}

// others lists the virtual addresses of a link of a kind, if they are others than told.
func (l *link) others(told *[]netip.Addr, kind func(conf.Address) bool) (those []netip.Addr) {
	for _, s := range l.slots {
		for _, a := range s.addrs {
			if kind(a) {
				those = append(those, a.Addr)
			}
		}
	}
	if slices.Equal(those, *told) {
		return nil
	}
	*told = those
	return those
}
