package routes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/attributes"
	"golang.org/x/sys/unix"
)

// Implementation constants.
const (
	// protocol marks the routes of ours: the protocol's own number.
	protocol = 112
	// dumpTries is how often a list is asked for that has changed meanwhile.
	dumpTries = 10
	// answerTime is how long the kernel may take for an answer.
	answerTime = 5 * time.Second
	// protocolOfAddress is IFA_PROTO.
	protocolOfAddress = 11
	// cloned marks routes that are no entries of a table (RTM_F_CLONED).
	cloned = 0x200
)

// Route is a route as the kernel has it.
type Route struct {
	To          netip.Prefix
	Via         netip.Addr
	Metric, MTU int
}

// Socket is the kernel behind a socket of route netlink that somebody else has opened, in
// whose network namespace it is: it answers, and reports changes of routes, and of interfaces
// and addresses, with which routes go without a word. It belongs to one goroutine.
type Socket struct {
	conn     *ipc.Conn
	sequence uint32
	concern  func(to netip.Prefix) bool
	news     bool // something has been reported of what is a concern
	buf      []byte
}

// Over is the kernel behind a socket. Routes to some destinations are a concern.
func Over(fd int, concern func(to netip.Prefix) bool) *Socket {
	return &Socket{conn: ipc.FromFD(fd), sequence: uint32(ipc.Monotonic()), concern: concern, buf: make([]byte, 64<<10)}
}

// FD is readable when there is something to hear; what was heard beside an answer is News.
func (s *Socket) FD() int { return s.conn.FD() }

// News says whether there is something of a concern that Hear has not told yet.
func (s *Socket) News() bool { return s.news }

// Close closes the socket.
func (s *Socket) Close() { s.conn.Close() }

// errInterrupted is that a list has changed while it was told, errDamaged that a message makes
// no sense.
var (
	errInterrupted = errors.New("netlink: list has changed meanwhile")
	errDamaged     = errors.New("netlink: damaged message")
)

// Routes lists the routes of the main tables with our mark.
func (s *Socket) Routes() (out []Route, err error) {
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		var all []Route
		for range dumpTries {
			all = all[:0]
			// Where the kernel looks at it, it lists no others: there may be a million.
			request := make([]byte, unix.SizeofRtMsg)
			request[0], request[5] = family, protocol
			err = s.ask(unix.NLM_F_DUMP, request, func(m []byte) {
				if r, ours := read(m); ours {
					all = append(all, r)
				}
			})
			if !errors.Is(err, errInterrupted) {
				break
			}
		}
		if err != nil {
			return nil, fmt.Errorf("routes: %w", err)
		}
		out = append(out, all...)
	}
	return out, nil
}

// OnLink says whether an address is on a link, and not behind another router.
func (s *Socket) OnLink(ip netip.Addr) (on bool) {
	family, addr := byte(unix.AF_INET), ip.AsSlice()
	if ip.Is6() {
		family = unix.AF_INET6
	}
	request := append([]byte{family, byte(ip.BitLen())}, make([]byte, unix.SizeofRtMsg-2)...)
	request = binary.NativeEndian.AppendUint16(request, uint16(unix.SizeofRtAttr+len(addr)))
	request = append(binary.NativeEndian.AppendUint16(request, unix.RTA_DST), addr...)
	err := s.ask(0, request, func(m []byte) {
		gateway := false
		whole := len(m) >= unix.SizeofRtMsg && attributes.Each(m[unix.SizeofRtMsg:], func(kind uint16, _ []byte) {
			gateway = gateway || kind == unix.RTA_GATEWAY || kind == unix.RTA_VIA
		})
		on = whole && !gateway
	})
	return err == nil && on
}

// read reads the body of a message about a route, and says whether it is one of ours.
func read(m []byte) (r Route, ours bool) {
	if len(m) < unix.SizeofRtMsg || m[5] != protocol || m[7] != unix.RTN_UNICAST || binary.NativeEndian.Uint32(m[8:])&cloned != 0 {
		return r, false
	}
	table := uint32(m[4])
	whole := attributes.Each(m[unix.SizeofRtMsg:], func(kind uint16, value []byte) {
		switch {
		case kind == unix.RTA_GATEWAY:
			r.Via, _ = netip.AddrFromSlice(value)
		case kind == unix.RTA_TABLE && len(value) == 4:
			table = binary.NativeEndian.Uint32(value)
		case kind == unix.RTA_PRIORITY && len(value) == 4:
			r.Metric = int(binary.NativeEndian.Uint32(value))
		case kind == unix.RTA_METRICS:
			attributes.Each(value, func(kind uint16, value []byte) {
				if kind == unix.RTAX_MTU && len(value) == 4 {
					r.MTU = int(binary.NativeEndian.Uint32(value))
				}
			})
		}
	})
	var known bool
	r.To, known = destination(m)
	return r, whole && known && table == unix.RT_TABLE_MAIN
}

