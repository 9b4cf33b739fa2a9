package parent

import (
	"errors"
	"fmt"
	"net"

	"github.com/rvrrpd/rvrrpd/parent/kernel"
)

// The hardware address that an interface had before it took a virtual one
// stands in its lock's file, which a kill -9 does not remove: the next daemon
// on the interface gives it back.

// isVirtualMAC says whether an address is one of VRRP's (RFC 9568 §7.3): only
// such a one is ever replaced by what a lock's file says.
func isVirtualMAC(mac net.HardwareAddr) bool {
	return len(mac) == 6 && mac[0] == 0 && mac[1] == 0 && mac[2] == 0x5e && mac[3] == 0 && (mac[4] == 1 || mac[4] == 2)
}

// wearMAC gives a slot's interface the virtual MAC address.
func (d *daemon) wearMAC(s *slot) error {
	l := d.links[s.link]
	if !s.etherMAC || l.worn != nil {
		return nil
	}
	own := net.HardwareAddr(append([]byte(nil), l.mac[:]...))
	if isVirtualMAC(own) {
		return fmt.Errorf("%s: has a virtual hardware address already, %v", l.name, own)
	}
	l.worn = own
	if err := d.record(l.name); err != nil {
		l.worn = nil
		return err
	}
	s.wears = true
	if err := kernel.SetMAC(l.index, s.mac[:]); err != nil {
		return errors.Join(err, d.shedMAC(s))
	}
	d.readdress(l, s.mac, s)
	return nil
}

// shedMAC gives the interface its own address back.
func (d *daemon) shedMAC(s *slot) error {
	l := d.links[s.link]
	if !s.wears || l.worn == nil {
		return nil
	}
	own := l.worn
	s.wears, l.worn = false, nil
	err := kernel.SetMAC(l.index, own)
	d.readdress(l, [6]byte(own), s)
	return errors.Join(err, d.record(l.name))
}

// readdress follows a change of the interface's own address: hosts are told of
// the addresses that it answers for, but of one slot's, which are on their way.
func (d *daemon) readdress(l *link, mac [6]byte, but *slot) {
	if l.mac == mac {
		return
	}
	l.mac = mac
	if d.stopping {
		return
	}
	for _, s := range d.generations() {
		if s != but && s.held && !s.own && d.links[s.link] == l {
			d.moved(s, s.told.AnnounceRepeat)
		}
	}
}
