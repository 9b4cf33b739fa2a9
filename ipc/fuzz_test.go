package ipc

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// FuzzDecode: what is accepted is encoded to the very same bytes; there is one
// way to write a message.
func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		f.Add(uint8(m.Type()), payload(m))
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, ty := range own() {
		f.Add(uint8(ty), payload(random(r, ty)))
	}
	f.Fuzz(func(t *testing.T, ty uint8, p []byte) {
		m, err := Decode(Type(ty), p)
		if err != nil {
			if m != nil || !errors.Is(err, ErrMalformed) {
				t.Fatalf("refused with %v, %v", m, err)
			}
			return
		}
		if m.Type() != Type(ty) {
			t.Fatalf("type %d is decoded as %v", ty, m.Type())
		}
		if len(p) <= 0xffff {
			if again := payload(m); !bytes.Equal(again, p) {
				t.Fatalf("%#v: %x is encoded as %x", m, p, again)
			}
		}
	})
}

// FuzzNext: a datagram is consumed exactly or refused, and its messages
// written again are the datagram.
func FuzzNext(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	var all []byte
	for _, m := range samples() {
		h := Header{Generation: r.Uint32(), Slot: Slot(r.Uint32()), Sequence: r.Uint32()}
		f.Add(Append(nil, h, m))
		if len(payload(m)) < 100 { // long inputs are slow to vary
			all = Append(all, h, m)
		}
	}
	f.Add(all)
	f.Add(all[:len(all)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		for rest := b; len(rest) > 0; {
			h, p, behind, err := Next(rest)
			if err != nil {
				if !errors.Is(err, ErrMalformed) || p != nil || behind != nil {
					t.Fatalf("refused with %x, %x, %v", p, behind, err)
				}
				return
			}
			if len(p)+len(behind)+HeaderLen != len(rest) {
				t.Fatalf("%d bytes became %d and %d", len(rest), len(p), len(behind))
			}
			rest = behind
			m, err := Decode(h.Type, p)
			if err != nil {
				return
			}
			again = Append(again, h, m)
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%x is written again as %x", b, again)
		}
	})
}
