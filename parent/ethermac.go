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

// returnMAC gives an interface back the hardware address that a dead daemon has kept.
func (b *broker) returnMAC(index int, own net.HardwareAddr) error { return kernel.SetMAC(index, own) }

// wearMAC gives a slot's interface the virtual MAC address.
func (b *broker) wearMAC(s *page) error {
	l := b.wires[s.link]
	if !s.etherMAC || l.worn != nil {
		return nil
	}
	own := net.HardwareAddr(append([]byte(nil), l.mac[:]...))
	if isVirtualMAC(own) {
		return fmt.Errorf("%s: has a virtual hardware address already, %v", l.name, own)
	}
	l.worn = own
	if err := b.record(l.name); err != nil {
		l.worn = nil
		return err
	}
	s.wears = true
	if err := kernel.SetMAC(l.index, s.mac[:]); err != nil {
		return errors.Join(err, b.shedMAC(s))
	}
	b.readdress(l, s.mac, s)
	return nil
}

// shedMAC gives the interface its own address back.
func (b *broker) shedMAC(s *page) error {
	l := b.wires[s.link]
	if !s.wears || l.worn == nil {
		return nil
	}
	own := l.worn
	s.wears, l.worn = false, nil
	err := kernel.SetMAC(l.index, own)
	b.readdress(l, [6]byte(own), s)
	return errors.Join(err, b.record(l.name))
}
