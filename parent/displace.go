package parent

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"golang.org/x/sys/unix"
)

// With netdrv = "ioctl" the virtual address takes the place of the interface's
// own, as with rVRRPd. Those are put aside meanwhile, on the loopback interface,
// so that no route from one of them is lost and the host keeps them. The lock's
// file says first what they were, in their order and with all that the kernel
// knows of them: the next daemon puts back what one that was killed has put
// aside. Advertisements still come from the interface's first address.

// displaced is what an interface is without while a virtual address is in its place.
type displaced struct {
	addrs    []addrMsg
	prefixes []netip.Prefix
	primary  netip.Addr // which advertisements come from
	trouble  complaint  // about putting them back
	retry    int64      // the kernel has refused one: no attempt before
}

// loopback is the index of lo, the first in every network namespace.
const loopback = 1

// anchor is facts.Anchor as it is put.
var anchor = vaddr{Prefix: facts.Anchor, NoPrefixRoute: true, Host: true}

// anchored says whether the anchor is on an interface.
func anchored(addrs []facts.Address, index int) bool {
	return slices.ContainsFunc(addrs, func(a facts.Address) bool { return a.Index == index && a.Prefix == facts.Anchor })
}

// around says whether addresses are one in the subnet of another.
func around(addrs []vaddr, ip netip.Addr) bool {
	return len(addrs) == 1 && addrs[0].Prefix.Masked().Contains(ip)
}

// displace puts the interface's own addresses aside, and a slot's in their place;
// beside them if they are not all its own for good (DHCP).
func (b *broker) displace(l *wire, s *page, addrs []vaddr) error {
	b.finishChore()
	if master, err := b.kernel.Enslaved(l.index); err != nil || master {
		return errors.Join(err, b.lay(s, addrs)) // in a VRF the loopback interface holds no route
	}
	all, err := facts.AddressMessages(unix.AF_INET)
	if err != nil {
		return err
	}
	a := &displaced{primary: l.told.Primary}
	for _, m := range all {
		info, err := facts.ParseAddress(m)
		if err != nil || info.Index != l.index || info.Proto == facts.Protocol {
			continue
		}
		if m[2]&unix.IFA_F_PERMANENT == 0 {
			b.log.Info("the interface's own addresses stay, for one has a lifetime", "link", l.name, "address", info.Prefix)
			return b.lay(s, addrs)
		}
		a.addrs, a.prefixes = append(a.addrs, m), append(a.prefixes, info.Prefix)
	}
	if !slices.ContainsFunc(a.prefixes, func(p netip.Prefix) bool { return p.Addr() == a.primary }) {
		return b.lay(s, addrs) // somebody has just removed the first
	}
	l.displaced = a
	if err := b.record(l.name); err != nil {
		l.displaced = nil
		return err
	}
	b.log.Info("the interface's own addresses are put aside", "link", l.name, "addresses", a.prefixes)
	err = b.kernel.Acquire(kernel.Placement{Device: l.index, Addresses: []vaddr{anchor}}, kernel.Placement{Device: loopback, Addresses: a.copies()})
	if err != nil {
		return err
	}
	b.giveBack(b.collect(), nil)
	b.foreignAddresses.armed = true // what the kernel takes along is not ours to take
	for _, other := range b.laidOn(l, s) {
		err = errors.Join(err, b.kernel.Release(l.index, false, other.placed)) // or it would have the route of the subnet
	}
	for _, m := range slices.Backward(a.addrs) { // the first of a subnet last
		err = errors.Join(err, b.kernel.Say(unix.RTM_DELADDR, 0, m, unix.EADDRNOTAVAIL))
	}
	lost := b.collect()
	err = errors.Join(err, b.lay(s, addrs))
	b.replant(l, s)
	b.giveBack(lost, func(key placed) bool { return key.index == l.index && slices.Contains(a.prefixes, key.prefix) })
	return err
}

// copies are the addresses as the loopback interface has them meanwhile.
func (a *displaced) copies() (all []vaddr) {
	for _, p := range a.prefixes {
		all = append(all, vaddr{Prefix: netip.PrefixFrom(p.Addr(), 32), NoPrefixRoute: true, Host: true})
	}
	return all
}

