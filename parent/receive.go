package parent

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// Specification constants.
const protocolVRRP = 112 // RFC 9568 §5.1.1.4

// groupIPv4 is 224.0.0.18 (RFC 9568 §5.1.1.2).
var groupIPv4 = [4]byte{224, 0, 0, 18}

var errAgain = errors.New("no packet")

// receiver is the raw protocol-112 socket of the whole daemon. It is bound to
// no device: it hears the links it has joined. It costs forwarded traffic
// nothing, unlike a tap.
type receiver struct {
	sock    int
	oob     []byte
	drained int64 // when the socket was last seen empty, CLOCK_MONOTONIC
}

// openReceiver opens the socket with a locked filter for the given virtual
// routers, or without one.
func openReceiver(vrids []uint8, filtered bool) (*receiver, error) {
	sock, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocolVRRP)
	if err != nil {
		return nil, fmt.Errorf("raw socket: %w", err)
	}
	r := &receiver{sock: sock, oob: make([]byte, 256), drained: ipc.Monotonic()}
	if filtered {
		filter := packetFilter(vrids)
		prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		err = errors.Join(unix.SetsockoptSockFprog(sock, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog),
			unix.SetsockoptInt(sock, unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1))
	}
	for _, o := range [][3]int{
		{unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0},
		{unix.IPPROTO_IP, unix.IP_PKTINFO, 1},
		{unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1},
		{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8 << 20},
	} {
		err = errors.Join(err, unix.SetsockoptInt(sock, o[0], o[1], o[2]))
	}
	if err != nil {
		unix.Close(sock)
		return nil, fmt.Errorf("raw socket: %w", err)
	}
	return r, nil
}

func (r *receiver) fd() int { return r.sock }

// join makes the socket hear the group on an interface.
func (r *receiver) join(index int) error {
	err := unix.SetsockoptIPMreqn(r.sock, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreqn{Multiaddr: groupIPv4, Ifindex: int32(index)})
	if err != nil && err != unix.EADDRINUSE {
		return fmt.Errorf("join group on interface %d: %w", index, err)
	}
	return nil
}

// leave undoes join; the interface may be gone, and the membership with it.
func (r *receiver) leave(index int) {
	_ = unix.SetsockoptIPMreqn(r.sock, unix.IPPROTO_IP, unix.IP_DROP_MEMBERSHIP, &unix.IPMreqn{Multiaddr: groupIPv4, Ifindex: int32(index)})
}

// read reads one packet from its IPv4 header on, the index of the interface
// it arrived on, and when. What is longer than b is cut. It returns errAgain
// when there is none.
func (r *receiver) read(b []byte) (n, index int, arrived int64, err error) {
	for {
		var oobn int
		n, oobn, err = recvmsg(r.sock, b, r.oob)
		switch err {
		case nil:
			index, stamp := ancillary(r.oob[:oobn])
			return n, index, r.arrival(stamp), nil
		case unix.EINTR, unix.ENETDOWN:
		case unix.EAGAIN:
			r.drained = ipc.Monotonic()
			return 0, 0, 0, errAgain
		default:
			return 0, 0, 0, fmt.Errorf("raw socket: %w", err)
		}
	}
}

// arrival translates the kernel's stamp, which is on the wall clock, to
// CLOCK_MONOTONIC. Whatever the wall clock does meanwhile, the packet arrived
// after the socket was last seen empty and before now: a step of that clock
// cannot move it out of there.
func (r *receiver) arrival(stamp int64) int64 {
	now := ipc.Monotonic()
	var wall unix.Timespec
	if stamp == 0 || unix.ClockGettime(unix.CLOCK_REALTIME, &wall) != nil {
		return now
	}
	return min(max(now-(wall.Nano()-stamp), r.drained), now)
}

// recvmsg is recvmsg(2) without an allocation for the sender's address.
func recvmsg(fd int, b, oob []byte) (n, oobn int, err error) {
	iov := unix.Iovec{Base: &b[0]}
	iov.SetLen(len(b))
	msg := unix.Msghdr{Iov: &iov, Iovlen: 1, Control: &oob[0]}
	msg.SetControllen(len(oob))
	r, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), 0)
	if errno != 0 {
		return 0, 0, errno
	}
	return int(r), int(msg.Controllen), nil
}

// ancillary reads the interface and the stamp from the control messages.
func ancillary(oob []byte) (index int, stamp int64) {
	for len(oob) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > len(oob) {
			break
		}
		data := oob[unix.CmsgLen(0):size]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			index = int((*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0])).Ifindex)
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_TIMESTAMPNS && len(data) >= int(unsafe.Sizeof(unix.Timespec{})):
			stamp = (*unix.Timespec)(unsafe.Pointer(&data[0])).Nano()
		}
		oob = oob[min(len(oob), unix.CmsgSpace(size-unix.CmsgLen(0))):]
	}
	return index, stamp
}
