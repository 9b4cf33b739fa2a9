package parent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
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
		if l.tap, err = d.kernel.tap(l.index, l.family); err != nil {
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
		_ = l.tx.announce(appendQuestion(d.frame[:0], l.mac, l.told.Primary, a))
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

// openTap opens a packet socket that has the VRRP packets of an interface, and
// the answers to questions for addresses, as they come off the wire: before
// nftables, reverse path filtering and all else that can keep them from the raw
// sockets. As it costs all traffic of the interface something, it is there only
// while a look is.
func openTap(index int, family ipc.Family) (int, error) {
	// Bound to nothing until the filter is there.
	sock, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("tap: %w", err)
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	err = errors.Join(lockFilter(sock, tapFilter(family)),
		unix.SetsockoptInt(sock, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<20),
		unix.Bind(sock, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}))
	if err != nil {
		unix.Close(sock)
		return -1, fmt.Errorf("tap: %w", err)
	}
	return sock, nil
}

// tapFilter passes the beginning of VRRP packets, and of answers to ARP or
// neighbor discovery, that are for us, for a group or for all, and in no VLAN.
func tapFilter(family ipc.Family) []unix.SockFilter {
	const keep, drop = 12, 11
	f := make([]unix.SockFilter, 0, keep+1)
	load := func(size uint16, at uint32) {
		f = append(f, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_ABS | size, K: at})
	}
	jump := func(test uint16, k uint32, yes, no int) {
		next := len(f) + 1
		f = append(f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | test, K: k, Jt: uint8(yes - next), Jf: uint8(no - next)})
	}
	load(unix.BPF_W, skfAdPktType)
	jump(unix.BPF_JGT, unix.PACKET_MULTICAST, drop, 2)
	load(unix.BPF_W, skfAdVLANTag)
	jump(unix.BPF_JSET, 0xfff, drop, 4)
	load(unix.BPF_W, skfAdProtocol)
	if family == ipc.IPv6 {
		jump(unix.BPF_JEQ, unix.ETH_P_IPV6, 6, drop)
		load(unix.BPF_B, 6)
		jump(unix.BPF_JEQ, protocolVRRP, keep, 8)
		jump(unix.BPF_JEQ, protocolICMPv6, 9, drop)
		load(unix.BPF_B, headerLen6)
		jump(unix.BPF_JEQ, neighborAdvertisement, keep, drop)
	} else {
		jump(unix.BPF_JEQ, unix.ETH_P_IP, 6, 8)
		load(unix.BPF_B, 9)
		jump(unix.BPF_JEQ, protocolVRRP, keep, drop)
		jump(unix.BPF_JEQ, unix.ETH_P_ARP, 9, drop)
		load(unix.BPF_H, 6)
		jump(unix.BPF_JEQ, arpReply, keep, drop)
	}
	return append(f, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: ipc.MaxTapped})
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
