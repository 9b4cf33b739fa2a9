package lab

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Forgery is an advertisement for the lab's virtual router, right but for what
// its fields say.
type Forgery struct {
	// Version is that of VRRP, 0 for 3.
	Version int
	// TTL is the hop limit over IPv6.
	Priority, VRID, TTL int
	// IPv6 makes it one for IPv6VIPs instead of VIP.
	IPv6 bool
	// Extra is how many addresses more it claims to have than it has.
	Extra int
	// Spoil changes the VRRP message when its checksum is in place; nil for
	// nothing.
	Spoil func(message []byte) []byte
}

// frame builds it, from a node.
func (f Forgery) frame(from *Node, interval time.Duration) []byte {
	centiseconds := uint16(interval / (10 * time.Millisecond))
	vips := Router{IPv6: f.IPv6}.VIPs()
	m := []byte{0x31, byte(f.VRID), byte(f.Priority), byte(len(vips) + f.Extra), byte(centiseconds >> 8), byte(centiseconds), 0, 0}
	if f.Version == 2 { // authentication type 0, and its data at the end
		m[0], m[4], m[5] = 0x21, 0, byte(interval/time.Second)
	}
	for _, vip := range vips {
		m = append(m, vip.AsSlice()...)
	}
	if f.Version == 2 {
		m = append(m, make([]byte, 8)...)
	}
	src, dst := from.Addr, netip.AddrFrom4([4]byte{224, 0, 0, 18})
	sum := onesSum(0, m)
	if f.IPv6 {
		src, dst = from.LinkLocal, netip.AddrFrom16([16]byte{0xff, 2, 15: 0x12})
		sum = onesSum(onesSum(sum, src.AsSlice()), dst.AsSlice()) + protocolVRRP + uint32(len(m))
	}
	binary.BigEndian.PutUint16(m[6:], ^uint16(fold(sum)))
	if f.Spoil != nil {
		m = f.Spoil(m)
	}
	header, groupMAC, protocol := f.ipv4(src, dst, len(m)), GroupMAC, uint16(etherIPv4)
	if f.IPv6 {
		header, groupMAC, protocol = f.ipv6(src, dst, len(m)), GroupMAC6, etherIPv6
	}
	group, _ := net.ParseMAC(groupMAC)
	own, _ := net.ParseMAC(from.MAC)
	return slices.Concat(group, own, binary.BigEndian.AppendUint16(nil, protocol), header, m)
}

func (f Forgery) ipv4(src, dst netip.Addr, payload int) []byte {
	b := []byte{0x45, 0xc0, 0, 0, 0, 0, 0, 0, byte(f.TTL), protocolVRRP, 0, 0}
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)+payload))
	binary.BigEndian.PutUint16(b[10:], Checksum(b))
	return b
}

func (f Forgery) ipv6(src, dst netip.Addr, payload int) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0x6c, 0, 0, 0}, uint16(payload))
	b = append(b, protocolVRRP, byte(f.TTL))
	return append(append(b, src.AsSlice()...), dst.AsSlice()...)
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
		for due := int(int64(rate) * int64(elapsed) / int64(time.Second)); sent < due && time.Since(begin) < lasting; sent++ {
			if _, err := socket.Write(frames[sent%len(frames)]); err != nil {
				n.lab.Errorf("%s: send: %v", n.Name, err)
				return sent
			}
		}
		time.Sleep(time.Millisecond)
	}
	return sent
}

// Pour floods until as many packets are sent as a machine sends that has
// nothing else to do.
func (n *Node) Pour(rate int, lasting, interval time.Duration, forgeries ...Forgery) (sent int) {
	n.lab.Helper()
	begin, all := time.Now(), int(int64(rate)*int64(lasting)/int64(time.Second))
	for sent < all && !time.Now().After(patience(begin, lasting)) {
		left := time.Duration(all-sent) * time.Second / time.Duration(rate)
		sent += n.Flood(rate, left, interval, forgeries...)
	}
	return sent
}

// Frame is the forgery as a frame of Ethernet from a node, to be changed.
func (f Forgery) Frame(from *Node) []byte { return f.frame(from, AdverInterval) }

// Repeat sends frames from the node, all of them every so often, until the
// test ends.
func (n *Node) Repeat(every time.Duration, frames ...[]byte) {
	n.lab.Helper()
	socket, end, done := n.packetSocket(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer socket.Close()
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			for _, f := range frames {
				if _, err := socket.Write(f); err != nil {
					n.lab.Errorf("%s: send: %v", n.Name, err)
					return
				}
			}
			select {
			case <-tick.C:
			case <-end:
				return
			}
		}
	}()
	n.lab.Cleanup(func() { close(end); <-done })
}
