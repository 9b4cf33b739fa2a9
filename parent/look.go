package parent

import (
	"net/netip"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/frames"
	"golang.org/x/sys/unix"
)

// Implementation constants.
const (
	// lookTime is how long a look lasts at the least, and whoever is asked has to
	// answer, ns; the interval of a router counts lookIntervals times.
	lookTime      = int64(time.Second)
	lookIntervals = 2.5
	// tappedMax bounds the packets that a look hands to the child.
	tappedMax = 512
)

// look watches the link of a slot for a while, and asks who has an address on
// it: an advertisement that does not come may mean that its sender is dead, or
// that we are deaf to it, and then there are two Actives. What is seen goes to
// the child, unread.
func (b *broker) look(s *page, l *wire, peer netip.Addr) ipc.Code {
	if l.tapUntil == 0 {
		var err error
		if l.tap, err = b.tap(l.index, l.family); err != nil {
			b.log.Debug("link not watched", "link", l.linkName, "error", err)
			return ipc.CodeKernel
		}
	}
	l.tapUntil = max(l.tapUntil, b.now+max(lookTime, int64(float64(s.interval)*lookIntervals)))
	asked := []netip.Addr{peer}
	if !peer.IsValid() {
		asked = s.told.Addresses
	}
	for _, a := range asked {
		// An interface that is busy asks another time.
		_ = l.tx.Announce(frames.AppendQuestion(b.frame[:0], l.mac, l.told.Primary, a))
	}
	return ipc.CodeDone
}

// looksDue hands over what was seen by the looks whose time is over. What the
// sockets have heard by then goes first: the child compares the two.
func (b *broker) looksDue() {
	for _, l := range b.wires {
		if l.tapUntil == 0 || b.now < l.tapUntil {
			continue
		}
		b.forwarder.ForwardAll(b.lane())
		packet := make([]byte, ipc.MaxTapped)
		for range tappedMax {
			n, _, err := unix.Recvfrom(l.tap, packet, unix.MSG_DONTWAIT)
			if err != nil {
				break
			}
			b.send(ipc.Header{Slot: ipc.NoSlot}, ipc.Tapped{Link: l.id, Packet: packet[:n]})
		}
		b.send(ipc.Header{Slot: ipc.NoSlot}, ipc.Tapped{Link: l.id})
		l.tapUntil = 0
		go unix.Close(l.tap) // which takes the kernel some 13 ms
	}
}
