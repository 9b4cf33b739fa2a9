package parent

import (
	"errors"
	"fmt"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
)

// widen gives a slot's device the MTU of its link: the kernel takes it along
// when that falls, and not when it rises again.
func (b *broker) widen(s *page, mtu int) {
	if err := kernel.SetMTU(s.index, mtu); err != nil && b.correcting.Take(b.now) {
		b.log.Error("device without the MTU of its interface", "vr", s.name, "mtu", mtu, "error", err)
	}
}

// equip gives a slot its device. The first one on a link changes the link's
// settings, too, and its alias remembers what they were, before they change.
func (b *broker) equip(l *wire, s *page) (err error) {
	if s.index = l.index; s.device == "" {
		return nil
	}
	s.index, s.own = 0, true
	if l.family == ipc.IPv4 && !l.tuned {
		if l.saved, err = differing(l.name, linkSettings); err != nil {
			return err
		}
	}
	if s.index, err = b.kernel.CreateMACVLAN(l.index, s.device, s.mac[:], formatAlias(base{b.namespace, l.index}, l.saved), b.group); err != nil {
		if s.index != 0 {
			err = errors.Join(err, b.kernel.DeleteLink(s.index))
		}
		s.index = 0
		return fmt.Errorf("device %s: %w", s.device, err)
	}
	s.made = b.now
	b.furnish(l, s, s.device)
	if !l.tuned {
		l.tuned, l.saved = true, b.set(l.saved, false)
	}
	return nil
}

// faceAgain gives the slot's device its virtual hardware address once more.
func (b *broker) faceAgain(s *page) error { return kernel.SetMAC(s.index, s.mac[:]) }

// lowerNow sets the slot's device down at once.
func (b *broker) lowerNow(s *page) error { return b.kernel.Release(s.index, true, nil) }

// deleteDevices deletes devices of ours at once.
func (b *broker) deleteDevices(devices []int) error {
	return b.kernel.DeleteLinks(devices, b.group|doomedGroup)
}

// sweepDevices deletes what a dead daemon has left: all devices of its group, where nobody
// else's are in it, or single ones.
func (b *broker) sweepDevices(group uint32, all bool, devices []facts.Link) error {
	if all && group&^0xffffff == deviceGroup {
		return b.kernel.DeleteGroup(group)
	}
	var errs []error
	for _, i := range devices {
		errs = append(errs, b.kernel.DeleteLink(i.Index))
	}
	return errors.Join(errs...)
}

// strip takes slots' addresses and their devices away.
func (b *broker) strip(slots ...*page) error {
	var errs []error
	var devices []int
	for _, s := range slots {
		b.finishChoreOf(s)
		errs = append(errs, b.give(s))
		if s.own && s.index != 0 {
			devices = append(devices, s.index)
		}
		s.forget()
	}
	return errors.Join(append(errs, b.deleteDevices(devices))...)
}
