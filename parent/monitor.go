package parent

import (
	"context"
	"fmt"
	"slices"
	"syscall"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"golang.org/x/sys/unix"
)

// monitor hears what the kernel reports.
type monitor struct{ kernel.Reports }

// observed are interfaces and addresses.
var observed = []int{unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR}

// read says whether the reports in a datagram have anything for us: all but that an address of
// ours was put again.
func (m *monitor) read(b []byte) bool {
	reports, err := syscall.ParseNetlinkMessage(b)
	return err != nil || slices.ContainsFunc(reports, func(r syscall.NetlinkMessage) bool {
		if r.Header.Type != unix.RTM_NEWADDR {
			return true
		}
		a, err := facts.ParseAddress(r.Data)
		return err != nil || a.Proto != facts.Protocol || !a.Again
	})
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
		if err := d.resync(); d.resyncTrouble.About(err, d.now) {
			d.log.Error("cannot follow the interfaces", "error", err)
		}
	}
	return nil
}
