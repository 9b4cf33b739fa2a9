package parent

import (
	"context"
	"encoding/binary"
	"fmt"
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
// ours was put again; and whether that is of certain interfaces themselves.
func (m *monitor) read(b []byte, certain func(index int) bool) (any, urgent bool) {
	reports, err := syscall.ParseNetlinkMessage(b)
	any = err != nil
	for _, r := range reports {
		a, err := facts.ParseAddress(r.Data)
		any = any || r.Header.Type != unix.RTM_NEWADDR || err != nil || a.Proto != facts.Protocol || !a.Again
		link := r.Header.Type == unix.RTM_NEWLINK || r.Header.Type == unix.RTM_DELLINK
		urgent = urgent || link && len(r.Data) >= unix.SizeofIfInfomsg && certain(int(binary.NativeEndian.Uint32(r.Data[4:])))
	}
	return any, urgent
}

// watch follows the interfaces.
func (d *daemon) watch(reported bool) error {
	changed := d.resyncAgain > 0 && d.now >= d.resyncAgain
	if reported {
		heard, urgent := false, false
		lost, err := d.monitor.Each(func(datagram []byte) {
			any, now := d.monitor.read(datagram, d.isWire)
			heard, urgent = heard || any, urgent || now
		})
		if err != nil {
			return fmt.Errorf("interfaces: %w", err)
		}
		switch {
		case !heard && !lost: // for want of room
		case urgent || d.now >= d.chores.next: // else it is what we do ourselves, most of it, and that is to be quick
			changed = true
		case d.resyncAgain == 0 || d.resyncAgain > d.now+choreRest:
			d.resyncAgain = d.now + choreRest
		}
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
