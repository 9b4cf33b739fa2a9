package parent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"golang.org/x/sys/unix"
)

// watchRoutes has the monitor report changes of routes, too: of those with
// these destinations, whoever made them.
func (k *kernel) watchRoutes(routes []conf.Route) error {
	option := unix.NETLINK_DROP_MEMBERSHIP
	if len(routes) > 0 {
		option = unix.NETLINK_ADD_MEMBERSHIP
	}
	k.destinations = make(map[netip.Prefix]bool)
	for _, r := range routes {
		k.destinations[r.Prefix] = true
	}
	return errors.Join(unix.SetsockoptInt(k.monitor, unix.SOL_NETLINK, option, unix.RTNLGRP_IPV4_ROUTE),
		unix.SetsockoptInt(k.monitor, unix.SOL_NETLINK, option, unix.RTNLGRP_IPV6_ROUTE))
}

// read follows the reports in a datagram, and says whether they have anything
// for us: of routes, those to destinations of ours, and of addresses all but
// that one of ours was put again.
func (k *kernel) read(b []byte) bool {
	reports, err := syscall.ParseNetlinkMessage(b)
	k.theirs.follow(reports)
	return err != nil || slices.ContainsFunc(reports, func(m syscall.NetlinkMessage) bool {
		switch m.Header.Type {
		case unix.RTM_NEWADDR:
			a, err := facts.ParseAddress(m.Data)
			return err != nil || a.Proto != facts.Protocol || !a.Again
		case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
			to, ok := destination(m.Data)
			return !ok || k.destinations[to]
		}
		return true
	})
}

// destination is where a reported route leads: there may be a million of
// them, so that no more of it is looked at.
func destination(m []byte) (to netip.Prefix, ok bool) {
	if len(m) < unix.SizeofRtMsg {
		return to, false
	}
	addr, bits := netip.IPv4Unspecified(), int(m[1])
	if m[0] == unix.AF_INET6 {
		addr = netip.IPv6Unspecified()
	}
	ok = facts.Attributes(m[unix.SizeofRtMsg:], func(kind uint16, value []byte) {
		if kind == unix.RTA_DST {
			addr, _ = netip.AddrFromSlice(value)
		}
	})
	to = netip.PrefixFrom(addr, bits)
	return to, ok && to.IsValid()
}

// changed empties the monitor and says whether the kernel reported anything;
// reports that were lost for want of room count too.
func (k *kernel) changed() (bool, error) {
	any := false
	for {
		n, from, err := unix.Recvfrom(k.monitor, k.buf, 0)
		switch {
		case err == unix.EAGAIN:
			return any, nil
		case err == unix.ENOBUFS:
			any = true
		case err == unix.EINTR:
		case err != nil:
			return any, err
		default:
			sa, ok := from.(*unix.SockaddrNetlink)
			any = ok && sa.Pid == 0 && k.read(k.buf[:n]) || any
		}
	}
}

// watch follows the interfaces.
func (d *daemon) watch(reported bool) error {
	changed := d.resyncAgain > 0 && d.now >= d.resyncAgain
	if reported {
		d.kernel.theirs.armed = d.kernel.theirs.armed || d.old != nil
		heard, err := d.kernel.changed()
		if err != nil {
			return fmt.Errorf("interfaces: %w", err)
		}
		d.giveBack(d.kernel.theirs.take(d.old != nil), nil)
		changed = changed || heard
	}
	for _, l := range d.links {
		if l.again > 0 && d.now >= l.again {
			l.again, changed = 0, true
		}
	}
	if d.old != nil { // what there is belongs to slots that go: the end of the reload looks at everything
		d.resyncAgain, changed = 0, false
	}
	if changed {
		d.log.Log(context.Background(), LevelHigh, "interfaces or addresses have changed")
		if err := d.resync(); d.resyncTrouble.about(err, d.now) {
			d.log.Error("cannot follow the interfaces", "error", err)
		}
	}
	return nil
}
