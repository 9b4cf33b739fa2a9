package parent

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/frames"
)

// Implementation constants.
const (
	// announceBurst announcements are sent, and then none for announceRest:
	// two thousand in a second do no harm to a switch, nor to a queue, and a
	// thousand addresses are repeated four times in two seconds. This is where
	// no distance is configured.
	announceBurst, announceRest = 4, int64(2 * time.Millisecond)
	// roundsMax is how many configured rounds of announcements may wait; an
	// interface that cannot keep up with more gets these.
	roundsMax = 2
)

// announcing is what of a slot remains to be announced.
type announcing struct {
	fresh    bool // its addresses were taken and not announced yet
	urgentAt int  // the next address of the first round
	rounds   int  // and then so many
	roundAt  int  // the next address of these
}

// announceSlot tells the LAN where the slot's addresses are: so many times,
// the first at once where hosts look for them elsewhere.
func (d *daemon) announceSlot(s *slot, l *link, repeat int, urgent bool) {
	if l.tx == nil || l.out.choked {
		return
	}
	if d.verbose(LevelMedium) {
		d.log.Log(context.Background(), LevelMedium, "addresses announced", "vr", s.name, "times", repeat)
	}
	o := &l.out
	if urgent {
		s.fresh, s.urgentAt = false, 0
		if !slices.Contains(o.urgent, s) {
			o.urgent = append(o.urgent, s)
		}
		if len(o.adverts) == 0 && d.now >= o.retry {
			d.announceUrgent(l)
		}
		repeat--
	}
	if repeat > 0 {
		s.rounds = min(s.rounds+repeat, roundsMax*max(repeat, s.repeat))
		if !slices.Contains(o.again, s) {
			o.again = append(o.again, s)
		}
	}
}

// announceUrgent announces the addresses that hosts look for elsewhere, one
// after the other unless a distance is configured; false: the interface is
// busy.
func (d *daemon) announceUrgent(l *link) bool {
	o := &l.out
	for len(o.urgent) > 0 {
		s := d.successor(o.urgent[0])
		if s == nil || !s.held || s.urgentAt >= len(s.addrs) {
			o.urgent = o.urgent[1:]
			continue
		}
		o.urgent[0] = s
		if s.pace > 0 && d.now < o.nextAnnounce {
			return true
		}
		if !d.announceAddress(s, l, s.urgentAt) {
			return false
		}
		s.urgentAt++
		d.paced(s, l)
	}
	return true
}

// announceAgain repeats announcements, an address of each slot by turns, with
// their distance; false: the interface is busy.
func (d *daemon) announceAgain(l *link) bool {
	o := &l.out
	for sent := 0; len(o.urgent) == 0 && len(o.again) > 0 && d.now >= o.nextAnnounce; {
		s := d.successor(o.again[0])
		if s == nil || !s.held || s.rounds == 0 {
			o.again[0].rounds, o.again[0].roundAt, o.again = 0, 0, o.again[1:]
			continue
		}
		if !d.announceAddress(s, l, s.roundAt) {
			return false
		}
		if s.roundAt++; s.roundAt >= len(s.addrs) {
			s.roundAt = 0
			s.rounds--
		}
		o.again = append(o.again[1:], s)
		if sent++; s.pace > 0 || sent == announceBurst {
			d.paced(s, l)
			sent = 0
		}
	}
	return true
}

// paced puts the next announcement on a link off. A late one shortens the
// distance to the next, but not by more than half.
func (d *daemon) paced(s *slot, l *link) {
	pace := int64(s.pace)
	if pace == 0 {
		pace = announceRest
	}
	if d.now-l.out.nextAnnounce > pace/2 {
		l.out.nextAnnounce = d.now
	}
	l.out.nextAnnounce += pace
}

// successor is the slot itself, or the one that a reload has put in its place;
// nil if there is none.
func (d *daemon) successor(s *slot) *slot {
	if d.old != nil && int(s.slot) < len(d.old) && d.old[s.slot] == s {
		return s
	}
	if int(s.slot) >= len(d.slots) || d.slots[s.slot] == s {
		return s
	}
	next := d.slots[s.slot]
	if next == nil || next.link != s.link || next.vrid != s.vrid {
		return nil
	}
	next.rounds = max(next.rounds, s.rounds)
	return next
}

// announceAddress announces one address; false: the interface is busy.
func (d *daemon) announceAddress(s *slot, l *link, i int) bool {
	a := s.addrs[i].Addr
	if l.family == ipc.IPv6 {
		d.frame = frames.AppendNeighborAdvertisement(d.frame[:0], s.source(l), s.addrs[0].Addr, a)
	} else {
		d.frame = frames.AppendGratuitousARP(d.frame[:0], s.source(l), a)
	}
	err := l.tx.Announce(d.frame)
	if errors.Is(err, frames.ErrBusy) {
		d.busy(l)
		return false
	}
	if err != nil {
		d.unsent(l, err)
	}
	return true
}

// source is the hardware address that answers for the slot's addresses.
func (s *slot) source(l *link) [6]byte {
	if s.own {
		return s.mac
	}
	return l.mac
}
