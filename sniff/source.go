package sniff

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/rvrrpd/rvrrpd/capture"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
	"golang.org/x/sys/unix"
)

// errAgain: there is no frame yet.
var errAgain = errors.New("no frame")

// protocolVRRP is the protocol's number (RFC 9568 §5.1).
const protocolVRRP = 112

// linkEthernet is what frames of a packet socket begin with, as capture files
// say it.
const linkEthernet = 1

// captured is a capture file. It has no reader before begin.
type captured struct {
	path string
	in   patient
	*capture.Reader
}

func (*captured) fd() int { return -1 }

// begin reads what a stranger may have written.
func (c *captured) begin() (err error) {
	if c.Reader, err = capture.NewReader(c.in); err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	return nil
}

// Next reads a record, which says nothing of where the frame went.
func (c *captured) Next() (record, error) {
	r, err := c.Reader.Next()
	return record{Record: r}, err
}

// patient reads a file that may be a pipe, until a signal arrives.
type patient struct {
	*os.File
	signals int
}

func (p patient) Read(b []byte) (int, error) {
	fds := []unix.PollFd{{Fd: int32(p.signals), Events: unix.POLLIN}, {Fd: int32(p.Fd()), Events: unix.POLLIN}}
	for {
		if _, err := ipc.Wait(fds, -1); err != nil {
			return 0, err
		}
		switch {
		case fds[0].Revents != 0:
			return 0, io.EOF
		case fds[1].Revents != 0:
			return p.File.Read(b)
		}
	}
}

// openCapture opens a capture file and reads nothing of it.
func openCapture(path string, signals int) (frames, *os.File, error) {
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, nil, fmt.Errorf("read: %w", err)
		}
	}
	return &captured{path: path, in: patient{f, signals}}, f, nil
}

// live is an interface that is listened on.
type live struct {
	sock int
	buf  []byte // the first bytes are room for a tag
	oob  []byte
}

// Specification constants: a VLAN tag stands behind the two addresses.
const (
	tagLen = 4
	tagAt  = 12
)

// listenLive opens a packet socket that hears everything on an interface
// that can be VRRP, both ways.
func listenLive(name string) (_ frames, err error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	l := &live{buf: make([]byte, 1<<16), oob: make([]byte, 128)}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	// Bound to nothing until the filter is there.
	if l.sock, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	filter := liveFilter()
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err = errors.Join(unix.SetsockoptSockFprog(l.sock, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog),
		unix.SetsockoptInt(l.sock, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(l.sock, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
		unix.Bind(l.sock, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifi.Index}),
		unix.SetsockoptPacketMreq(l.sock, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &unix.PacketMreq{Ifindex: int32(ifi.Index), Type: unix.PACKET_MR_PROMISC}))
	if err != nil {
		unix.Close(l.sock)
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	return l, nil
}

// liveFilter passes IPv4 of protocol 112, IPv6 of next header 112 or with
// extension headers, and frames with a tag, which the child takes apart.
func liveFilter() []unix.SockFilter {
	load := func(size uint16, at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_ABS | size, K: at}
	}
	is := func(k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	const ipv4, ipv6, vlan, qinq = 0x0800, 0x86dd, 0x8100, 0x88a8
	const hopByHop, routing, fragment, options = 0, 43, 44, 60
	return []unix.SockFilter{
		load(unix.BPF_H, 12),
		is(vlan, 11, 0), is(qinq, 10, 0),
		is(ipv4, 0, 2),
		load(unix.BPF_B, 14+9), is(protocolVRRP, 7, 8),
		is(ipv6, 0, 7),
		load(unix.BPF_B, 14+6), is(protocolVRRP, 4, 0), is(hopByHop, 3, 0), is(routing, 2, 0), is(fragment, 1, 0), is(options, 0, 1),
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
}

func (l *live) fd() int { return l.sock }

func (*live) begin() error { return nil }

// Next returns errAgain when nothing has arrived.
func (l *live) Next() (r record, err error) {
	n, oobn, _, from, err := unix.Recvmsg(l.sock, l.buf[tagLen:], l.oob, unix.MSG_TRUNC)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return r, errAgain
	case err != nil:
		return r, fmt.Errorf("interface: %w", err)
	}
	r.Record = capture.Record{Time: time.Now(), LinkType: linkEthernet, Length: uint32(n), Frame: l.buf[tagLen:min(tagLen+n, len(l.buf))]}
	messages, _ := unix.ParseSocketControlMessage(l.oob[:oobn])
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16:
			r.Time = time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		case m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA && len(m.Data) >= 20:
			l.tag(&r, m.Data)
		}
	}
	r.arrival = sniffing.ArrivalOurs
	if a, is := from.(*unix.SockaddrLinklayer); is && a.Pkttype == unix.PACKET_OTHERHOST {
		r.arrival = sniffing.ArrivalOther
	} else if is && a.Pkttype == unix.PACKET_OUTGOING {
		r.arrival = sniffing.ArrivalSent
	}
	return r, nil
}

// tag puts the VLAN tag back that the kernel has taken off a frame, and tells
// of beside it (struct tpacket_auxdata).
func (l *live) tag(r *record, aux []byte) {
	status, tci, tpid := binary.NativeEndian.Uint32(aux), binary.NativeEndian.Uint16(aux[16:]), binary.NativeEndian.Uint16(aux[18:])
	if status&unix.TP_STATUS_VLAN_VALID == 0 || len(r.Frame) < tagAt {
		return
	}
	if status&unix.TP_STATUS_VLAN_TPID_VALID == 0 {
		tpid = unix.ETH_P_8021Q
	}
	copy(l.buf, l.buf[tagLen:tagLen+tagAt])
	r.Frame, r.Length = l.buf[:tagLen+len(r.Frame)], r.Length+tagLen
	binary.BigEndian.PutUint16(r.Frame[tagAt:], tpid)
	binary.BigEndian.PutUint16(r.Frame[tagAt+2:], tci)
}
