package parent

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"golang.org/x/sys/unix"
)

// take puts the slot's addresses on its device.
func (b *broker) take(s *page) error {
	b.finishChoreOf(s)
	b.rest()
	b.prolong(s, b.now)
	want := b.place(s)
	if s.held && slices.Equal(want, s.placed) {
		return nil
	}
	b.unmute(s)
	gone := slices.DeleteFunc(slices.Clone(s.placed), func(a vaddr) bool { return slices.Contains(want, a) })
	gone, heirs := b.bequeath(s, gone)
	s.held, s.placed = true, slices.Concat(want, gone)
	// What is gone goes first: with the first address of a subnet the kernel
	// takes all others of it away.
	err := errors.Join(b.wearMAC(s), b.remove(s, gone))
	if err == nil {
		s.placed = want
		err = b.put(s, want)
	}
	for _, t := range heirs {
		err = errors.Join(err, b.put(t, t.placed))
	}
	if err != nil {
		return errors.Join(err, b.give(s))
	}
	return nil
}

// place says where the slot's addresses go.
func (b *broker) place(s *page) []vaddr { return s.place(b.wires[s.link].prefixes) }

// prolong lets a slot be held for one more lease from an instant on, and its
// addresses answer.
func (b *broker) prolong(s *page, at int64) {
	if at < s.prolonged {
		return
	}
	s.prolonged, s.expires = at, at+int64(s.lease)
	b.leaseCheck = min(b.leaseCheck, s.expires)
	b.unstick(s)
	if s.held && s.acquiring == nil && b.ages(s) {
		b.reviveSoon(s)
	}
	if !b.silences || s.ownership == ipc.OwnsAll {
		return
	}
	b.renewSoon(s)
}

// unstick has the addresses of a slot silent no longer than others that could not be removed.
func (b *broker) unstick(s *page) {
	if s.stuck {
		s.stuck = false
		b.plan.lookAt(b.wires[s.link], b.now)
	}
}

// give takes the slot's addresses off its device again.
func (b *broker) give(s *page) error {
	if !s.held {
		return nil
	}
	b.finishChoreOf(s)
	b.rest()
	if err := errors.Join(b.remove(s, s.placed), b.shedMAC(s)); err != nil {
		return err // still held: the next attempt may succeed
	}
	if b.verbose(LevelLow) {
		b.log.Debug("addresses given back", "vr", s.name, "device", s.index, "addresses", s.placed)
	}
	s.held, s.placed, s.aged = false, nil, 0
	b.unstick(s)
	b.renewSoon(s) // which others have waited for it to be
	if s.own && !s.lowering {
		s.lowering = true
		b.lowering = append(b.lowering, s)
	}
	return nil
}

// mute has a device that is up and no longer held take no IPv6: what is sent
// to the virtual MAC is another's to forward (RFC 9568 §6.4.2 (335)).
func (b *broker) mute(s *page) {
	if !s.muted && !s.held && s.own && s.index != 0 && b.wires[s.link].family == ipc.IPv6 {
		s.muted = kernel.WriteSetting("ipv6", s.device, "disable_ipv6", "1") == nil
	}
}

// unmute undoes mute, for a device that is down, or held again.
func (b *broker) unmute(s *page) {
	if !s.muted {
		return
	}
	s.muted = false
	if err := kernel.WriteSetting("ipv6", s.device, "disable_ipv6", "0"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.log.Error("device without IPv6", "vr", s.name, "error", err)
	}
}

// deprecate has the virtual addresses on an interface itself be the source of
// what this host sends only as long as the interface has none of its own.
func (b *broker) deprecate(l *wire) error {
	var errs []error
	for _, s := range l.pages {
		if s.own || !s.held {
			continue
		}
		placed := slices.Clone(s.placed)
		for i, a := range placed {
			placed[i].Deprecated = replaceable(a.Prefix.Addr(), l.prefixes)
		}
		if slices.Equal(placed, s.placed) {
			continue
		}
		err := b.reput(s, placed, b.life(s))
		if err == nil {
			s.placed = placed
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// bequeath lists, of addresses that a slot gives up, those that no other slot
// on the same device is to have: what one is to have stays where it is, and
// is on its page from now on.
func (b *broker) bequeath(s *page, gone []vaddr) (nobodys []vaddr, heirs []*page) {
	for _, a := range gone {
		i := slices.IndexFunc(b.pages, func(t *page) bool {
			return t != nil && t != s && t.held && t.index == s.index && !t.ioctl && !s.ioctl && has(b.place(t), a)
		})
		if i < 0 {
			nobodys = append(nobodys, a)
			continue
		}
		t := b.pages[i]
		if heirs = append(heirs, t); !has(t.placed, a) {
			t.placed = append(slices.Clone(t.placed), a)
		}
	}
	return nobodys, heirs
}

func has(addrs []vaddr, a vaddr) bool {
	return slices.ContainsFunc(addrs, func(b vaddr) bool { return a.Prefix == b.Prefix })
}

// label is what tells an address that is put with ioctl(2), netdrv = "ioctl", from others.
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
	if err := b.withdraw(s.index, addrs); err != nil || l.displaced == nil {
		return err
	}
	lost := b.collect() // and given back behind the interface's own
	err := b.bringBack(l, s)
	b.replant(l, s)
	b.giveBack(lost, nil)
	return err
}
