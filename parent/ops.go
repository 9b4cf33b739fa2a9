package parent

import (
	"context"
	"errors"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// request decides on one request of the child, carries it out and answers.
// Only what was not simply done, and a Drain, is answered.
func (d *daemon) request(h ipc.Header, m ipc.Message) error {
	if h.Type == ipc.TypeDrain {
		d.answerDrain(h)
		return nil
	}
	s := d.slotOf(h)
	if s == nil {
		return &violation{reason: h.Type.String() + " for a slot that was not granted"}
	}
	l, generation := d.links[s.link], d.generation
	if d.old != nil { // the child has not taken over the next one, and asks for nothing of it before Ready
		generation--
	}
	code, err := allow(&s.grant, s.held, l.serves(m), generation, d.now, h, m)
	if err != nil {
		return err
	}
	if code == ipc.CodeDone {
		code = d.perform(s, l, h, m)
	}
	if code != ipc.CodeDone {
		d.answer(h, h.Type, code)
	}
	return nil
}

// perform carries out what was allowed.
func (d *daemon) perform(s *slot, l *link, h ipc.Header, m ipc.Message) ipc.Code {
	switch m := m.(type) {
	case ipc.Advertise:
		if !d.advertise(s, l, m.Message) {
			s.advert.giveBack(1)
			return ipc.CodeFull
		}
		if d.verbose(LevelExtensive) {
			d.log.Log(context.Background(), LevelExtensive, "advertisement sent", "vr", s.name, "bytes", len(d.frame))
		}
	case ipc.Look:
		return d.look(s, l, m.Peer)
	case ipc.Acquire:
		return d.takeSoon(s, h)
	case ipc.Release:
		if s.acquiring != nil {
			d.acquireAll()
		}
		if err := d.give(s); err != nil {
			d.log.ErrorContext(hearsay, "release failed", "vr", s.name, "error", err)
			return ipc.CodeKernel
		}
	case ipc.Announce:
		if a := s.acquiring; a != nil && a.announce.Count == 0 {
			a.announce, a.announced = m, h
			return ipc.CodeDone
		} else if a != nil { // we are late: this one was to come later
			d.acquireAll()
		}
		if !s.held {
			return ipc.CodeNotHeld
		}
		d.announce(s, l, h, m)
	}
	return ipc.CodeDone
}

// unsent tells of frames that could not be sent, at a limited rate; that an
// interface is down or gone the kernel reports in a moment, and then it is
// dealt with.
func (d *daemon) unsent(l *link, err error) {
	if errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
		d.log.Debug("send failed", "link", l.linkName, "error", err)
	} else if n := l.unsent.add(1, d.now); n > 0 {
		d.log.ErrorContext(hearsay, "send failed", "link", l.linkName, "error", err, "frames", n)
	}
}
