package auth

import (
	"net/netip"
	"slices"
	"time"
)

// MaxSenders bounds the senders that one virtual router remembers. Only who
// has a key gets in.
const MaxSenders = 32

// Mark is the last sequence of a sender: seconds, fraction and counter as in
// the trailer.
type Mark struct {
	Source   netip.Addr
	Sequence uint64
}

// Others is the source of the mark of all senders that have none of their own: the
// newest of those that had to give way. No sender has this address.
var Others = netip.IPv6Unspecified()

// Replay remembers what was sent and received; its zero value nothing.
type Replay struct {
	kind    AntiReplay
	window  int64 // seconds
	sent    uint64
	marks   []Mark
	changed []Mark
	held    Mark
}

// Sent is the sequence of the last trailer we made, 0 before the first.
func (r *Replay) Sent() uint64 { return r.sent }

// Marks are the last sequences of the senders heard; not to be changed.
func (r *Replay) Marks() []Mark { return r.marks }

// Changed are the marks that the last Verify has changed, those that it has
// forgotten with sequence 0. They are valid until the next call.
func (r *Replay) Changed() []Mark { return r.changed }

// Held is the mark that the last advertisement was held against that was Replayed.
func (r *Replay) Held() Mark { return r.held }

// Ahead says whether a sequence is later than our clock by more than the window:
// there our clock was, if it was ours that was set back.
func (r *Replay) Ahead(sequence uint64, now time.Time) bool {
	return r.kind == Time && seconds(sequence, now) < -r.window
}

// GoOn takes over from was, the same virtual router before, which knows best
// what it has sent and received itself; what Resume brought fills the rest.
func (r *Replay) GoOn(was *Replay) {
	if r.sent == 0 || was.sent != 0 && (r.kind == Time || newer(was.sent, r.sent)) {
		r.sent = was.sent
	}
	told := r.marks
	r.marks = slices.Clone(was.marks)
	for _, m := range told {
		at := slices.IndexFunc(r.marks, func(o Mark) bool { return o.Source == m.Source })
		switch {
		case at >= 0 && newer(m.Sequence, r.marks[at].Sequence):
			r.marks[at] = m
		case at < 0 && (m.Source == Others || r.senders() < MaxSenders):
			r.marks = append(r.marks, m)
		}
	}
}

// Resume takes over what another process of the same virtual router sent and
// received. What is more than MaxSenders is left out.
func (r *Replay) Resume(sent uint64, marks []Mark) {
	r.sent, r.marks = sent, r.marks[:0]
	for _, m := range marks {
		if m.Source == Others || r.senders() < MaxSenders {
			r.marks = append(r.marks, m)
		}
	}
}

// senders is how many of them have a mark.
func (r *Replay) senders() int {
	if r.find(Others) >= 0 {
		return len(r.marks) - 1
	}
	return len(r.marks)
}

// find is the place of a source's mark, negative for none.
func (r *Replay) find(source netip.Addr) int {
	return slices.IndexFunc(r.marks, func(m Mark) bool { return m.Source == source })
}

// clock is the sequence of an instant, with counter 0.
func clock(now time.Time) uint64 {
	return uint64(uint32(now.Unix()))<<32 | uint64(now.Nanosecond())<<16/1e9<<16
}

// newer compares sequences as RFC 1982 does, so that they may wrap.
func newer(a, b uint64) bool { return int64(a-b) > 0 }

// seconds is the distance from a sequence to an instant, in whole seconds.
func seconds(sequence uint64, now time.Time) int64 {
	return int64(int32(uint32(now.Unix()) - uint32(sequence>>32)))
}

// next is the sequence of the next trailer: our clock's, but newer than the
// last. In Time mode a clock that was set back by more than the window wins
// all the same: receivers would call the other stale.
func (r *Replay) next(now time.Time) uint64 {
	s := clock(now)
	if r.sent != 0 && !newer(s, r.sent) && (r.kind == Monotonic || -seconds(r.sent, now) <= r.window) {
		s = r.sent + 1
	}
	r.sent = s
	return s
}

// stale says whether a sequence is out of the window.
func (r *Replay) stale(sequence uint64, now time.Time) bool {
	d := seconds(sequence, now)
	return r.kind == Time && (d > r.window || d < -r.window)
}

// received compares a verified sequence with the last one of its sender, and
// remembers it when it is newer. A mark that is ahead of our clock counts, too:
// the clock may have been set back so that what was recorded is in the window
// again, and no advertisement tells that from a sender whose clock was set back
// with ours.
func (r *Replay) received(src netip.Addr, sequence uint64, now time.Time) Problem {
	at := r.find(src)
	last := at
	if at < 0 {
		last = r.find(Others)
	}
	if last >= 0 && !newer(sequence, r.marks[last].Sequence) {
		r.held = r.marks[last]
		return Replayed
	}
	if at < 0 {
		if r.senders() >= MaxSenders && !r.forget(now) {
			return TooMany
		}
		r.marks, at = append(r.marks, Mark{Source: src}), len(r.marks)
	}
	r.marks[at].Sequence = sequence
	r.changed = append(r.changed, r.marks[at])
	return NoProblem
}

// forget drops a mark that protects from nothing as long as our clock is not set
// back: what it would catch is too old. Should it be set back, all that have no mark
// have to be newer. In Monotonic mode there is none to drop.
func (r *Replay) forget(now time.Time) bool {
	at := slices.IndexFunc(r.marks, func(m Mark) bool {
		return m.Source != Others && r.kind == Time && seconds(m.Sequence, now) > r.window
	})
	if at < 0 {
		return false
	}
	gone := r.marks[at]
	r.marks = slices.Delete(r.marks, at, at+1)
	r.changed = append(r.changed, Mark{Source: gone.Source})
	others := r.find(Others)
	switch {
	case others < 0:
		r.marks, others = append(r.marks, Mark{Source: Others, Sequence: gone.Sequence}), len(r.marks)
	case newer(gone.Sequence, r.marks[others].Sequence):
		r.marks[others].Sequence = gone.Sequence
	}
	r.changed = append(r.changed, r.marks[others])
	return true
}

// skewOf is how far the clock of a sequence is ahead of now.
func skewOf(sequence uint64, now time.Time) time.Duration {
	fraction := time.Duration(sequence >> 16 & 0xffff * 1e9 >> 16)
	return -time.Duration(seconds(sequence, now))*time.Second + fraction - time.Duration(now.Nanosecond())
}
