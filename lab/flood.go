package lab

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"
)

// Forgery is a VRRPv3 advertisement over IPv4 for the lab's virtual router,
// right but for what Spoil does.
type Forgery struct {
	Priority, VRID, TTL int
	// Spoil changes the VRRP message when its checksum is in place; nil for
	// nothing.
	Spoil func(message []byte) []byte
	// Count is the number of addresses it claims to have; it has one.
	Count int
}

// frame builds it, from a node.
func (f Forgery) frame(from *Node, interval time.Duration) []byte {
	centiseconds := uint16(interval / (10 * time.Millisecond))
	m := []byte{0x31, byte(f.VRID), byte(f.Priority), byte(f.Count), byte(centiseconds >> 8), byte(centiseconds), 0, 0}
	m = append(m, VIP.AsSlice()...)
	binary.BigEndian.PutUint16(m[6:], ^uint16(fold(onesSum(0, m))))
	if f.Spoil != nil {
		m = f.Spoil(m)
	}

	group := netip.AddrFrom4([4]byte{224, 0, 0, 18})
	ip := []byte{0x45, 0xc0, 0, 0, 0, 0, 0, 0, byte(f.TTL), protocolVRRP, 0, 0}
	ip = append(append(ip, from.Addr.AsSlice()...), group.AsSlice()...)
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(m)))
	binary.BigEndian.PutUint16(ip[10:], ^uint16(fold(onesSum(0, ip))))

	own, _ := net.ParseMAC(from.MAC)
	b := append([]byte{0x01, 0x00, 0x5e, 0, 0, 0x12}, own...)
	b = binary.BigEndian.AppendUint16(b, etherIPv4)
	return append(append(b, ip...), m...)
}

// Flood sends forgeries from the node, in turn, so many a second for so long,
// and returns how many it has sent. It keeps its rate on the average, in
// bursts of what a millisecond or two asks for. It may run in a goroutine.
func (n *Node) Flood(rate int, lasting, interval time.Duration, forgeries ...Forgery) (sent int) {
	n.lab.Helper()
	socket := n.packetSocket()
	defer socket.Close()
	frames := make([][]byte, 0, len(forgeries))
	for _, f := range forgeries {
		frames = append(frames, f.frame(n, interval))
	}
	begin := time.Now()
	for elapsed := time.Duration(0); elapsed < lasting; elapsed = time.Since(begin) {
		for due := int(int64(rate) * int64(elapsed) / int64(time.Second)); sent < due; sent++ {
			if _, err := socket.Write(frames[sent%len(frames)]); err != nil {
				n.lab.Errorf("%s: send: %v", n.Name, err)
				return sent
			}
		}
		time.Sleep(time.Millisecond)
	}
	return sent
}
