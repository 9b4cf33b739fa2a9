package parent

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// netdrv = "ioctl": the address is put on the interface with ioctl(2), under a
// label of its own, in place of the interface's own (aside.go).

func (s *slot) label(iface string) string { return fmt.Sprintf("%s:rvr%d", iface, s.vrid) }

// put puts addresses on the slot's device, in the way that is configured.
func (d *daemon) put(s *slot, addrs []vaddr) error {
	if l := d.links[s.link]; s.ioctl && l.displaces(addrs) {
		return d.displace(l, s, addrs)
	}
	return d.lay(s, addrs)
}

// lay puts them beside what is there.
func (d *daemon) lay(s *slot, addrs []vaddr) error {
	if !s.ioctl {
		return d.kernel.Acquire(d.placement(s, addrs))
	}
	var errs []error
	if name := d.links[s.link].name; d.kernel.NameOf(s.index) != name { // another may have it
		return fmt.Errorf("%s: %w", name, unix.ENODEV)
	}
	for _, a := range addrs {
		errs = append(errs, d.kernel.SetLabelled(s.label(d.links[s.link].name), a))
	}
	return errors.Join(errs...)
}

// remove takes addresses off the slot's device.
func (d *daemon) remove(s *slot, addrs []vaddr) error {
	if s.own {
		return d.kernel.Release(s.index, false, addrs)
	}
	l := d.links[s.link]
	if err := d.moored(l); err != nil {
		return err
	}
	if err := d.withdraw(s.index, addrs); err != nil || l.aside == nil {
		return err
	}
	lost := d.collect() // and given back behind the interface's own
	err := d.bringBack(l, s)
	d.replant(l, s)
	d.giveBack(lost, nil)
	return err
}
