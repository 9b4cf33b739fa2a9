// Package attack is the list of what the hostile network process tries
// through its lane, and what the parent must do about it.
package attack

import (
	"bytes"
	"encoding/binary"
	"math/rand"
	"net/netip"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
)

// Target is what the attacker learned from its configuration.
type Target struct {
	Router     ipc.Router
	Slot       ipc.Slot
	Generation uint32
	Keys       []uint32 // fingerprints of the keys of HMAC
	Random     *rand.Rand
}

// Attack is one attempt.
type Attack struct {
	Name string
	// BeforeReady: the attack comes before the child is Ready.
	BeforeReady bool
	// Harmless: refused without being a violation; the daemon goes on.
	Harmless bool
	// Endless: the datagrams are sent again and again.
	Endless bool
	// Mute: nothing of it is answered, so that no lane fills up.
	Mute bool
	// Either: it may be a violation or not.
	Either bool
	// Wire: it is about what the parent sends, which has more than one form.
	Wire bool
	// Lasting: it is about what the parent keeps on the disk.
	Lasting bool
	// Datagrams are what the child sends.
	Datagrams func(Target) [][]byte
}

// header returns the header of an honest request.
func (t Target) header() ipc.Header { return ipc.Header{Slot: t.Slot, Generation: t.Generation} }

// Advertisement returns an honest advertisement.
func (t Target) Advertisement() []byte {
	b := []byte{t.Router.Version<<4 | 1, t.Router.VRID, t.Router.Priority, byte(len(t.Router.Addresses))}
	interval := time.Duration(t.Router.AdverInterval)
	if t.Router.Version == 2 {
		b = append(b, 0, byte(interval/time.Second))
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(interval/(10*time.Millisecond)))
	}
	b = append(b, 0, 0)
	for _, a := range t.Router.Addresses {
		b = append(b, a.AsSlice()...)
	}
	switch {
	case t.Router.Version == 2:
		b = append(b, make([]byte, 8)...)
	case t.Router.Auth == ipc.AuthHMAC:
		b = append(b, make([]byte, 28)...)
	}
	return b
}

// one is an attack of one message in one datagram.
func one(f func(Target) (ipc.Header, ipc.Message)) func(Target) [][]byte {
	return func(t Target) [][]byte {
		h, m := f(t)
		return [][]byte{ipc.Append(nil, h, m)}
	}
}

// altered is an advertisement with one byte changed, behind an honest takeover.
func altered(change func(t Target, b []byte) []byte) func(Target) [][]byte {
	return func(t Target) [][]byte {
		b := ipc.Append(nil, t.header(), ipc.Advertise{Message: t.Advertisement()})
		b = ipc.Append(b, t.header(), ipc.Acquire{})
		b = ipc.Append(b, t.header(), ipc.Advertise{Message: change(t, t.Advertisement())})
		return [][]byte{b}
	}
}

// raw is an attack on the bytes of an honest datagram.
func raw(change func(t Target, b []byte) []byte) func(Target) [][]byte {
	return func(t Target) [][]byte {
		return [][]byte{change(t, ipc.Append(nil, t.header(), ipc.Acquire{}))}
	}
}

// All attacks; the VRID of the configuration, less one, is the index.
var All = build()

