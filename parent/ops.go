package parent

import (
	"context"
	"errors"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/frames"
	"golang.org/x/sys/unix"
)

// request decides on one request of the child, carries it out and answers.
// Only what was not simply done, and a Drain, is answered.
func (b *broker) request(h ipc.Header, m ipc.Message) error {
	if h.Type == ipc.TypeDrain {
		b.answerDrain(h)
		return nil
	}
	s := b.pageOf(h)
	if s == nil {
		return &violation{reason: h.Type.String() + " for a slot that was not granted"}
	}
	l, generation := b.wires[s.link], b.generation
	if len(b.oldPages) > 0 { // the child has not taken over the next one, and asks for nothing of it before Ready
		generation--
	}
	code, err := allow(&s.grant, s.held, l.serves(m), generation, b.now, h, m)
	if err != nil {
		return err
	}
	if code == ipc.CodeDone {
		code = b.perform(s, l, h, m)
	}
	if code != ipc.CodeDone {
		b.answer(h, h.Type, code)
	}
	return nil
}

// lane is where received packets go.
func (b *broker) lane() (to frames.Lane) {
	if b.child.configured() {
		to = frames.Lane{Conn: b.child.Frames, Generation: b.generation}
	}
	return to
}

// answerDrain answers the child's question whether anything has arrived that it has
// not seen: first all that has, then whether some of it was lost.
func (b *broker) answerDrain(h ipc.Header) {
	b.forwarder.Drain(b.lane())
	if until, lost := b.forwarder.Missed(); lost {
		b.send(ipc.Header{Slot: ipc.NoSlot}, ipc.Missed{Until: until})
	}
	b.answer(h, h.Type, ipc.CodeDone)
}

// perform carries out what was allowed.
func (b *broker) perform(s *page, l *wire, h ipc.Header, m ipc.Message) ipc.Code {
	switch m := m.(type) {
	case ipc.Advertise:
		if !b.advertise(s, l, m.Message) {
			s.advert.GiveBack(1)
			return ipc.CodeFull
		}
		if b.verbose(LevelExtensive) {
			b.log.Log(context.Background(), LevelExtensive, "advertisement sent", "vr", s.name, "bytes", len(b.frame))
		}
	case ipc.Look:
		return b.look(s, l, m.Peer)
	case ipc.Acquire:
		return b.takeSoon(s, h)
	case ipc.Release:
		if s.acquiring != nil {
			b.acquireAll()
		}
		if err := b.give(s); err != nil {
			b.log.ErrorContext(hearsay, "release failed", "vr", s.name, "error", err)
			return ipc.CodeKernel
		}
	case ipc.Announce:
		if a := s.acquiring; a != nil && a.announce.Count == 0 {
			a.announce, a.announced = m, h
			return ipc.CodeDone
		} else if a != nil { // we are late: this one was to come later
			b.acquireAll()
		}
		if !s.held {
			return ipc.CodeNotHeld
		}
		b.announce(s, l, h, m)
	}
	return ipc.CodeDone
}

// unsent tells of frames that could not be sent, at a limited rate; that an
// interface is down or gone the kernel reports in a moment, and then it is
// dealt with.
func (b *broker) unsent(l *wire, err error) {
	if errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
		b.log.Debug("send failed", "link", l.linkName, "error", err)
	} else if n := l.unsent.Add(1, b.now); n > 0 {
		b.log.ErrorContext(hearsay, "send failed", "link", l.linkName, "error", err, "frames", n)
	}
}
