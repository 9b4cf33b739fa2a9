package frames

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"unsafe"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// Specification constants.
const (
	protocolVRRP   = 112 // RFC 9568 §5.1.1.4
	protocolICMPv6 = 58
	headerLen6     = 40
)

// groupIPv4 is 224.0.0.18 (RFC 9568 §5.1.1.2).
var groupIPv4 = [4]byte{224, 0, 0, 18}

// ipv6MulticastAll is IPV6_MULTICAST_ALL, which x/sys/unix does not name.
const ipv6MulticastAll = 29

var ErrNoPacket = errors.New("no packet")

// receiver is the raw protocol-112 socket of a family, for the whole daemon. It is bound to
// no device: it hears the links it has joined. It costs forwarded traffic
// nothing, unlike a tap.
type Receiver struct {
	family  ipc.Family
	sock    int
	members []int // sockets that hear nothing, joined where that one has no room
	oob     []byte
	from    unix.RawSockaddrInet6
	drained int64 // when the socket was last seen empty, or its last packet arrived, CLOCK_MONOTONIC
	clocks  clocks
	set     bool   // the wall clock was set while packets were in the socket
	lost    uint32 // packets the socket had no room for, as counted last
	// vrids and filtered are what its filter was made from.
	vrids    []uint8
	filtered bool
}

// OpenReceiver opens the socket with a locked filter for the given virtual
// routers, or without one.
func OpenReceiver(family ipc.Family, vrids []uint8, filtered bool) (*Receiver, error) {
	domain, options := unix.AF_INET, [][3]int{{unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0}, {unix.IPPROTO_IP, unix.IP_PKTINFO, 1}}
	if family == ipc.IPv6 {
		domain = unix.AF_INET6
		options = [][3]int{{unix.IPPROTO_IPV6, ipv6MulticastAll, 0}, {unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1}, {unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1}}
	}
	sock, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocolVRRP)
	if err != nil {
		return nil, fmt.Errorf("raw socket: %w", err)
	}
	r := &Receiver{family: family, sock: sock, oob: make([]byte, 256), drained: ipc.Monotonic(), vrids: sorted(vrids), filtered: filtered}
	if filtered {
		err = lockFilter(sock, packetFilter(family, vrids))
	}
	for _, o := range append(options, [3]int{unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1}, [3]int{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8 << 20}) {
		err = errors.Join(err, unix.SetsockoptInt(sock, o[0], o[1], o[2]))
	}
	if err != nil {
		unix.Close(sock)
		return nil, fmt.Errorf("raw socket: %w", err)
	}
	return r, nil
}

func (r *Receiver) FD() int { return r.sock }

func (r *Receiver) Close() {
	for _, sock := range append(r.members, r.sock) {
		unix.Close(sock)
	}
}

// hears says whether its filter is the one for these virtual routers.
func (r *Receiver) Hears(vrids []uint8, filtered bool) bool {
	return r.filtered == filtered && slices.Equal(r.vrids, sorted(vrids))
}

func sorted(vrids []uint8) []uint8 { return slices.Compact(slices.Sorted(slices.Values(vrids))) }

// join makes the socket hear the group on an interface. A socket may join on 20
// of them, unless net.ipv4.igmp_max_memberships says otherwise: beyond that
// others join, and it hears the group wherever anybody has joined it.
func (r *Receiver) Join(index int) (err error) {
	for _, sock := range append([]int{r.sock}, r.members...) {
		if err = r.membership(sock, unix.IP_ADD_MEMBERSHIP, unix.IPV6_JOIN_GROUP, index); err != unix.ENOBUFS {
			break
		}
	}
	if err == unix.ENOBUFS && r.family == ipc.IPv4 {
		var sock int
		if sock, err = deafSocket(); err == nil {
			r.members = append(r.members, sock)
			err = errors.Join(unix.SetsockoptInt(r.sock, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 1),
				r.membership(sock, unix.IP_ADD_MEMBERSHIP, unix.IPV6_JOIN_GROUP, index))
		}
	}
	if err != nil && err != unix.EADDRINUSE {
		return fmt.Errorf("join group on interface %d: %w", index, err)
	}
	return nil
}

// deafSocket opens a socket for memberships alone: its filter passes nothing.
func deafSocket() (int, error) {
	sock, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocolVRRP)
	if err != nil {
		return -1, err
	}
	err = errors.Join(unix.SetsockoptInt(sock, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0),
		lockFilter(sock, []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}))
	if err != nil {
		unix.Close(sock)
		return -1, err
	}
	return sock, nil
}

// leave undoes join; the interface may be gone, and the membership with it.
func (r *Receiver) Leave(index int) {
	for _, sock := range append([]int{r.sock}, r.members...) {
		_ = r.membership(sock, unix.IP_DROP_MEMBERSHIP, unix.IPV6_LEAVE_GROUP, index)
	}
}

