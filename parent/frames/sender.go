package frames

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"unsafe"

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
	announces socket
	adverts   [2]txSocket
	filling   int
}

// socket is a packet socket, and its descriptor, which stays the same until it is closed.
type socket struct {
	conn *packet.Conn
	fd   int
}

// txSocket is one of the sockets of advertisements.
type txSocket struct {
	socket
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
	s = &Sender{}
	on := &net.Interface{Index: index, Name: name}
	err = errors.Join(s.announces.open(on, 0), s.adverts[0].open(on, controlPriority), s.adverts[1].open(on, controlPriority))
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: packet socket: %w", name, err)
	}
	return s, nil
}

func (s *socket) open(on *net.Interface, priority int) (err error) {
	if s.conn, err = packet.Listen(on, packet.Raw, 0, nil); err != nil {
		return err
	}
	raw, err := s.conn.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { s.fd = int(fd) })
	}
	return errors.Join(err, unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_PRIORITY, priority))
}

// send tries once. Nothing waits, as the library's own WriteTo would: the loop has other work
// to do than to wait for one interface's queue. To tell the runtime of a call that does not wait
// would cost as much as the call.
func (s *socket) send(frame []byte) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd), uintptr(unsafe.Pointer(unsafe.SliceData(frame))), uintptr(len(frame)), unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
		return nil
	case unix.EAGAIN, unix.ENOBUFS:
		return ErrBusy
	}
	return errno
}

// Advertise sends a frame with an advertisement. The error is ErrBusy where there is no room.
func (s *Sender) Advertise(frame []byte) error { return s.adverts[s.filling].send(frame) }

// Announce sends any other frame. The error is ErrBusy where there is no room.
func (s *Sender) Announce(frame []byte) error { return s.announces.send(frame) }

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
func (l *txSocket) empty() bool {
	waiting, err := unix.IoctlGetInt(l.fd, unix.SIOCOUTQ)
	return waiting == 0 || err != nil
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
	conns := []*packet.Conn{s.announces.conn, s.adverts[0].conn, s.adverts[1].conn}
	go func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
}
