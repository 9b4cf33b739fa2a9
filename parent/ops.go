package parent

import (
	"context"
	"errors"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// Implementation constants.
const (
	// outboxMax bounds the frames that wait for a busy interface.
	outboxMax = 4096
	// outboxRetry is the time between two attempts.
	outboxRetry = int64(time.Millisecond)
)

// Reasons of our own why a frame was not sent.
var (
	errBusyLong = errors.New("interface busy for too long")
	errTooMany  = errors.New("too many announcements wait")
)

// waiting is a frame whose interface was busy.
type waiting struct {
	link  *link
	frame []byte
}

// request decides on one request of the child, carries it out and answers.
// Only what was not simply done, and a Drain, is answered.
func (d *daemon) request(h ipc.Header, m ipc.Message) error {
	if h.Type == ipc.TypeDrain {
		d.forward()
		d.answer(h, h.Type, ipc.CodeDone)
		return nil
	}
	s := d.slotOf(h)
	if s == nil {
		return &violation{reason: h.Type.String() + " for a slot that was not granted"}
	}
	l, generation := d.links[s.link], d.generation
	if d.outdated(h) {
		generation--
	}
	code, err := allow(&s.grant, s.held, l.told.Up, generation, d.now, h, m)
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
		if s.held {
			d.prolong(s)
		}
		d.advertise(s, l, m.Message)
		if d.verbose(LevelExtensive) {
			d.log.Log(context.Background(), LevelExtensive, "advertisement sent", "vr", s.name, "bytes", len(d.frame))
		}
	case ipc.Acquire:
		return d.takeSoon(s, h)
	case ipc.Release:
		if s.acquiring != nil {
			d.acquireAll()
		}
		if err := d.give(s); err != nil {
			d.log.Error("release failed", "vr", s.name, "error", err)
			return ipc.CodeKernel
		}
	case ipc.Announce:
		if s.acquiring != nil {
			s.acquiring.announce = int(m.Repeat)
			return ipc.CodeDone
		}
		d.announceSlot(s, l, int(m.Repeat))
	}
	return ipc.CodeDone
}

// announceSlot tells the LAN where the slot's addresses are.
func (d *daemon) announceSlot(s *slot, l *link, repeat int) {
	if d.verbose(LevelMedium) {
		d.log.Log(context.Background(), LevelMedium, "addresses announced", "vr", s.name, "times", repeat)
	}
	for range repeat {
		for _, a := range s.addrs {
			if l.family == ipc.IPv6 {
				d.frame = appendNeighborAdvertisement(d.frame[:0], s.source(l), s.addrs[0].Addr, a.Addr)
			} else {
				d.frame = appendGratuitousARP(d.frame[:0], s.source(l), a.Addr)
			}
			d.announceFrame(s, l, d.frame)
		}
	}
}

// source is the hardware address that answers for the slot's addresses.
func (s *slot) source(l *link) [6]byte {
	if s.own {
		return s.mac
	}
	return l.mac
}

// transmit sends a frame, or keeps it for a moment when the interface is
// busy. Frames that wait stay in order.
func (d *daemon) transmit(l *link, frame []byte) {
	if len(d.outbox) == 0 {
		err := l.tx.send(frame)
		if err == nil {
			return
		}
		if !errors.Is(err, errBusy) {
			d.unsent(l, err)
			return
		}
	}
	if len(d.outbox) == outboxMax {
		d.unsent(l, errBusyLong)
		d.outbox = d.outbox[1:]
	}
	d.outbox = append(d.outbox, waiting{l, append([]byte(nil), frame...)})
	d.retry = d.now + outboxRetry
}

// unsent tells of frames that could not be sent, at a limited rate; that an
// interface is down or gone the kernel reports in a moment, and then it is
// dealt with.
func (d *daemon) unsent(l *link, err error) {
	if errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
		d.log.Debug("send failed", "link", l.linkName, "error", err)
	} else if n := l.unsent.add(1, d.now); n > 0 {
		d.log.Error("send failed", "link", l.linkName, "error", err, "frames", n)
	}
}

// flushOutbox sends what waited.
func (d *daemon) flushOutbox() {
	queue := d.outbox
	d.outbox = nil
	for i, w := range queue {
		if w.link.tx == nil {
			continue
		}
		if err := w.link.tx.send(w.frame); errors.Is(err, errBusy) {
			d.outbox, d.retry = queue[i:], d.now+outboxRetry
			return
		} else if err != nil {
			d.unsent(w.link, err)
		}
	}
}

// forward passes on every packet that has arrived, in batches on the frames
// lane. A child that does not keep up loses packets there, as it would in
// the socket's own queue.
func (d *daemon) forward() {
	d.gathered, d.waiting = d.now, false
	for family, r := range d.recv {
		for {
			n, index, arrived, err := r.read(d.packet)
			if err != nil {
				break
			}
			id, known := d.byIndex[arrival{index, family}]
			if !known || !d.child.configured() {
				continue // nobody to tell; the socket is emptied all the same
			}
			d.links[id].heard++
			d.received = ipc.Frame{Link: id, Family: family, Received: arrived, Packet: d.packet[:n]}
			d.batch.Add(ipc.Header{Generation: d.generation, Slot: ipc.NoSlot}, &d.received)
		}
	}
	if d.batch.Len() > 0 && d.batch.Flush(d.child.frames.Send) != nil {
		d.lost++
	}
}
