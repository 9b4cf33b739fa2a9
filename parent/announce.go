package parent

import (
	"context"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/frames"
)

// announce tells the LAN where addresses of a slot are, once each, and answers
// when the interface has no room for all of them.
func (d *daemon) announce(s *slot, l *link, h ipc.Header, m ipc.Announce) {
	sent := uint8(0)
	for sent < m.Count && d.announceAddress(s, l, int(m.First+sent)) {
		sent++
	}
	if d.verbose(LevelMedium) {
		d.log.Log(context.Background(), LevelMedium, "addresses announced", "vr", s.name, "first", m.First, "addresses", sent)
	}
	if sent < m.Count {
		s.grant.announce.giveBack(int64(m.Count - sent))
		d.send(ipc.Header{Slot: h.Slot, Sequence: h.Sequence}, ipc.Result{Request: ipc.TypeAnnounce, Code: ipc.CodeFull, Sent: sent})
	}
}

// announceAddress announces one address; false: the interface is busy.
func (d *daemon) announceAddress(s *slot, l *link, i int) bool {
	if d.now < l.out.retry {
		return false
	}
	a := s.addrs[i].Addr
	if l.family == ipc.IPv6 {
		d.frame = frames.AppendNeighborAdvertisement(d.frame[:0], s.source(l), s.addrs[0].Addr, a)
	} else {
		d.frame = frames.AppendGratuitousARP(d.frame[:0], s.source(l), a)
	}
	return d.took(l, l.tx.Announce(d.frame))
}

// moved has the child announce the addresses of a slot that answer from another
// place now, or again, so many times each.
func (d *daemon) moved(s *slot, rounds uint8) {
	d.send(ipc.Header{Slot: s.slot}, ipc.Moved{Rounds: rounds})
}

// source is the hardware address that answers for the slot's addresses.
func (s *slot) source(l *link) [6]byte {
	if s.own {
		return s.mac
	}
	return l.mac
}
