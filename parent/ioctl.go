package parent

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// netdrv = "ioctl": the address is put on the interface with ioctl(2), under a
// label of its own, in place of the interface's own (aside.go).

func (s *page) label(iface string) string { return fmt.Sprintf("%s:rvr%d", iface, s.vrid) }

// put puts addresses on the slot's device, in the way that is configured.
func (b *broker) put(s *page, addrs []vaddr) error {
	if l := b.wires[s.link]; s.ioctl && l.displaces(addrs) {
		return b.displace(l, s, addrs)
	}
	return b.lay(s, addrs)
}

// lay puts them beside what is there.
func (b *broker) lay(s *page, addrs []vaddr) error {
	if !s.ioctl {
		return b.kernel.Acquire(b.placement(s, addrs))
	}
	var errs []error
	if name := b.wires[s.link].name; b.kernel.NameOf(s.index) != name { // another may have it
		return fmt.Errorf("%s: %w", name, unix.ENODEV)
	}
	for _, a := range addrs {
		errs = append(errs, b.kernel.SetLabelled(s.label(b.wires[s.link].name), a))
	}
	return errors.Join(errs...)
}

// remove takes addresses off the slot's device.
func (b *broker) remove(s *page, addrs []vaddr) error {
	if s.own {
		return b.kernel.Release(s.index, false, addrs)
	}
	l := b.wires[s.link]
	if err := b.moored(l); err != nil {
		return err
	}
	if err := b.withdraw(s.index, addrs); err != nil || l.aside == nil {
		return err
	}
	lost := b.plan.collect() // and given back behind the interface's own
	err := b.bringBack(l, s)
	b.replant(l, s)
	b.plan.giveBack(lost, nil)
	return err
}