// laidOn lists the slots whose addresses are on an interface itself, but for one.
func (b *broker) laidOn(l *wire, but *page) []*page {
	return slices.DeleteFunc(b.generations(), func(s *page) bool {
		return s == but || !s.held || s.index != l.index || b.wires[s.link] != l
	})
}

// replant puts the virtual addresses of an interface again that may have gone
// with another of their subnet, but for a slot's. What fails is missing at the
// next look at the interfaces.
func (b *broker) replant(l *wire, but *page) {
	for _, s := range b.laidOn(l, but) {
		if b.lay(s, s.placed) != nil {
			b.plan.lookAt(l, b.now)
		}
	}
}

// moored forgets what is aside of an interface that has lost its anchor: it is
// gone, or somebody else has taken it over.
func (b *broker) moored(l *wire) error {
	if l.displaced == nil || l.index == 0 {
		return nil
	}
	addrs, err := facts.Addresses()
	if err != nil || anchored(addrs, l.index) {
		return err
	}
	b.log.Warn("the interface is gone, or somebody else has flushed it: its own addresses do not come back", "link", l.name, "addresses", l.displaced.prefixes)
	err = b.dropCopies(l.displaced)
	l.displaced = nil
	return errors.Join(err, b.record(l.name))
}

// bringBack puts the interface's own addresses back, if no virtual address but
// a slot's is in their place, or if another virtual router has one of them.
// What cannot be put back stays aside, and is tried again.
func (b *broker) bringBack(l *wire, but *page) error {
	b.finishChore()
	a := l.displaced
	inPlace := func(s *page) bool { return s.ioctl && around(s.placed, a.primary) }
	if !l.ownedOf(a.prefixes) && slices.ContainsFunc(b.laidOn(l, but), inPlace) {
		return nil
	}
	b.foreignAddresses.armed = true
	for _, s := range b.laidOn(l, but) { // or the interface's would be second in their subnet
		if err := b.kernel.Release(l.index, false, s.placed); err != nil {
			return err
		}
	}
	lost := b.collect()
	err := b.refurnish(l.index, a)
	b.replant(l, but)
	b.giveBack(lost, nil)
	if l.displaced = nil; err != nil {
		l.displaced, a.retry = a, b.now+attachRetry
		b.plan.lookAt(l, a.retry)
		if a.trouble.About(err, b.now) {
			b.log.Error("an address of the interface cannot be put back", "link", l.name, "error", err)
		}
	} else {
		b.log.Info("the interface's own addresses are back", "link", l.name, "addresses", a.prefixes)
	}
	return b.record(l.name)
}

// refurnish puts addresses back, all that the kernel takes.
func (b *broker) refurnish(index int, a *displaced) error {
	var errs []error
	for _, m := range a.addrs {
		errs = append(errs, b.kernel.Say(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m, unix.EEXIST, unix.ENODEV))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return errors.Join(b.dropCopies(a), b.kernel.Release(index, false, []vaddr{anchor}))
}

// dropCopies removes what the loopback interface had of it, but for what an
// operator has put there.
func (b *broker) dropCopies(a *displaced) error {
	addrs, err := facts.Addresses()
	copies := slices.DeleteFunc(a.copies(), func(c vaddr) bool {
		return !slices.ContainsFunc(addrs, func(a facts.Address) bool {
			return a.Index == loopback && a.Prefix == c.Prefix && a.Proto == facts.Protocol
		})
	})
	return errors.Join(err, b.kernel.Release(loopback, false, copies))
}

// What a lock's file says of its interface, a line each.
const (
	macLine     = "mac "
	addressLine = "address "
	settingLine = "setting "
)

// record writes down what an interface is without.
func (b *broker) record(name string) error {
	f := b.locks[name]
	if f == nil {
		return nil
	}
	var text strings.Builder
	for _, l := range b.wires {
		if l.name == name && l.worn != nil {
			text.WriteString(macLine + l.worn.String() + "\n")
		}
		for _, s := range l.hearing {
			if l.name == name {
				fmt.Fprintf(&text, "%s%d %s %s\n", settingLine, l.index, s.name, s.old)
			}
		}
		if l.name == name && l.displaced != nil {
			for _, m := range l.displaced.addrs {
				text.WriteString(addressLine + hex.EncodeToString(m) + "\n")
			}
		}
	}
	_, err := f.WriteAt([]byte(text.String()), 0)
	return errors.Join(err, f.Truncate(int64(text.Len())))
}
