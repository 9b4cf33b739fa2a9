package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"net/netip"
	"slices"
	"time"
)

// Specification constants (draft-cassen-vrrp-auth-hmac).
const (
	// TrailerLen is the length of the trailer behind a message. Only the
	// length of a packet tells whether there is one.
	TrailerLen = 28
	// MinKey and MaxKey bound the length of a key in bytes.
	MinKey, MaxKey = 32, 64

	extHMAC    = 1 // HMAC-SHA256, the first 16 bytes
	signedPart = 12
	sumLen     = 16
)

// Mode says what becomes of advertisements without a trailer, and whether
// ours have one. One with a trailer must verify in every mode.
type Mode uint8

// Modes, in the order of a roll-out.
const (
	ReceiveOnly Mode = iota // ours without, others either way
	Permissive              // ours with, others either way
	Enforce                 // all with
)

// AntiReplay says what keeps old advertisements from counting again.
type AntiReplay uint8

// Kinds of replay protection.
const (
	// Time: strictly growing sequences, within a window around our clock.
	Time AntiReplay = iota
	// Monotonic: strictly growing sequences, whatever the clocks say.
	Monotonic
)

// Key is a key and the number it is known by.
type Key struct {
	ID    uint8  // 1..255
	Value []byte // MinKey..MaxKey bytes
}

// Config is what the operator decided.
type Config struct {
	Keys       []Key // at least one, no ID twice
	Active     uint8 // ID of the key that signs
	AntiReplay AntiReplay
	Window     time.Duration // whole seconds, at least one; for Time
	Mode       Mode
}

// Problem is why an advertisement with a trailer, or without, is discarded.
type Problem uint8

// Problems, in the order they are looked for.
const (
	NoProblem   Problem = iota
	Missing             // no trailer, and one is demanded
	Malformed           // another extension than HMAC, key 0, or reserved bits set
	Stale               // its time is out of the window
	UnknownKey          // no key with this ID
	BadHMAC             // not made with this key, or changed
	Replayed            // not newer than the last of this sender
	TooMany             // more senders than can be remembered, all of them current
	NumProblems         // one more than the last
)

var problemText = [NumProblems]string{"no problem", "missing", "malformed", "stale", "unknown key", "bad HMAC", "replayed", "too many senders"}

// Error says what is wrong.
func (p Problem) Error() string {
	if p < NumProblems {
		return "authentication trailer: " + problemText[p]
	}
	return "authentication trailer: unknown problem"
}

// HMAC signs and verifies trailers. It is not safe for concurrent use.
type HMAC struct {
	Replay // what was received, and sent

	active uint8
	mode   Mode
	macs   [256]hash.Hash // by key ID
	prints [256]uint32    // likewise, of the keys
	pseudo [20]byte
	sum    [sha256.Size]byte
}

// New returns an authenticator that has received and sent nothing.
func New(c Config) (*HMAC, error) {
	h := &HMAC{active: c.Active, mode: c.Mode, Replay: Replay{kind: c.AntiReplay, window: int64(c.Window / time.Second)}}
	for _, k := range c.Keys {
		switch {
		case k.ID == 0:
			return nil, errors.New("key 0: accepted: 1..255")
		case h.macs[k.ID] != nil:
			return nil, fmt.Errorf("key %d: given twice", k.ID)
		case len(k.Value) < MinKey || len(k.Value) > MaxKey:
			return nil, fmt.Errorf("key %d: %d bytes, accepted: %d..%d", k.ID, len(k.Value), MinKey, MaxKey)
		}
		h.macs[k.ID] = hmac.New(sha256.New, k.Value)
		h.prints[k.ID] = fingerprint(h.macs[k.ID])
	}
	switch {
	case h.macs[c.Active] == nil:
		return nil, fmt.Errorf("active key %d: no such key", c.Active)
	case c.Mode > Enforce || c.AntiReplay > Monotonic:
		return nil, fmt.Errorf("mode %d, replay protection %d", c.Mode, c.AntiReplay)
	case c.AntiReplay == Time && h.window < 1:
		return nil, fmt.Errorf("window %v: accepted: a second or more", c.Window)
	}
	return h, nil
}

// Fingerprint is what "rvrrpd --check" prints of a key, as a number; never 0.
func Fingerprint(key []byte) uint32 { return fingerprint(hmac.New(sha256.New, key)) }

// fingerprint is that of the key of a hash, which it leaves as it was. No copy of
// the key is made.
func fingerprint(mac hash.Hash) uint32 {
	mac.Write([]byte("rvrrpd key fingerprint"))
	sum := mac.Sum(nil)
	mac.Reset()
	return max(binary.BigEndian.Uint32(sum), 1)
}

