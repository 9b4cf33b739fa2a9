package auth

import (
	"net/netip"
	"slices"
	"time"
)

// MaxSenders bounds the senders that one virtual router remembers of each key.
// Only who has the key gets in.
const MaxSenders = 32

// Mark is the last sequence of a sender under one key: seconds, fraction and
// counter as in the trailer. Under another key it says nothing: who has stolen one
// can lead everybody far into the future with it, and a new key begins anew.
type Mark struct {
	// Source is the sender; invalid: we ourselves.
	Source netip.Addr
	// Key is the Fingerprint of the key; 0: of every key, from a release that did not
	// tell them apart.
	Key      uint32
	Sequence uint64 // 0: forgotten
}

// Others is the source of the mark of all senders that have none of their own: the
// newest of those that had to give way. No sender has this address.
var Others = netip.IPv6Unspecified()

// isSender says whether a mark is another router's.
func (m Mark) isSender() bool { return m.Source.IsValid() && m.Source != Others }

// Replay remembers what was sent and received; its zero value nothing.
type Replay struct {
	kind    AntiReplay
	window  int64 // seconds
	marks   []Mark
	changed []Mark
	held    Mark
}

// Marks are the last sequences of the senders heard, and ours; not to be changed.
func (r *Replay) Marks() []Mark { return r.marks }

// Changed are the marks that the last Accept, Sign or Resume has changed, those
// that it has forgotten with sequence 0. They are valid until the next call.
func (r *Replay) Changed() []Mark { return r.changed }

// Held is the mark that the last advertisement was held against that was Replayed.
func (r *Replay) Held() Mark { return r.held }

// Ahead says whether a sequence is later than our clock by more than the window:
// there our clock was, if it was ours that was set back.
func (r *Replay) Ahead(sequence uint64, now time.Time) bool {
	return r.kind == Time && seconds(sequence, now) < -r.window
}

// raise takes over a mark that is unknown here, or newer, and says whether it did.
// What is more than MaxSenders is left out.
func (r *Replay) raise(m Mark) bool {
	at := r.find(m.Source, m.Key)
	switch {
	case at < 0 && m.isSender() && r.senders(m.Key) >= MaxSenders:
		return false
	case at < 0:
		r.marks = append(r.marks, m)
	case !newer(m.Sequence, r.marks[at].Sequence):
		return false
	default:
		r.marks[at] = m
	}
	return true
}

// senders is how many of them have a mark under a key.
func (r *Replay) senders(key uint32) (n int) {
	for _, m := range r.marks {
		if m.Key == key && m.isSender() {
			n++
		}
	}
	return n
}

// find is the place of a mark, negative for none.
func (r *Replay) find(source netip.Addr, key uint32) int {
	return slices.IndexFunc(r.marks, func(m Mark) bool { return m.Source == source && m.Key == key })
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

// next is the sequence of the next trailer under a key: our clock's, but newer
// than the last. In Time mode a clock that was set back by more than the window wins
// all the same: receivers would call the other stale.
func (r *Replay) next(key uint32, now time.Time) uint64 {
	m := Mark{Key: key, Sequence: clock(now)}
	at := r.find(m.Source, key)
	if at < 0 {
		r.marks, at = append(r.marks, m), len(r.marks)
	} else if last := r.marks[at].Sequence; !newer(m.Sequence, last) && (r.kind == Monotonic || -seconds(last, now) <= r.window) {
		m.Sequence = last + 1
	}
	r.marks[at] = m
	r.changed = append(r.changed, m)
	return m.Sequence
}

// stale says whether a sequence is out of the window.
func (r *Replay) stale(sequence uint64, now time.Time) bool {
	d := seconds(sequence, now)
	return r.kind == Time && (d > r.window || d < -r.window)
}

// fresh compares a verified sequence with the last one of its sender. A mark that is ahead of our clock counts, too:
// the clock may have been set back so that what was recorded is in the window
// again, and no advertisement tells that from a sender whose clock was set back
// with ours.
func (r *Replay) fresh(src netip.Addr, key uint32, sequence uint64, now time.Time) Problem {
	at := r.find(src, key)
	last := at
	if at < 0 {
		last = r.find(Others, key)
	}
	if last >= 0 && !newer(sequence, r.marks[last].Sequence) {
		r.held = r.marks[last]
		return Replayed
	}
	if at < 0 && r.senders(key) >= MaxSenders && r.spare(key, now) < 0 {
		return TooMany
	}
	return NoProblem
}

// received remembers a sequence that is fresh.
func (r *Replay) received(src netip.Addr, key uint32, sequence uint64, now time.Time) {
	if r.find(src, key) < 0 && r.senders(key) >= MaxSenders {
		r.forget(r.spare(key, now), key)
	}
	m := Mark{Source: src, Key: key, Sequence: sequence}
	r.raise(m)
	r.changed = append(r.changed, m)
}

// spare is the place of a mark that protects from nothing as long as our clock is not set
// back: what it would catch is too old. Negative for none, as always in Monotonic mode.
func (r *Replay) spare(key uint32, now time.Time) int {
	return slices.IndexFunc(r.marks, func(m Mark) bool {
		return m.isSender() && m.Key == key && r.kind == Time && seconds(m.Sequence, now) > r.window
	})
}

// forget drops a mark. Should our clock be set back, all that have none have to be
// newer.
func (r *Replay) forget(at int, key uint32) {
	gone := r.marks[at]
	r.marks = slices.Delete(r.marks, at, at+1)
	r.changed = append(r.changed, Mark{Source: gone.Source, Key: key})
	if others := (Mark{Source: Others, Key: key, Sequence: gone.Sequence}); r.raise(others) {
		r.changed = append(r.changed, others)
	}
}

// skewOf is how far the clock of a sequence is ahead of now.
func skewOf(sequence uint64, now time.Time) time.Duration {
	fraction := time.Duration(sequence >> 16 & 0xffff * 1e9 >> 16)
	return -time.Duration(seconds(sequence, now))*time.Second + fraction - time.Duration(now.Nanosecond())
}