func build() []Attack {
	all := []Attack{
		{Name: "priority above the ceiling", Wire: true, Datagrams: altered(func(t Target, b []byte) []byte { b[2] = t.Router.Priority + 1; return b })},
		{Name: "owner's priority", Wire: true, Datagrams: altered(func(_ Target, b []byte) []byte { b[2] = 255; return b })},
		{Name: "forged VRID", Wire: true, Datagrams: altered(func(_ Target, b []byte) []byte { b[1] ^= 0x80; return b })},
		{Name: "forged version", Wire: true, Datagrams: altered(func(_ Target, b []byte) []byte { b[0] ^= 0x10; return b })},
		{Name: "forged type", Wire: true, Datagrams: altered(func(_ Target, b []byte) []byte { b[0] ^= 0x03; return b })},
		{Name: "forged count", Wire: true, Datagrams: altered(func(_ Target, b []byte) []byte { b[3]++; return b })},
		{Name: "forged address", Wire: true, Datagrams: altered(func(_ Target, b []byte) []byte { b[11]++; return b })},
		{Name: "one more address", Wire: true, Datagrams: altered(func(t Target, b []byte) []byte {
			b[3]++
			return append(b, make([]byte, t.Router.Addresses[0].BitLen()/8)...)
		})},
		{Name: "forged interval", Wire: true, Datagrams: altered(func(_ Target, b []byte) []byte { b[5]++; return b })},
		{Name: "advertisement cut short", Wire: true, Datagrams: altered(func(_ Target, b []byte) []byte { return b[:len(b)-1] })},
		{Name: "advertisement with a tail", Wire: true, Datagrams: altered(func(_ Target, b []byte) []byte { return append(b, 0) })},
		{Name: "foreign slot", Datagrams: one(func(t Target) (ipc.Header, ipc.Message) {
			h := t.header()
			h.Slot++
			return h, ipc.Acquire{}
		})},
		{Name: "release of a foreign slot", Datagrams: one(func(t Target) (ipc.Header, ipc.Message) {
			h := t.header()
			h.Slot++
			return h, ipc.Release{}
		})},
		{Name: "release for no slot", Datagrams: one(func(t Target) (ipc.Header, ipc.Message) {
			h := t.header()
			h.Slot = ipc.NoSlot
			return h, ipc.Release{}
		})},
		{Name: "state of a foreign slot", Datagrams: one(func(t Target) (ipc.Header, ipc.Message) {
			h := t.header()
			h.Slot = 0x7fff
			return h, report.StateChange{From: report.Backup, To: report.Active, Reason: report.ReasonActiveDown}
		})},
		{Name: "finding of a foreign slot", Datagrams: one(func(t Target) (ipc.Header, ipc.Message) {
			h := t.header()
			h.Slot = 0x7fff
			return h, report.Looked{Hint: "x"}
		})},
		{Name: "foreign link", Datagrams: one(func(t Target) (ipc.Header, ipc.Message) {
			return ipc.Header{Slot: ipc.NoSlot, Generation: t.Generation}, report.Dropped{Link: 99, Reason: report.DropTTL, Count: 1}
		})},
		{Name: "future generation", Datagrams: one(func(t Target) (ipc.Header, ipc.Message) {
			h := t.header()
			h.Generation++
			return h, ipc.Acquire{}
		})},
		{Name: "announce of an address more than granted", Datagrams: func(t Target) [][]byte {
			b := ipc.Append(nil, t.header(), ipc.Acquire{})
			return [][]byte{ipc.Append(b, t.header(), ipc.Announce{Count: uint8(len(t.Router.Addresses) + 1)})}
		}},
		{Name: "second hello", Datagrams: one(func(Target) (ipc.Header, ipc.Message) {
			return ipc.Header{Slot: ipc.NoSlot}, ipc.Hello{Build: ipc.Build()}
		})},
		{Name: "ready once more", Datagrams: one(func(t Target) (ipc.Header, ipc.Message) {
			return ipc.Header{Slot: ipc.NoSlot, Generation: t.Generation}, ipc.Ready{}
		})},
		{Name: "ready again and again", Datagrams: storm(func(Target) ipc.Message { return ipc.Ready{} })},
		{Name: "request before ready", BeforeReady: true, Datagrams: one(func(t Target) (ipc.Header, ipc.Message) {
			return t.header(), ipc.Acquire{}
		})},
		{Name: "header version", Datagrams: raw(func(_ Target, b []byte) []byte { b[0]++; return b })},
		{Name: "header reserved", Datagrams: raw(func(_ Target, b []byte) []byte { b[10] = 1; return b })},
		{Name: "header length too long", Datagrams: raw(func(_ Target, b []byte) []byte { b[2] = 1; return b })},
		{Name: "header cut short", Datagrams: raw(func(_ Target, b []byte) []byte { return b[:7] })},
		{Name: "half a message behind a whole one", Datagrams: raw(func(_ Target, b []byte) []byte { return append(b, b[:9]...) })},
		{Name: "a message in two datagrams", Datagrams: func(t Target) [][]byte {
			b := ipc.Append(nil, t.header(), ipc.Advertise{Message: t.Advertisement()})
			return [][]byte{b[:20], b[20:]}
		}},
		{Name: "unknown type", Datagrams: raw(func(_ Target, b []byte) []byte { b[1] = 200; return b })},
		{Name: "type zero", Datagrams: raw(func(_ Target, b []byte) []byte { b[1] = 0; return b })},
		{Name: "datagram beyond the limit", Datagrams: func(Target) [][]byte { return [][]byte{make([]byte, ipc.MaxDatagram+1)} }},
		{Name: "random bytes", Datagrams: func(t Target) [][]byte {
			b := make([]byte, 4000)
			t.Random.Read(b)
			return [][]byte{b}
		}},
		{Name: "storm of announcements", Harmless: true, Wire: true, Datagrams: storm(func(t Target) ipc.Message { return ipc.Announce{Count: uint8(len(t.Router.Addresses))} })},
		{Name: "storm of advertisements", Harmless: true, Wire: true, Datagrams: storm(func(t Target) ipc.Message { return ipc.Advertise{Message: t.Advertisement()} })},
		{Name: "storm of acquisitions and releases", Harmless: true, Wire: true, Datagrams: func(t Target) [][]byte {
			acquire := storm(func(Target) ipc.Message { return ipc.Acquire{} })(t)
			release := storm(func(Target) ipc.Message { return ipc.Release{} })(t)
			var out [][]byte
			for i := range acquire {
				out = append(out, acquire[i], release[i])
			}
			return out
		}},
		{Name: "storm of looks", Harmless: true, Wire: true, Datagrams: storm(func(Target) ipc.Message { return ipc.Look{} })},
		{Name: "storm of looks for a stranger", Harmless: true, Wire: true, Datagrams: storm(func(Target) ipc.Message { return ipc.Look{Peer: stranger} })},
		{Name: "storm of findings", Harmless: true, Datagrams: storm(func(Target) ipc.Message { return report.Looked{Hint: report.HintInterface} })},
		{Name: "storm of drops", Harmless: true, Datagrams: storm(func(t Target) ipc.Message {
			return report.Dropped{Link: t.Router.Link, Reason: report.DropTTL, Source: stranger, Count: 1, Total: 1, Hint: "x"}
		})},
		{Name: "storm of notices", Harmless: true, Datagrams: storm(func(t Target) ipc.Message {
			return report.Noticed{Link: t.Router.Link, Notice: report.NoticeOwner, Source: stranger, Count: 1, Total: 1, Hint: "x"}
		})},
		{Name: "storm of marks", Harmless: true, Wire: true, Datagrams: storm(func(t Target) ipc.Message {
			if t.Router.Auth != ipc.AuthHMAC { // which has nothing to remember: a violation
				return ipc.Drain{}
			}
			return ipc.Mark{Source: netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, t.Random.Uint32()))), Sequence: t.Random.Uint64()}
		})},
		{Name: "marks for the disk without end", Harmless: true, Endless: true, Mute: true, Lasting: true, Datagrams: lastingMarks},
		{Name: "silence: nothing is read and nothing said", Harmless: true, Datagrams: func(Target) [][]byte { return nil }},
		{Name: "storm of pings", Harmless: true, Datagrams: storm(func(Target) ipc.Message { return ipc.Ping{} })},
		{Name: "storm of state changes", Harmless: true, Datagrams: storm(func(Target) ipc.Message {
			return report.StateChange{From: report.Backup, To: report.Active, Reason: report.ReasonActiveDown}
		})},
		{Name: "advertisements without end", Harmless: true, Endless: true, Datagrams: full(func(t Target) ipc.Message { return ipc.Advertise{Message: t.Advertisement()} })},
		{Name: "pings without end", Harmless: true, Endless: true, Mute: true, Datagrams: full(func(Target) ipc.Message { return ipc.Ping{} })},
		{Name: "drains without end", Harmless: true, Endless: true, Datagrams: full(func(Target) ipc.Message { return ipc.Drain{} })},
	}
	for range 4 {
		all = append(all, Attack{Name: "random requests", Harmless: true, Wire: true, Datagrams: func(t Target) [][]byte { return requests(t, 0) }},
			Attack{Name: "random requests with flipped bits", Either: true, Datagrams: func(t Target) [][]byte { return requests(t, 200) }})
	}
	return append(all, sizes()...)
}

