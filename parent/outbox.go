package parent

import (
	"errors"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/parent/frames"
	"github.com/rvrrpd/rvrrpd/records"
)

// Implementation constants.
const (
	// outboxRetry is the time between two attempts at a busy interface.
	outboxRetry = int64(time.Millisecond)
	// chokedRetry is that time once it is given up, and chokedProofs is how
	// many frames in a row must leave it before it counts as usable again.
	chokedRetry, chokedProofs = int64(100 * time.Millisecond), 10
	// busyTold is how long an interface is busy before the log says so, and
	// busyEvery the least time between two such lines.
	busyTold, busyEvery = int64(100 * time.Millisecond), 10 * time.Second
)

// transmitter is the way out of one interface.
type transmitter interface {
	Advertise(frame []byte) error
	Announce(frame []byte) error
	Queued(of any, at int64)
	Left() []frames.QueuedFrame
	Keeps(of any, since int64) bool
	Close()
}

// outbox says how much room an interface has for the frames of one link: what
// it has none for goes back to the child, which tries again.
type outbox struct {
	retry      int64 // no attempt before, while it is busy
	busySince  int64 // 0 while it is not
	complaints rate
	choked     bool // given up: it takes no frames
	proofs     int  // frames that left it since
}

// advertise sends an advertisement, in fragments where the link is too
// narrow for the packet: with 90 IPv6 addresses and more it does not fit an
// Ethernet. The kernel cuts nothing that is sent through a packet socket.
// False: the interface is busy.
func (b *broker) advertise(s *page, l *wire, message []byte) bool {
	b.frame = frames.AppendAdvertisement(b.frame[:0], s.mac, l.told.Primary, message)
	if len(b.frame)-frames.EthernetHeader <= l.mtu {
		return b.transmit(s, l, b.frame)
	}
	b.ident++
	var parts [][]byte
	b.part = frames.Fragment(b.part, b.frame, l.mtu, b.ident, func(part []byte) { parts = append(parts, slices.Clone(part)) })
	return b.transmit(s, l, parts...)
}

// transmit sends the frames of an advertisement; false: the interface is busy.
func (b *broker) transmit(s *page, l *wire, whole ...[]byte) bool {
	s.unsent = true
	if b.now < l.out.retry {
		return false
	}
	failed := false
	for _, frame := range whole {
		err := l.tx.Advertise(frame)
		if !b.took(l, err) {
			return false
		}
		failed = failed || err != nil
	}
	s.unsent, l.out.busySince = false, 0
	if !failed && s.held {
		l.tx.Queued(s, b.now)
	}
	return true
}

// took hears what has become of a frame; false: the interface is busy.
func (b *broker) took(l *wire, err error) bool {
	if errors.Is(err, frames.ErrBusy) {
		b.busy(l)
		return false
	}
	if err != nil {
		b.unsent(l, err)
	}
	return true
}

// confirm prolongs the leases of slots whose advertisements have left.
func (b *broker) confirm() {
	b.confirmAt = 0
	for _, l := range b.wires {
		if l.tx == nil || !l.tx.Keeps(nil, b.now) {
			continue
		}
		for _, h := range l.tx.Left() {
			if s := b.successor(h.Of.(*page)); s != nil && s.held && h.At+int64(s.lease) > b.now {
				b.prolong(s, h.At)
			}
		}
		if l.tx.Keeps(nil, b.now) {
			at := b.now + outboxRetry
			if l.out.choked {
				at = b.now + chokedRetry
			}
			if b.confirmAt == 0 || at < b.confirmAt {
				b.confirmAt = at
			}
		}
	}
}

// due is when a link that was given up wants another proof.
func (o *outbox) due() int64 {
	if o.choked {
		return o.retry
	}
	return never
}

// busy puts a link off.
func (b *broker) busy(l *wire) {
	o := &l.out
	o.retry = b.now + outboxRetry
	if o.busySince == 0 {
		o.busySince = b.now
	}
	o.complaints.Period, o.complaints.Burst = busyEvery, 1
	if b.now-o.busySince >= busyTold && o.complaints.Take(b.now) {
		b.log.Warn("interface busy, frames wait", "link", l.linkName, "for", time.Duration(b.now-o.busySince))
	}
}

// holdsBack says whether advertisements of a slot have not left its link for a
// good part of its lease: then that is why the lease has ended, and not its
// network process. One that came at the last moment has had no time to leave.
func (b *broker) holdsBack(s *page) bool {
	l, since := b.wires[s.link], b.now-int64(s.lease)/records.LeaseIntervals
	return l.out.choked || s.unsent && l.out.busySince <= since || l.tx != nil && l.tx.Keeps(s, since)
}

// choke gives up a link that takes no frames: to the virtual routers on it, it
// is down until it takes them again.
func (b *broker) choke(l *wire) {
	if l.out.choked {
		return
	}
	b.log.Error("interface takes no frames: virtual routers on it wait until it does", "link", l.linkName)
	l.out = outbox{choked: true, retry: b.now + chokedRetry, complaints: l.out.complaints}
	b.plan.lookAt(l, b.now) // it is down now
}

// revive sends an interface that was given up a frame to itself, which no
// switch passes on, and takes it back when some in a row have left.
func (b *broker) revive(l *wire) {
	o := &l.out
	o.retry = b.now + chokedRetry
	err := frames.ErrBusy
	if l.tx.Left(); !l.tx.Keeps(nil, b.now) {
		err = l.tx.Advertise(frames.AppendLoopback(b.frame[:0], l.mac))
	}
	if err != nil {
		o.proofs = 0
		return
	}
	l.tx.Queued(&page{}, b.now)
	if o.proofs++; o.proofs > chokedProofs {
		b.log.Warn("interface takes frames again", "link", l.linkName)
		l.out = outbox{complaints: o.complaints}
		b.plan.lookAt(l, b.now)
	}
}
