package ipc

import (
	"errors"
	"fmt"
	"io"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Errors of a lane.
var (
	ErrAgain     = errors.New("lane: nothing to read, or no room to write")
	ErrTruncated = errors.New("lane: datagram longer than the buffer")
)

// Conn is one end of a lane: a non-blocking SOCK_SEQPACKET socket. It belongs
// to one goroutine.
type Conn struct{ fd int }

// Pair makes a lane: our end, and the descriptor of the other for a child to
// inherit. Both are closed by exec.
func Pair() (*Conn, int, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, err
	}
	return &Conn{fds[0]}, fds[1], nil
}

// FromFD returns the end that was inherited as the descriptor fd.
func FromFD(fd int) *Conn { return &Conn{fd} }

// FD returns the descriptor, to wait for.
func (c *Conn) FD() int { return c.fd }

// Close closes this end; the other reads io.EOF.
func (c *Conn) Close() error {
	fd := c.fd
	c.fd = -1 // a second Close must not hit a stranger's descriptor
	return unix.Close(fd)
}

// SetBuffers sets the room for datagrams on their way, in bytes; with
// CAP_NET_ADMIN beyond the system's limit.
func (c *Conn) SetBuffers(n int) error {
	for _, opt := range [][2]int{{unix.SO_SNDBUFFORCE, unix.SO_SNDBUF}, {unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}} {
		if unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, opt[0], n) == nil {
			continue
		}
		if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, opt[1], n); err != nil {
			return err
		}
	}
	return nil
}

// Recv reads one datagram. It returns ErrAgain when there is none, io.EOF
// when the other end is closed (or said nothing at length 0, which no honest
// end does), ErrTruncated when b was too short and the datagram is lost.
//
// Recv and Send make the system calls without an address argument: the only
// form that the child's seccomp filter lets pass.
func (c *Conn) Recv(b []byte) (int, error) {
	n, errno := transfer(unix.SYS_RECVFROM, c.fd, b, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
	if errno == unix.ECONNRESET {
		// Closed with unread datagrams in there: reported once, ahead of the
		// last words of the other end, which are still to be read here.
		n, errno = transfer(unix.SYS_RECVFROM, c.fd, b, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
	}
	switch {
	case errno == unix.EAGAIN:
		return 0, ErrAgain
	case errno != 0:
		return 0, fmt.Errorf("lane: receive: %w", errno)
	case n == 0:
		return 0, io.EOF
	case n > len(b):
		return 0, ErrTruncated
	}
	return n, nil
}

// Send writes one datagram. It returns ErrAgain when there is no room, and
// io.ErrClosedPipe when the other end is closed.
func (c *Conn) Send(b []byte) error {
	_, errno := transfer(unix.SYS_SENDTO, c.fd, b, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	switch errno {
	case 0:
		return nil
	case unix.EAGAIN:
		return ErrAgain
	case unix.EPIPE, unix.ECONNRESET:
		return io.ErrClosedPipe
	default:
		return fmt.Errorf("lane: send: %w", errno)
	}
}

// transfer does not tell the runtime of the call, for that would cost as much: it never waits.
func transfer(nr uintptr, fd int, b []byte, flags uintptr) (int, unix.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(nr, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}
