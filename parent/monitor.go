package parent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"golang.org/x/sys/unix"
)

// monitor hears what the kernel reports.
type monitor struct {
	kernel.Reports
	// destinations are those of our routes.
	destinations map[netip.Prefix]bool
}

// openMonitor opens the socket of reports of interfaces and addresses.
func openMonitor() (m monitor, err error) {
	m.Reports, err = kernel.OpenReports(unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
	return m, err
}

// watchRoutes has the monitor report changes of routes, too: of those with
// these destinations, whoever made them.
func (m *monitor) watchRoutes(routes []conf.Route) error {
	m.destinations = make(map[netip.Prefix]bool)
	for _, r := range routes {
		m.destinations[r.Prefix] = true
	}
	return m.Join(len(routes) > 0, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
}

// read says whether the reports in a datagram have anything for us: of routes, those to destinations of ours, and of addresses all but
// that one of ours was put again.
func (m *monitor) read(b []byte) bool {
	reports, err := syscall.ParseNetlinkMessage(b)
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
func (m *monitor) changed() (any bool, err error) {
	lost, err := m.Each(func(datagram []byte) { any = m.read(datagram) || any })
	return any || lost, err
}

// watch follows the interfaces.
func (d *daemon) watch(reported bool) error {
	changed := d.resyncAgain > 0 && d.now >= d.resyncAgain
	if reported {
		heard, err := d.monitor.changed()
		if err != nil {
			return fmt.Errorf("interfaces: %w", err)
		}
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
