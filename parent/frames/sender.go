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

// sender sends whole frames out of one interface. Advertisements have sockets
// of their own, by turns: what a socket has sent has left the interface's
// queues when it accounts for nothing any more, and so one drains while the
// other fills.
type Sender struct {
	index     int
	announces *packet.Conn
	adverts   [2]lane
	filling   int
}

// lane is one of the sockets of advertisements.
type lane struct {
	conn   *packet.Conn
	handed []Handed
}

// handed is an advertisement that the kernel has taken and may still keep in
// a queue.
type Handed struct {
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

func (s *Sender) Advertise(frame []byte) error { return s.send(s.adverts[s.filling].conn, frame) }

func (s *Sender) Announce(frame []byte) error { return s.send(s.announces, frame) }

// handedOver remembers an advertisement that the kernel has taken.
func (s *Sender) HandedOver(of any, at int64) {
	l := &s.adverts[s.filling]
	l.handed = append(l.handed, Handed{of, at})
}

// left returns the advertisements that have left the interface's queues since
// it was asked last. The result is valid until another is handed over.
func (s *Sender) Left() (out []Handed) {
	draining := &s.adverts[1-s.filling]
	if len(draining.handed) > 0 {
		if !draining.empty() {
			return nil
		}
		out, draining.handed = draining.handed, draining.handed[:0]
	}
	if now := &s.adverts[s.filling]; len(now.handed) > 0 {
		s.filling = 1 - s.filling
		if len(out) == 0 && now.empty() {
			out, now.handed = now.handed, now.handed[:0]
		}
	}
	return out
}

// empty says whether the kernel has sent all that a socket gave it; where it
// cannot say, it has.
func (l *lane) empty() (empty bool) {
	err := control(l.conn, func(fd int) error {
		waiting, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
		empty = waiting == 0
		return err
	})
	return empty || err != nil
}

// keeps says whether an advertisement of a slot, or of any, that was handed
// over at an instant or before may not have left.
func (s *Sender) Keeps(of any, since int64) bool {
	return slices.ContainsFunc(s.adverts[:], func(l lane) bool {
		return slices.ContainsFunc(l.handed, func(h Handed) bool { return (of == nil || h.Of == of) && h.At <= since })
	})
}

// close closes the sockets, without waiting for it: the kernel takes some 13 ms
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
