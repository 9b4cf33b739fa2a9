package parent

import (
	"net/netip"
	"slices"
	"strings"
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
func (d *daemon) look(s *slot, l *link, peer netip.Addr) ipc.Code {
	if l.tapUntil == 0 {
		var err error
		if l.tap, err = d.tap(l.index, l.family); err != nil {
			d.log.Debug("link not watched", "link", l.linkName, "error", err)
			return ipc.CodeKernel
		}
	}
	l.tapUntil = max(l.tapUntil, d.now+max(lookTime, int64(float64(s.interval)*lookIntervals)))
	asked := []netip.Addr{peer}
	if !peer.IsValid() {
		asked = s.told.Addresses
	}
	for _, a := range asked {
		// An interface that is busy asks another time.
		_ = l.tx.Announce(frames.AppendQuestion(d.frame[:0], l.mac, l.told.Primary, a))
	}
	return ipc.CodeDone
}

// serves says whether the link can do what a request is for: a link that is up
// can, but nobody is asked for who cannot be a router on it.
func (l *link) serves(m ipc.Message) bool {
	look, asks := m.(ipc.Look)
	return l.told.Up && (!asks || l.tx != nil && (!look.Peer.IsValid() || l.near(look.Peer)))
}

// near says whether an address can be a router's on the link itself, if that is
// there. The link's prefixes are of its family.
func (l *link) near(peer netip.Addr) bool {
	return l.index != 0 && (peer.Is4() || peer.IsLinkLocalUnicast()) && slices.ContainsFunc(l.prefixes, func(p netip.Prefix) bool { return p.Contains(peer) })
}

// looksDue hands over what was seen by the looks whose time is over. What the
// sockets have heard by then goes first: the child compares the two.
func (d *daemon) looksDue() {
	for _, l := range d.links {
		if l.tapUntil == 0 || d.now < l.tapUntil {
			continue
		}
		d.forwardAll()
		for range tappedMax {
			n, _, err := unix.Recvfrom(l.tap, d.packet[:ipc.MaxTapped], unix.MSG_DONTWAIT)
			if err != nil {
				break
			}
			d.send(ipc.Header{Slot: ipc.NoSlot}, ipc.Tapped{Link: l.id, Packet: d.packet[:n]})
		}
		d.send(ipc.Header{Slot: ipc.NoSlot}, ipc.Tapped{Link: l.id})
		l.tapUntil = 0
		go unix.Close(l.tap) // which takes the kernel some 13 ms
	}
}

// looked logs what a look has found: the child knows what is in the packets.
func (d *daemon) looked(h ipc.Header, m ipc.Looked) error {
	s := d.slotOf(h)
	if s == nil {
		return &violation{reason: "look of a slot that was not granted"}
	}
	l := d.links[s.link].linkName
	hint := strings.ReplaceAll(m.Hint, ipc.HintInterface, l.name)
	if m.Peer.IsValid() {
		d.log.WarnContext(hearsay, "former Active probed", "link", l, "peer", m.Peer, "answers", m.Answers, "arrive", m.Arrive, "takeovers", m.Takeovers, "vr", s.name, "hint", hint)
	} else {
		d.log.WarnContext(hearsay, "not alone", "link", l, "vr", s.name, "hint", hint)
	}
	return nil
}
