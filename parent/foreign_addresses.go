package parent

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"golang.org/x/sys/unix"
)

// On an interface that is not our own device somebody else may make an address
// theirs, with "ip addr replace", in the very moment in which we remove it or
// prolong it: the kernel cannot be asked to do that only if it still is ours.
// And with the first address of a subnet it may remove all others of it. But
// it reports everything in the order in which it happened, and the addresses
// as they were. So what we have taken from somebody is given back.

// foreignAddresses follows the reports of addresses, from one look at them to the
// next. What the kernel had no room to report cannot be given back.
type foreignAddresses struct {
	kernel.Reports
	port    uint32             // of the socket of our requests
	armed   bool               // we have removed or prolonged something
	removed []placed           // by us, and they were there
	along   []placed           // ours that the kernel has removed with one of these
	changed map[placed]addrMsg // as somebody else has made them
	lost    map[placed]addrMsg // and as they were before we took them

	failed    error // to read the reports
	returned  int   // how often we have given somebody's address back
	returning rate  // lines about that
}

// openForeign opens the socket of reports of addresses.
func (b *broker) openForeign() (err error) {
	t := &b.foreignAddresses
	*t = foreignAddresses{port: b.kernel.Port(), changed: make(map[placed]addrMsg), lost: make(map[placed]addrMsg), returning: repairRate}
	t.Reports, err = kernel.OpenReports(unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
	return err
}

// placed is an address with its length on an interface, addrMsg the body of
// the kernel's message about it.
type (
	placed struct {
		index  int
		prefix netip.Prefix
	}
	addrMsg = []byte
)

// withdraw takes addresses off an interface that is not our own device.
func (b *broker) withdraw(dev int, addrs []vaddr) error {
	b.foreignAddresses.armed = true
	removed, err := b.kernel.Withdraw(dev, addrs)
	for _, p := range removed {
		b.foreignAddresses.removed = append(b.foreignAddresses.removed, placed{dev, p})
	}
	return err
}

// follow reads the reports in a datagram. A takeover of a thousand addresses makes thousands.
func (t *foreignAddresses) follow(datagram []byte) {
	if !t.armed {
		return
	}
	reports, _ := syscall.ParseNetlinkMessage(datagram)
	for _, m := range reports {
		if m.Header.Type == unix.RTM_NEWADDR || m.Header.Type == unix.RTM_DELADDR {
			t.note(m.Header.Type, t.port != 0 && m.Header.Pid == t.port, m.Data)
		}
	}
}

// note takes one report of an address. Of IPv4 it says whether a request of
// ours was the cause.
func (t *foreignAddresses) note(kind uint16, requested bool, report addrMsg) {
	a, err := facts.ParseAddress(report)
	if err != nil || !a.Prefix.IsValid() {
		return
	}
	key, ours := placed{a.Index, a.Prefix}, a.Proto == facts.Protocol
	switch was := t.changed[key]; {
	case kind == unix.RTM_NEWADDR && !ours: // and whatever we did before, they have it now
		t.changed[key] = slices.Clone(report)
		delete(t.lost, key)
	case kind == unix.RTM_NEWADDR && was != nil:
		t.lost[key] = was
	case kind == unix.RTM_DELADDR:
		delete(t.changed, key)
		i := slices.Index(t.removed, key)
		if i >= 0 {
			t.removed, requested = slices.Delete(t.removed, i, i+1), true
		}
		switch {
		case !requested:
			delete(t.lost, key)
		case !ours:
			t.lost[key] = slices.Clone(report)
		case i < 0:
			t.along = append(t.along, key)
		}
	}
}

// take returns what was lost, and begins anew. During a reload nobody looks at
// the interfaces, and while a chore is under way more may come: what somebody has
// made theirs meanwhile stays remembered.
func (t *foreignAddresses) take(more bool) map[placed]addrMsg {
	lost := t.lost
	if t.removed, t.lost = nil, make(map[placed]addrMsg); more {
		t.armed = true
	} else {
		t.armed, t.changed = false, make(map[placed]addrMsg)
	}
	return lost
}

// collect reads what the kernel has reported, and returns what we have taken
// from somebody.
func (b *broker) collect() map[placed]addrMsg {
	t, reload := &b.foreignAddresses, len(b.oldPages) > 0
	t.armed = t.armed || reload
	_, t.failed = t.Each(t.follow)
	for _, p := range t.along {
		b.plan.wentAlong(p)
	}
	t.along = nil
	return t.take(reload || b.chores.busy)
}

// giveBack gives it back, but for what they had put on a device of our own, and
// what is taken on purpose.
func (b *broker) giveBack(lost map[placed]addrMsg, meant func(placed) bool) {
	t := &b.foreignAddresses
	for key, report := range lost {
		if meant != nil && meant(key) || slices.ContainsFunc(b.generations(), func(s *page) bool { return s.own && s.index == key.index }) {
			continue
		}
		link := b.kernel.NameOf(key.index)
		switch err := b.kernel.Say(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, report); {
		case err == nil:
			if t.returned++; t.returning.Take(b.now) {
				b.log.Warn("given back an address that is somebody else's", "address", key.prefix, "link", link, "times", t.returned)
			}
		case !errors.Is(err, unix.ENODEV):
			b.log.Error("cannot give back an address that is somebody else's", "address", key.prefix, "link", link, "error", err)
		}
	}
}
