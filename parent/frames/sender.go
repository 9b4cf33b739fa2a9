package frames

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// ErrBusy: the interface has no room for a frame right now.
var ErrBusy = errors.New("interface busy")

// controlPriority is TC_PRIO_CONTROL: queues with bands send such frames first.
const controlPriority = 7

// Sender sends whole frames out of one interface. Advertisements have sockets
// of their own, by turns: what a socket has sent has left the interface's
// queues when it accounts for nothing any more, and so one drains while the
// other fills.
type Sender struct {
	index     int
	announces *packet.Conn
	adverts   [2]txSocket
	filling   int
}

// txSocket is one of the sockets of advertisements.
type txSocket struct {
	conn   *packet.Conn
	queued []QueuedFrame
}

// QueuedFrame is an advertisement that the kernel has taken and may still keep in
// a queue.
type QueuedFrame struct {
	Of any
	At int64
}

// OpenSender opens packet sockets with protocol 0: they receive nothing, so
// that they cost the interface's traffic nothing.
func OpenSender(index int, name string) (s *Sender, err error) {
	s = &Sender{index: index}
	open := func() (c *packet.Conn) {
		if err == nil {
			c, err = packet.Listen(&net.Interface{Index: index, Name: name}, packet.Raw, 0, nil)
		}
		return c
	}
	s.announces = open()
	for i := range s.adverts {
		if s.adverts[i].conn = open(); err == nil {
			err = control(s.adverts[i].conn, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, controlPriority) })
		}
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: packet socket: %w", name, err)
	}
	return s, nil
}

// control does something with a connection's descriptor. Nothing waits, as
// the library's own WriteTo would: the loop has other work to do than to wait
// for one interface's queue.
func control(c *packet.Conn, f func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = raw.Control(func(fd uintptr) { result = f(int(fd)) })
	return errors.Join(err, result)
}

// send tries once.
func (s *Sender) send(c *packet.Conn, frame []byte) error {
	err := control(c, func(fd int) error {
		return unix.Sendto(fd, frame, unix.MSG_DONTWAIT, &unix.SockaddrLinklayer{Ifindex: s.index})
	})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOBUFS) {
		return ErrBusy
	}
	return err
}

// Advertise sends a frame with an advertisement. The error is ErrBusy where there is no room.
func (s *Sender) Advertise(frame []byte) error { return s.send(s.adverts[s.filling].conn, frame) }

// Announce sends any other frame. The error is ErrBusy where there is no room.
func (s *Sender) Announce(frame []byte) error { return s.send(s.announces, frame) }

// Queued remembers an advertisement that the kernel has taken.
func (s *Sender) Queued(of any, at int64) {
	l := &s.adverts[s.filling]
	l.queued = append(l.queued, QueuedFrame{of, at})
}

// Left returns the advertisements that have left the interface's queues since
// it was asked last. The result is valid until another is queued.
func (s *Sender) Left() (out []QueuedFrame) {
	draining := &s.adverts[1-s.filling]
	if len(draining.queued) > 0 {
		if !draining.empty() {
			return nil
		}
		out, draining.queued = draining.queued, draining.queued[:0]
	}
	if now := &s.adverts[s.filling]; len(now.queued) > 0 {
		s.filling = 1 - s.filling
		if len(out) == 0 && now.empty() {
			out, now.queued = now.queued, now.queued[:0]
		}
	}
	return out
}

// empty says whether the kernel has sent all that a socket gave it; where it
// cannot say, it has.
func (l *txSocket) empty() (empty bool) {
	err := control(l.conn, func(fd int) error {
		waiting, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		empty = waiting == 0
		return err
	})
	return empty || err != nil
}

// Keeps says whether an advertisement of a slot, or of any, that was queued
// at an instant or before may not have left.
func (s *Sender) Keeps(of any, since int64) bool {
	return slices.ContainsFunc(s.adverts[:], func(l txSocket) bool {
		return slices.ContainsFunc(l.queued, func(h QueuedFrame) bool { return (of == nil || h.Of == of) && h.At <= since })
	})
}

// Close closes the sockets, without waiting for it: the kernel takes some 13 ms
// for each, in which nothing could be sent on other links.
func (s *Sender) Close() {
	conns := []*packet.Conn{s.announces, s.adverts[0].conn, s.adverts[1].conn}
	go func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
}
