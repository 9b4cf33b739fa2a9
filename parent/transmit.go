package parent

import (
	"errors"
	"fmt"
	"net"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// errBusy: the interface has no room for a frame right now.
var errBusy = errors.New("interface busy")

// sender sends whole frames out of one interface.
type sender struct {
	conn  *packet.Conn
	index int
}

// openSender opens a packet socket with protocol 0: it receives nothing, so
// that it costs the interface's traffic nothing.
func openSender(index int, name string) (*sender, error) {
	conn, err := packet.Listen(&net.Interface{Index: index, Name: name}, packet.Raw, 0, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: packet socket: %w", name, err)
	}
	return &sender{conn, index}, nil
}

// send tries once and never waits, as the library's own WriteTo would: the
// loop has other work to do than to wait for one interface's queue.
func (s *sender) send(frame []byte) error {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = raw.Write(func(fd uintptr) bool {
		result = unix.Sendto(int(fd), frame, unix.MSG_DONTWAIT, &unix.SockaddrLinklayer{Ifindex: s.index})
		return true
	})
	if result == unix.EAGAIN || result == unix.ENOBUFS {
		return errBusy
	}
	return errors.Join(err, result)
}

func (s *sender) close() { s.conn.Close() }
