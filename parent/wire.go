package parent

import (
	"net"
	"net/netip"
	"slices"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/frames"
)

// plug opens the way out of an interface that is there, and has what arrives there for us
// heard. After an error unplug is to be called, too.
func (b *broker) plug(l *wire, index int, mac [6]byte) error {
	l.index, l.mac = index, mac
	tx, err := frames.OpenSender(index, l.name)
	if err != nil {
		return err
	}
	l.tx = tx
	return b.forwarder.Join(index, l.family, l.id)
}

// unplug undoes plug, also for an interface that is gone, or has another name now.
func (b *broker) unplug(l *wire) {
	b.forwarder.Leave(l.index, l.family, l.id)
	if l.tx != nil {
		l.tx.Close()
	}
	l.index, l.tx, l.saved, l.tuned, l.out = 0, nil, nil, false, outbox{}
}

// measure notes how long a packet may be on a link.
func (b *broker) measure(l *wire, mtu int) { l.mtu = mtu }

// readdress follows a change of the interface's own hardware address: hosts are told of the
// addresses that it answers for, but of one page's, which are on their way.
func (b *broker) readdress(l *wire, mac [6]byte, but *page) {
	if l.mac == mac {
		return
	}
	l.mac = mac
	if b.stopping {
		return
	}
	for _, s := range b.generations() {
		if s != but && s.held && !s.own && b.wires[s.link] == l {
			b.moved(s, s.told.AnnounceRepeat)
		}
	}
}

// subnets notes the addresses that an interface itself has, with their lengths.
func (b *broker) subnets(l *wire, own []netip.Prefix) { l.prefixes = own }

// lose forgets what is aside of an interface that has become another one.
func (b *broker) lose(l *wire) { l.displaced = nil }

// owe notes what is aside of an interface that was not put back.
func (b *broker) owe(l *wire, a *displaced) { l.displaced = a }

// tunedBefore notes the settings that a link had before its first device was made.
func (b *broker) tunedBefore(l *wire, saved []setting) { l.saved, l.tuned = saved, true }

// speak tells the child what has become of a link, and has advertisements come from its
// address.
func (b *broker) speak(l *wire, state ipc.LinkState) {
	if state != l.told {
		l.told = state
		b.send(ipc.Header{Slot: ipc.NoSlot}, state)
	}
}

// isWire says whether an interface is one of the configuration's.
func (b *broker) isWire(index int) bool {
	return slices.ContainsFunc(b.wires, func(l *wire) bool { return l.index == index })
}

// ownedOf says whether another virtual router of the link has one of these
// addresses: it is, or may be, their owner.
func (l *wire) ownedOf(prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return l.virtual(p.Addr()) })
}

// displaces says whether a virtual address takes the place of the interface's
// own: if it is of the same subnet, for advertisements from another could not
// be heard (rp_filter), and if no virtual router has one of those.
func (l *wire) displaces(addrs []vaddr) bool {
	return l.displaced == nil && around(addrs, l.told.Primary) && !l.ownedOf(l.prefixes)
}

// wire is an interface of the configuration, there or not, and the family that is spoken on
// it, as the broker sees it.
type wire struct {
	pages []*page // of the virtual routers on it
	linkName
	id        ipc.Link
	index     int            // 0 while the interface does not exist
	prefixes  []netip.Prefix // its own
	mac       [6]byte
	mtu       int
	unsent    frames.Tally // frames
	tap       int          // the socket of a look
	tapUntil  int64        // when that is over, 0 for none
	tx        transmitter
	tuned     bool      // its settings are ours
	saved     []setting // settings to restore
	hearing   []setting // and those that the lock's file remembers
	told      ipc.LinkState
	worn      net.HardwareAddr // its own hardware address, while it has a virtual one
	displaced *displaced       // its own addresses, while a virtual one is in their place
	out       outbox           // what waits to leave it
}

// virtual says whether ip is a virtual address on this link.
func (l *wire) virtual(ip netip.Addr) bool {
	return slices.ContainsFunc(l.pages, func(s *page) bool {
		return s.advertises(ip)
	})
}

// serves says whether the link can do what a request is for: a link that is up
// can, but nobody is asked for who cannot be a router on it.
func (l *wire) serves(m ipc.Message) bool {
	look, asks := m.(ipc.Look)
	return l.told.Up && (!asks || l.tx != nil && (!look.Peer.IsValid() || l.near(look.Peer)))
}

// near says whether an address can be a router's on the link itself, if that is
// there. The link's prefixes are of its family.
func (l *wire) near(peer netip.Addr) bool {
	return l.index != 0 && (peer.Is4() || peer.IsLinkLocalUnicast()) && slices.ContainsFunc(l.prefixes, func(p netip.Prefix) bool { return p.Contains(peer) })
}

// concede strikes from the ledger what we have put on the interface and
// somebody else has made theirs since, with "ip addr replace": it is not ours
// to remove any more. The kernel tells whose an address is.
func (l *wire) concede() {
	for _, s := range l.pages {
		if !s.own {
			s.placed = slices.DeleteFunc(s.placed, func(a vaddr) bool { return slices.Contains(l.prefixes, a.Prefix) })
		}
	}
}
