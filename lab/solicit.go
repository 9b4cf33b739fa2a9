package lab

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Solicit has the client ask for an IPv6 address, as RFC 4861 §7.2.2 has it,
// and returns the solicited advertisements of it that come within 200 ms.
func (l *Lab) Solicit(ip netip.Addr) []Frame {
	l.Helper()
	mark := l.Tap.Len()
	socket := l.Client.packetSocket()
	defer socket.Close()
	if _, err := socket.Write(solicitation(l.Client.MAC, l.Client.LinkLocal, ip)); err != nil {
		l.Fatalf("neighbor solicitation: %v", err)
	}
	time.Sleep(answerTime)
	return Select(l.Tap.From(mark), func(f Frame) bool {
		return f.ND != nil && f.ND.Type == NeighborAdvertisement && f.ND.Solicited && f.ND.Target == ip
	})
}

// packetSocket sends frames from the node's interface.
func (n *Node) packetSocket() *os.File {
	n.lab.Helper()
	return n.socket(unix.AF_PACKET, unix.SOCK_RAW, 0, func(fd int) error {
		i, err := net.InterfaceByName(Interface)
		if err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: i.Index})
	})
}

// solicitation is a multicast neighbor solicitation.
func solicitation(sender string, from, ip netip.Addr) []byte {
	own, _ := net.ParseMAC(sender)
	target := ip.As16()
	group := netip.AddrFrom16([16]byte{0xff, 0x02, 11: 1, 12: 0xff, 13: target[13], 14: target[14], 15: target[15]})
	m := make([]byte, 8, 32)
	m[0] = NeighborSolicitation
	m = append(append(m, target[:]...), 1, 1)
	m = append(m, own...)
	sum := onesSum(onesSum(onesSum(protocolICMPv6+uint32(len(m)), from.AsSlice()), group.AsSlice()), m)
	binary.BigEndian.PutUint16(m[2:], ^uint16(fold(sum)))

	b := append([]byte{0x33, 0x33, 0xff, target[13], target[14], target[15]}, own...)
	b = binary.BigEndian.AppendUint16(b, etherIPv6)
	b = append(b, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m)))
	b = append(b, protocolICMPv6, 255)
	b = append(append(b, from.AsSlice()...), group.AsSlice()...)
	return append(b, m...)
}
