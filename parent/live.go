package parent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/rvrrpd/rvrrpd/capture"
	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// linkEthernet is what frames of a packet socket begin with, as capture files
// say it.
const linkEthernet = 1

// captured is a capture file.
type captured struct{ *capture.Reader }

func (captured) fd() int { return -1 }

func openCapture(path string) (frames, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	r, err := capture.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return captured{r}, nil
}

// live is an interface that is listened on.
type live struct {
	sock  int
	buf   []byte
	oob   []byte
	addrs []netip.Addr
}

// listenLive opens a packet socket that hears everything on an interface
// that can be VRRP, both ways.
func listenLive(name string) (_ frames, err error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	l := &live{buf: make([]byte, 1<<16), oob: make([]byte, 128)}
	addrs, err := ifi.Addrs()
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			l.addrs = append(l.addrs, p.Addr())
		}
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	// Bound to nothing until the filter is there.
	if l.sock, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	filter := liveFilter()
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err = errors.Join(unix.SetsockoptSockFprog(l.sock, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog),
		unix.SetsockoptInt(l.sock, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.Bind(l.sock, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifi.Index}),
		unix.SetsockoptPacketMreq(l.sock, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &unix.PacketMreq{Ifindex: int32(ifi.Index), Type: unix.PACKET_MR_PROMISC}))
	if err != nil {
		unix.Close(l.sock)
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	return l, nil
}

// liveFilter passes IPv4 of protocol 112, IPv6 of next header 112 or a
// fragment, and frames with a tag, which the child takes apart.
func liveFilter() []unix.SockFilter {
	load := func(size uint16, at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_ABS | size, K: at}
	}
	is := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	const ipv4, ipv6, vlan, qinq, fragment = 0x0800, 0x86dd, 0x8100, 0x88a8, 44
	return []unix.SockFilter{
		load(unix.BPF_H, 12),
		is(vlan, 8, 0), is(qinq, 7, 0),
		is(ipv4, 0, 2),
		load(unix.BPF_B, 14+9), is(protocolVRRP, 4, 5),
		is(ipv6, 0, 4),
		load(unix.BPF_B, 14+6), is(protocolVRRP, 1, 0), is(fragment, 0, 1),
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
}

func (l *live) fd() int { return l.sock }

// Next returns errAgain when nothing has arrived.
func (l *live) Next() (r capture.Record, err error) {
	n, oobn, _, _, err := unix.Recvmsg(l.sock, l.buf, l.oob, unix.MSG_TRUNC)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return r, errAgain
	case err != nil:
		return r, fmt.Errorf("interface: %w", err)
	}
	r = capture.Record{Time: time.Now(), LinkType: linkEthernet, Length: uint32(n), Frame: l.buf[:min(n, len(l.buf))]}
	messages, _ := unix.ParseSocketControlMessage(l.oob[:oobn])
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			r.Time = time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return r, nil
}

// primary is the address that the daemon would advertise from, by which it
// knows its own packets; invalid without one.
func (l *live) primary(f ipc.Family) netip.Addr {
	for _, a := range l.addrs {
		if f == ipc.IPv4 && a.Is4() || f == ipc.IPv6 && a.Is6() && a.IsLinkLocalUnicast() {
			return a.WithZone("")
		}
	}
	return netip.Addr{}
}