// Resume takes over what another process of the same virtual router has sent and
// received, under the keys that we have. Marks under others are forgotten: nothing
// verifies with them any more. Those of every key become ones of each that we have.
func (h *HMAC) Resume(marks []Mark) {
	h.marks, h.changed = h.marks[:0], h.changed[:0]
	for _, m := range marks {
		if slices.Contains(h.prints[:], m.Key) && m.Key != 0 {
			h.raise(m)
			continue
		}
		h.changed = append(h.changed, Mark{Source: m.Source, Key: m.Key})
		for _, id := range h.IDs() {
			if m.Key != 0 {
				break
			}
			if one := (Mark{Source: m.Source, Key: h.prints[id], Sequence: m.Sequence}); h.raise(one) {
				h.changed = append(h.changed, one)
			}
		}
	}
}

// GoOn takes over from was, the same virtual router before, which knows best
// what it has sent itself; what Resume brought fills the rest.
func (h *HMAC) GoOn(was *HMAC) {
	for _, m := range was.marks {
		if !slices.Contains(h.prints[:], m.Key) {
			continue
		}
		if at := h.find(m.Source, m.Key); at >= 0 && !m.Source.IsValid() && h.kind == Time {
			h.marks[at] = m
			continue
		}
		h.raise(m)
	}
}

// IDs lists the keys there are, by their numbers.
func (h *HMAC) IDs() (ids []uint8) {
	for id, mac := range h.macs {
		if mac != nil {
			ids = append(ids, uint8(id))
		}
	}
	return ids
}

// Signs says whether our advertisements have a trailer.
func (h *HMAC) Signs() bool { return h.mode != ReceiveOnly }

// Sign appends the trailer of an advertisement to b, which holds the message
// from start on. src is where it is sent from, now is the wall clock.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Extension = 1 |    Key ID     |              0                |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Seconds (Unix time)                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      Fraction (1/65536 s)     |           Counter             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|              first 16 bytes of the HMAC-SHA256 ...
func (h *HMAC) Sign(b []byte, start int, src netip.Addr, now time.Time) []byte {
	message := b[start:]
	b = append(b, extHMAC, h.active, 0, 0)
	h.changed = h.changed[:0]
	b = binary.BigEndian.AppendUint64(b, h.next(h.prints[h.active], now))
	trailer := b[start+len(message):]
	return append(b, h.compute(h.active, message, trailer, src)...)
}

// Demands says whether an advertisement without a trailer is discarded.
func (h *HMAC) Demands() bool { return h.mode == Enforce }

// Check judges a packet's payload of a message of n bytes and what follows
// it, sent from src, at the wall clock's now: all that can be told without what
// was heard before.
func (h *HMAC) Check(payload []byte, n int, src netip.Addr, now time.Time) Problem {
	message, trailer := payload[:n], payload[n:]
	switch {
	case len(trailer) == 0 && h.mode == Enforce:
		return Missing
	case len(trailer) == 0:
		return NoProblem
	case len(trailer) != TrailerLen, trailer[0] != extHMAC, trailer[1] == 0, trailer[2] != 0, trailer[3] != 0:
		return Malformed
	}
	sequence := sequenceOf(trailer)
	if h.stale(sequence, now) {
		return Stale
	}
	id := trailer[1]
	if h.macs[id] == nil {
		return UnknownKey
	}
	if !hmac.Equal(h.compute(id, message, trailer[:signedPart], src), trailer[signedPart:]) {
		return BadHMAC
	}
	return NoProblem
}

// Fresh holds a payload that has passed Check against what was heard before. It
// remembers nothing.
func (h *HMAC) Fresh(payload []byte, n int, src netip.Addr, now time.Time) Problem {
	if len(payload) == n {
		return NoProblem
	}
	return h.fresh(src, h.prints[payload[n+1]], sequenceOf(payload[n:]), now)
}

// Accept is Fresh, and remembers a payload with a trailer that is. skew is how far
// the sender's clock is ahead of ours; it means something only without a problem.
func (h *HMAC) Accept(payload []byte, n int, src netip.Addr, now time.Time) (skew time.Duration, problem Problem) {
	h.changed = h.changed[:0]
	problem = h.Fresh(payload, n, src, now)
	if problem != NoProblem || len(payload) == n {
		return 0, problem
	}
	sequence := sequenceOf(payload[n:])
	h.received(src, h.prints[payload[n+1]], sequence, now)
	return skewOf(sequence, now), NoProblem
}

// sequenceOf is the sequence in a trailer.
func sequenceOf(trailer []byte) uint64 { return binary.BigEndian.Uint64(trailer[4:]) }

// compute returns the sum over pseudo-header, message, and the trailer up to
// the sum; checksum and sum count as zero. It is valid until the next call.
func (h *HMAC) compute(id uint8, message, trailer []byte, src netip.Addr) []byte {
	h.pseudo = [20]byte{6, message[0] >> 4, message[1]}
	if src.Is4() {
		h.pseudo[0] = 4
		a := src.As4()
		copy(h.pseudo[4:], a[:])
	} else {
		a := src.As16()
		copy(h.pseudo[4:], a[:])
	}
	m := h.macs[id]
	m.Reset()
	m.Write(h.pseudo[:])
	m.Write(message[:checksumAt])
	m.Write(zeros[:2])
	m.Write(message[checksumAt+2:])
	m.Write(trailer)
	m.Write(zeros[:sumLen])
	return m.Sum(h.sum[:0])[:sumLen]
}
