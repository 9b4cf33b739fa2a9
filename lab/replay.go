package lab

import (
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Overhear records IPv4 VRRP frames as they arrive at the node, whole, until
// there are so many; time that the machine has withheld does not count.
func (n *Node) Overhear(count int, timeout time.Duration) (frames [][]byte) {
	n.lab.Helper()
	socket := n.socket(unix.AF_PACKET, unix.SOCK_RAW, int(htons(unix.ETH_P_IP)), func(fd int) error {
		i, err := net.InterfaceByName(Interface)
		if err != nil {
			return err
		}
		return unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP,
			&unix.PacketMreq{Ifindex: int32(i.Index), Type: unix.PACKET_MR_PROMISC})
	})
	defer socket.Close()
	begin := time.Now()
	b := make([]byte, 4096)
	for len(frames) < count {
		size := 0
		err := socket.SetReadDeadline(patience(begin, timeout))
		if err == nil {
			size, err = socket.Read(b)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(patience(begin, timeout)) {
			continue // the machine has withheld some of it meanwhile
		}
		if err != nil {
			n.lab.Fatalf("%s: overheard %d frames of %d: %v", n.Name, len(frames), count, err)
		}
		if size > 34 && b[14]>>4 == 4 && b[23] == protocolVRRP {
			frames = append(frames, append([]byte(nil), b[:size]...))
		}
	}
	return frames
}

// Replay sends frames again and again, one in an interval, until stop is
// closed.
func (n *Node) Replay(frames [][]byte, interval time.Duration, stop <-chan struct{}) {
	n.lab.Helper()
	socket := n.packetSocket()
	go replay(socket, frames, interval, stop)
}

func replay(socket *os.File, frames [][]byte, interval time.Duration, stop <-chan struct{}) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-tick.C:
			if _, err := socket.Write(frames[i%len(frames)]); err != nil {
				return
			}
		}
	}
}
