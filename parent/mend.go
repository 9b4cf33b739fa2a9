package parent

import (
	"errors"

	"golang.org/x/sys/unix"
)

// mend puts a held slot's addresses on its device, once more, with everything
// that may keep them from it: the device is not there, or a setting.
func (b *broker) mend(s *page) error {
	b.finishChoreOf(s)
	if !s.own {
		return b.put(s, s.placed)
	}
	b.plan.corrected(s, b.furnishAgain(s))
	err := b.put(s, s.placed)
	if errors.Is(err, unix.ENODEV) || s.unequipped() {
		err = b.remake(s)
		b.plan.equipped(s, err)
	}
	return err
}

// remake makes a slot's device again, and puts back what it held.
func (b *broker) remake(s *page) error {
	b.finishChoreOf(s)
	held := s.held
	s.forget()
	err := b.equip(b.wires[s.link], s)
	if err == nil && held {
		err = b.take(s)
	}
	return err
}
