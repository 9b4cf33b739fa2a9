package parent

import (
	"context"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/frames"
)

// announce tells the LAN where addresses of a slot are, once each, and answers
// when the interface has no room for all of them.
func (b *broker) announce(s *page, l *wire, h ipc.Header, m ipc.Announce) {
	sent := uint8(0)
	for sent < m.Count && b.announceAddress(s, l, int(m.First+sent)) {
		sent++
	}
	if b.verbose(LevelMedium) {
		b.log.Log(context.Background(), LevelMedium, "addresses announced", "vr", s.name, "first", m.First, "addresses", sent)
	}
	if sent < m.Count {
		s.grant.announce.GiveBack(int64(m.Count - sent))
		b.send(ipc.Header{Slot: h.Slot, Sequence: h.Sequence}, ipc.Result{Request: ipc.TypeAnnounce, Code: ipc.CodeFull, Sent: sent})
	}
}

// announceAddress announces one address; false: the interface is busy.
func (b *broker) announceAddress(s *page, l *wire, i int) bool {
	if b.now < l.out.retry {
		return false
	}
	a := s.addrs[i].Addr
	if l.family == ipc.IPv6 {
		b.frame = frames.AppendNeighborAdvertisement(b.frame[:0], s.source(l), s.addrs[0].Addr, a)
	} else {
		b.frame = frames.AppendGratuitousARP(b.frame[:0], s.source(l), a)
	}
	return b.took(l, l.tx.Announce(b.frame))
}

// moved has the child announce the addresses of a slot that answer from another
// place now, or again, so many times each.
func (b *broker) moved(s *page, rounds uint8) {
	b.send(ipc.Header{Slot: s.slot}, ipc.Moved{Rounds: rounds})
}

// source is the hardware address that answers for the slot's addresses.
func (s *page) source(l *wire) [6]byte {
	if s.own {
		return s.mac
	}
	return l.mac
}