// stranger is an address in no network of the lab.
var stranger = netip.MustParseAddr("203.0.113.1")

// storm sends a message ten thousand times, ten in a datagram, and reads no answer.
func storm(message func(Target) ipc.Message) func(Target) [][]byte {
	return func(t Target) [][]byte {
		var b []byte
		for range 10 {
			b = t.append(b, message(t))
		}
		out := make([][]byte, 1000)
		for i := range out {
			out[i] = b
		}
		return out
	}
}

// full fills one datagram with a message, for a storm that never ends.
func full(message func(Target) ipc.Message) func(Target) [][]byte {
	return func(t Target) [][]byte {
		one := t.append(nil, message(t))
		return [][]byte{bytes.Repeat(one, ipc.MaxDatagram/len(one))}
	}
}

// sizes sends every type with one byte too few and one too many, and every
// type of the parent's.
func sizes() []Attack {
	var all []Attack
	for t := ipc.Type(1); ; t++ {
		rule, known := ipc.RuleOf(t)
		if !known {
			return all
		}
		sized := func(n int) func(Target) [][]byte {
			return func(target Target) [][]byte {
				h := target.header()
				if !rule.Slot {
					h.Slot = ipc.NoSlot
				}
				b := ipc.Append(nil, h, ipc.Advertise{Message: make([]byte, n)})
				b[1] = byte(t)
				return [][]byte{b}
			}
		}
		if rule.From&ipc.FromChild == 0 {
			all = append(all, Attack{Name: rule.Name + ", the parent's own", Datagrams: sized(rule.Min)})
			continue
		}
		if rule.Min > 0 {
			all = append(all, Attack{Name: rule.Name + " too short", Datagrams: sized(rule.Min - 1)})
		}
		all = append(all, Attack{Name: rule.Name + " too long", Datagrams: sized(rule.Max + 1)})
	}
}
