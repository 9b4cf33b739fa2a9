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

// monitor hears what the kernel reports.
type monitor struct {
	fd  int
	buf []byte
	// destinations are those of our routes.
	destinations     map[netip.Prefix]bool
	foreignAddresses *foreignAddresses
}

// openMonitor opens the socket of reports, for those of addresses to be followed. Port is that
// of our requests.
func openMonitor(port uint32, t *foreignAddresses) (monitor, error) {
	*t = foreignAddresses{port: port, changed: make(map[placed]addrMsg), lost: make(map[placed]addrMsg)}
	m := monitor{buf: make([]byte, 64<<10), foreignAddresses: t}
	var err error
	if m.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE); err == nil {
		err = errors.Join(
			unix.Bind(m.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1<<(unix.RTNLGRP_LINK-1) | 1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_IFADDR-1)}),
			unix.SetsockoptInt(m.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20))
	}
	if err != nil {
		return m, fmt.Errorf("netlink monitor: %w", err)
	}
	return m, nil
}

// watchRoutes has the monitor report changes of routes, too: of those with
// these destinations, whoever made them.
func (m *monitor) watchRoutes(routes []conf.Route) error {
	option := unix.NETLINK_DROP_MEMBERSHIP
	if len(routes) > 0 {
		option = unix.NETLINK_ADD_MEMBERSHIP
	}
	m.destinations = make(map[netip.Prefix]bool)
	for _, r := range routes {
		m.destinations[r.Prefix] = true
	}
	return errors.Join(unix.SetsockoptInt(m.fd, unix.SOL_NETLINK, option, unix.RTNLGRP_IPV4_ROUTE),
		unix.SetsockoptInt(m.fd, unix.SOL_NETLINK, option, unix.RTNLGRP_IPV6_ROUTE))
}

// read follows the reports in a datagram, and says whether they have anything
// for us: of routes, those to destinations of ours, and of addresses all but
// that one of ours was put again.
func (m *monitor) read(b []byte) bool {
	reports, err := syscall.ParseNetlinkMessage(b)
	m.foreignAddresses.follow(reports)
	return err != nil || slices.ContainsFunc(reports, func(r syscall.NetlinkMessage) bool {
		switch r.Header.Type {
		case unix.RTM_NEWADDR:
			a, err := facts.ParseAddress(r.Data)
			return err != nil || a.Proto != facts.Protocol || !a.Again
		case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
			to, ok := destination(r.Data)
			return !ok || m.destinations[to]
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
func (m *monitor) changed() (bool, error) {
	any := false
	for {
		n, from, err := unix.Recvfrom(m.fd, m.buf, 0)
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
			any = ok && sa.Pid == 0 && m.read(m.buf[:n]) || any
		}
	}
}

// watch follows the interfaces.
func (d *daemon) watch(reported bool) error {
	changed := d.resyncAgain > 0 && d.now >= d.resyncAgain
	if reported {
		d.foreignAddresses.armed = d.foreignAddresses.armed || d.old != nil
		heard, err := d.monitor.changed()
		if err != nil {
			return fmt.Errorf("interfaces: %w", err)
		}
		d.giveBack(d.foreignAddresses.take(d.old != nil || d.chores.busy), nil)
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

// collect reads what the kernel has reported, and returns what we have taken
// from somebody.
func (d *daemon) collect() map[placed]addrMsg {
	if reported, err := d.monitor.changed(); reported || err != nil {
		d.resyncAgain = max(d.now, 1)
	}
	return d.foreignAddresses.take(d.old != nil || d.chores.busy)
}

// giveBack gives it back, but for what they had put on a device of our own, and
// what is taken on purpose.
func (d *daemon) giveBack(lost map[placed]addrMsg, meant func(placed) bool) {
	for key, report := range lost {
		if meant != nil && meant(key) || slices.ContainsFunc(d.generations(), func(s *page) bool { return s.own && s.index == key.index }) {
			continue
		}
		switch err := d.returnAddress(report); {
		case err == nil:
			if d.returned++; d.returning.take(d.now) {
				d.log.Warn("given back an address that is somebody else's", "address", key.prefix, "link", d.called[key.index], "times", d.returned)
			}
		case !errors.Is(err, unix.ENODEV):
			d.log.Error("cannot give back an address that is somebody else's", "address", key.prefix, "link", d.called[key.index], "error", err)
		}
	}
}