// destination is where a route leads that the kernel tells of: there may be a million of
// them, so that no more of it is looked at.
func destination(m []byte) (to netip.Prefix, ok bool) {
	if len(m) < unix.SizeofRtMsg {
		return to, false
	}
	addr, bits := netip.IPv4Unspecified(), int(m[1])
	if m[0] == unix.AF_INET6 {
		addr = netip.IPv6Unspecified()
	}
	ok = attributes.Each(m[unix.SizeofRtMsg:], func(kind uint16, value []byte) {
		if kind == unix.RTA_DST {
			addr, _ = netip.AddrFromSlice(value)
		}
	})
	to = netip.PrefixFrom(addr, bits)
	return to, ok && to.IsValid()
}

// ask sends a request for routes, and hands on what the kernel answers, message by message.
// What it reports meanwhile is heard as well: a report has the number of whoever caused it,
// which are many, and, where many messages answer, it is not one of many.
func (s *Socket) ask(flags uint16, body []byte, each func(m []byte)) error {
	s.sequence++
	request := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	request = binary.NativeEndian.AppendUint16(request, unix.RTM_GETROUTE)
	request = binary.NativeEndian.AppendUint16(request, unix.NLM_F_REQUEST|flags)
	request = binary.NativeEndian.AppendUint32(request, s.sequence)
	request = append(binary.NativeEndian.AppendUint32(request, 0), body...)
	if err := s.conn.Send(request); err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	many, interrupted := flags&unix.NLM_F_DUMP != 0, false
	for done := false; !done; {
		messages, err := s.receive()
		if err != nil {
			return err
		}
		for _, m := range messages {
			switch h := m.Header; {
			case h.Seq != s.sequence, h.Type == unix.RTM_NEWROUTE && many != (h.Flags&unix.NLM_F_MULTI != 0):
				s.news = s.news || concerns(m, s.concern)
				continue
			case h.Type == unix.NLMSG_DONE || h.Type == unix.NLMSG_ERROR:
				if err := outcome(m.Data); err != nil {
					return err
				}
				done = true
			case h.Type == unix.RTM_NEWROUTE:
				each(m.Data)
				done = !many
			}
			interrupted = interrupted || m.Header.Flags&unix.NLM_F_DUMP_INTR != 0
		}
	}
	if interrupted {
		return errInterrupted
	}
	return nil
}

// outcome is what the end of an answer says.
func outcome(data []byte) error {
	if len(data) < 4 {
		return errDamaged
	}
	if errno := unix.Errno(-int32(binary.NativeEndian.Uint32(data))); errno != 0 {
		return fmt.Errorf("netlink: %w", errno)
	}
	return nil
}

// receive waits for a datagram of the kernel's.
func (s *Socket) receive() ([]syscall.NetlinkMessage, error) {
	for {
		messages, err := s.next()
		if !errors.Is(err, ipc.ErrAgain) {
			return messages, err
		}
		ready, err := ipc.Wait([]unix.PollFd{{Fd: int32(s.conn.FD()), Events: unix.POLLIN}}, answerTime)
		if err == nil && ready == 0 {
			err = unix.ETIMEDOUT
		}
		if err != nil {
			return nil, fmt.Errorf("netlink: %w", err)
		}
	}
}

// next is the next datagram; ipc.ErrAgain if there is none yet. What was lost, for want of room,
// were reports, and no answers: it is news.
func (s *Socket) next() ([]syscall.NetlinkMessage, error) {
	n, err := s.conn.Recv(s.buf)
	for errors.Is(err, unix.ENOBUFS) {
		s.news = true
		n, err = s.conn.Recv(s.buf)
	}
	if err != nil {
		return nil, err
	}
	messages, err := syscall.ParseNetlinkMessage(s.buf[:n])
	if err != nil {
		err = errDamaged
	}
	return messages, err
}

// Hear hears what has been reported, and says whether any of it is a concern.
func (s *Socket) Hear() (news bool, err error) {
	for {
		messages, err := s.next()
		switch {
		case errors.Is(err, ipc.ErrAgain):
			news, s.news = s.news, false
			return news, nil
		case errors.Is(err, errDamaged):
			s.news = true
		case err != nil:
			return true, err
		}
		s.news = s.news || slices.ContainsFunc(messages, func(m syscall.NetlinkMessage) bool { return concerns(m, s.concern) })
	}
}

// concerns says whether a report is of a concern: one of a route, if its destination is; an
// address that is put, for the first time or anew, if it is none of ours, of which a takeover
// has thousands.
func concerns(m syscall.NetlinkMessage, to func(netip.Prefix) bool) bool {
	switch m.Header.Type {
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		where, ok := destination(m.Data)
		return !ok || to(where)
	case unix.RTM_NEWADDR:
		ours := false
		whole := len(m.Data) >= unix.SizeofIfAddrmsg && attributes.Each(m.Data[unix.SizeofIfAddrmsg:], func(kind uint16, value []byte) {
			ours = ours || kind == protocolOfAddress && len(value) > 0 && value[0] == protocol
		})
		return !whole || !ours
	}
	return true
}