func (r *Receiver) membership(sock, option4, option6, index int) error {
	if r.family == ipc.IPv6 {
		return unix.SetsockoptIPv6Mreq(sock, unix.IPPROTO_IPV6, option6, &unix.IPv6Mreq{Multiaddr: groupIPv6.As16(), Interface: uint32(index)})
	}
	return unix.SetsockoptIPMreqn(sock, unix.IPPROTO_IP, option4, &unix.IPMreqn{Multiaddr: groupIPv4, Ifindex: int32(index)})
}

// read reads one packet from its IP header on, the index of the interface it
// arrived on, and when. What is longer than b is cut. It returns ErrNoPacket
// when there is none. The kernel takes the header of an IPv6 packet off, and
// tells of it what matters; it is put together again.
func (r *Receiver) Read(b []byte) (n, index int, arrived int64, err error) {
	payload := b
	if r.family == ipc.IPv6 {
		payload = b[headerLen6:]
	}
	for {
		var oobn int
		n, oobn, err = recvmsg(r.sock, payload, r.oob, &r.from)
		switch err {
		case nil:
			a := ancillary(r.oob[:oobn])
			if r.family == ipc.IPv6 {
				src, dst := netip.AddrFrom16(r.from.Addr), netip.AddrFrom16(a.dst)
				appendIPv6(b[:0], 0, protocolVRRP, n, src, dst)
				b[7] = a.hopLimit
				n += headerLen6
			}
			return n, a.index, r.arrival(a.stamp), nil
		case unix.EINTR, unix.ENETDOWN:
		case unix.EAGAIN:
			r.drained, r.set = ipc.Monotonic(), false
			return 0, 0, 0, ErrNoPacket
		default:
			return 0, 0, 0, fmt.Errorf("raw socket: %w", err)
		}
	}
}

// arrival translates the kernel's stamp, which is on the wall clock, to
// CLOCK_MONOTONIC. When somebody has set the wall clock, nobody knows when
// what is in the socket has arrived: it counts as news, until the socket is
// empty. Else, whatever the stamp, the packet arrived after the socket was
// last seen empty or gave the packet before, and before now.
func (r *Receiver) arrival(stamp int64) int64 {
	now, wall, set := r.clocks.look()
	if r.set = r.set || set; r.set || stamp == 0 {
		r.drained = now
		return now
	}
	r.drained = min(max(now-(wall-stamp), r.drained), now)
	return r.drained
}

// socketMemory is the beginning of what SO_MEMINFO tells (linux/sock_diag.h).
type socketMemory struct {
	queued uint32 // bytes, the kernel's own included
	_      [7]uint32
	drops  uint32 // packets there was no room for
}

// memory asks for the socket's. SO_RXQ_OVFL would tell the drops beside each
// packet, but as they were when it was queued: of what is lost behind the last
// one it says nothing before there is another.
func (r *Receiver) memory() (m socketMemory) {
	size := uint32(unsafe.Sizeof(m))
	unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(r.sock), unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&m)), uintptr(unsafe.Pointer(&size)), 0)
	return m
}

// Queued is how many bytes wait in the socket, the kernel's own included.
func (r *Receiver) Queued() int { return int(r.memory().queued) }

// Dropped counts the packets that there was no room for since it last did.
func (r *Receiver) Dropped() uint64 {
	drops := r.memory().drops
	n := drops - r.lost
	r.lost = drops
	return uint64(n)
}

// recvmsg is recvmsg(2) without an allocation, of a socket where it never waits; the sender is told in
// IPv6.
func recvmsg(fd int, b, oob []byte, from *unix.RawSockaddrInet6) (n, oobn int, err error) {
	iov := unix.Iovec{Base: &b[0]}
	iov.SetLen(len(b))
	msg := unix.Msghdr{Name: (*byte)(unsafe.Pointer(from)), Namelen: unix.SizeofSockaddrInet6, Iov: &iov, Iovlen: 1, Control: &oob[0]}
	msg.SetControllen(len(oob))
	r, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), 0)
	if errno != 0 {
		return 0, 0, errno
	}
	return int(r), int(msg.Controllen), nil
}

// told is what the kernel tells of a packet beside it.
type told struct {
	index    int
	stamp    int64    // wall clock, ns
	dst      [16]byte // IPv6
	hopLimit byte     // IPv6
}

// ancillary reads the control messages.
func ancillary(oob []byte) (t told) {
	for len(oob) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > len(oob) {
			break
		}
		data := oob[unix.CmsgLen(0):size]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			t.index = int((*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0])).Ifindex)
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			info := (*unix.Inet6Pktinfo)(unsafe.Pointer(&data[0]))
			t.index, t.dst = int(info.Ifindex), info.Addr
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			t.hopLimit = byte(*(*int32)(unsafe.Pointer(&data[0])))
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_TIMESTAMPNS && len(data) >= int(unsafe.Sizeof(unix.Timespec{})):
			t.stamp = (*unix.Timespec)(unsafe.Pointer(&data[0])).Nano()
		}
		oob = oob[min(len(oob), unix.CmsgSpace(size-unix.CmsgLen(0))):]
	}
	return t
}
