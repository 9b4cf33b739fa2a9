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

// Replay remembers what was sent and received; its zero value nothing.
type Replay struct {
	kind   AntiReplay
	window int64 // seconds
	sent   uint64
	marks  []Mark
	// forgotten is who had to give way to the last sender; invalid: nobody.
	forgotten netip.Addr
}

// Sent is the sequence of the last trailer we made, 0 before the first.
func (r *Replay) Sent() uint64 { return r.sent }

// Marks are the last sequences of the senders heard; not to be changed.
func (r *Replay) Marks() []Mark { return r.marks }

// Forgotten is whose mark the last Verify has dropped for another sender's;
// invalid if nobody's.
func (r *Replay) Forgotten() netip.Addr { return r.forgotten }

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
		case at >= 0 && r.kind == Monotonic && newer(m.Sequence, r.marks[at].Sequence):
			r.marks[at] = m
		case at < 0 && len(r.marks) < MaxSenders:
			r.marks = append(r.marks, m)
		}
	}
}

// Resume takes over what another process of the same virtual router sent and
// received. What is more than MaxSenders is left out.
func (r *Replay) Resume(sent uint64, marks []Mark) {
	r.sent = sent
	r.marks = append(r.marks[:0], marks[:min(len(marks), MaxSenders)]...)
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
// remembers it when it is newer.
func (r *Replay) received(src netip.Addr, sequence uint64, now time.Time) Problem {
	r.forgotten = netip.Addr{}
	for i := range r.marks {
		m := &r.marks[i]
		if m.Source != src {
			continue
		}
		// A mark out of the window is of a time when a clock was wrong.
		if !newer(sequence, m.Sequence) && !r.stale(m.Sequence, now) {
			return Replayed
		}
		m.Sequence = sequence
		return NoProblem
	}
	if len(r.marks) == MaxSenders && !r.forget(now) {
		return TooMany
	}
	r.marks = append(r.marks, Mark{src, sequence})
	return NoProblem
}

// forget drops a mark that protects from nothing any more: what it would
// catch is stale. In Monotonic mode there is none.
func (r *Replay) forget(now time.Time) bool {
	for i, m := range r.marks {
		if r.stale(m.Sequence, now) {
			r.marks, r.forgotten = append(r.marks[:i], r.marks[i+1:]...), m.Source
			return true
		}
	}
	return false
}

// skewOf is how far the clock of a sequence is ahead of now.
func skewOf(sequence uint64, now time.Time) time.Duration {
	fraction := time.Duration(sequence >> 16 & 0xffff * 1e9 >> 16)
	return -time.Duration(seconds(sequence, now))*time.Second + fraction - time.Duration(now.Nanosecond())
}
