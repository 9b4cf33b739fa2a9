package lab

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// TapOn records the frames that enter the node by its interfaces of these
// names; a frame's Port is the name.
func (n *Node) TapOn(devices ...string) *Tap {
	n.lab.Helper()
	tap := &Tap{lab: n.lab}
	for _, name := range devices {
		// One socket for each: one for all would see the frames of every
		// other interface as well.
		f := n.socket(unix.AF_PACKET, unix.SOCK_RAW, 0, func(fd int) error {
			i, err := net.InterfaceByName(name)
			if err != nil {
				return err
			}
			if err := packetOptions(fd); err != nil {
				return err
			}
			return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: i.Index})
		})
		go receive(f, func(b []byte, _ int, at time.Time) {
			if frame, ok := parseFrame(b); ok {
				frame.Port, frame.Time = name, at
				tap.Add(frame)
			}
		})
	}
	return tap
}

// MoreLinks joins r1 and r2 by more links, each a bridge in the switch. In r1 and
// r2 they are link0 and so on, with an address in 10.100.0.0/16 and so on; the
// ports of the switch are r1-0, r2-0 and so on.
func (l *Lab) MoreLinks(count int) (ports []string) {
	l.Helper()
	for i := range count {
		l.ip(l.Switch.Namespace, fmt.Sprintf("link add lan%d type bridge stp_state 0 mcast_snooping 0", i), fmt.Sprintf("link set lan%d up", i))
		for k, n := range []*Node{l.R1, l.R2} {
			port := fmt.Sprintf("%s-%d", n.Name, i)
			l.ip("", fmt.Sprintf("link add name %s netns %s type veth peer name link%d netns %s", port, l.Switch.Namespace, i, n.Namespace))
			l.ip(l.Switch.Namespace, fmt.Sprintf("link set %s master lan%d up", port, i))
			l.ip(n.Namespace, fmt.Sprintf("addr add 10.%d.0.%d/16 brd + dev link%d", 100+i, k+1, i), fmt.Sprintf("link set link%d up", i))
			ports = append(ports, port)
		}
	}
	return ports
}

// Sender returns a function that sends frames out of one of the node's
// interfaces.
func (n *Node) Sender(device string) func(frame []byte) error {
	n.lab.Helper()
	f := n.socket(unix.AF_PACKET, unix.SOCK_RAW, 0, func(fd int) error {
		i, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: i.Index})
	})
	return func(frame []byte) error {
		_, err := f.Write(frame)
		return err
	}
}

// UDP makes a frame with a datagram.
func UDP(to net.HardwareAddr, src, dst netip.AddrPort, payload []byte) []byte {
	var udp []byte
	length := uint16(8 + len(payload))
	for _, v := range []uint16{src.Port(), dst.Port(), length, 0} {
		udp = binary.BigEndian.AppendUint16(udp, v)
	}
	udp = append(udp, payload...)
	sum := onesSum(onesSum(uint32(length)+unix.IPPROTO_UDP, src.Addr().AsSlice()), dst.Addr().AsSlice())
	binary.BigEndian.PutUint16(udp[6:], ^uint16(fold(onesSum(sum, udp))))
	b, kind := []byte{0x60, 0, 0, 0, byte(length >> 8), byte(length), unix.IPPROTO_UDP, 64}, uint16(etherIPv6)
	if dst.Addr().Is4() {
		b, kind = []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, unix.IPPROTO_UDP, 0, 0}, etherIPv4
		binary.BigEndian.PutUint16(b[2:], 20+length)
	}
	b = append(append(b, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
	if dst.Addr().Is4() {
		binary.BigEndian.PutUint16(b[10:], Checksum(b))
	}
	ethernet := binary.BigEndian.AppendUint16(append(slices.Clone(to), 2, 0, 0, 0, 0, 9), kind)
	return slices.Concat(ethernet, b, udp)
}
