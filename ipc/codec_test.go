package ipc

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var sameAddr = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, Restore{}, Stop{}, Ping{}, Ready{}, Acquire{}, Release{}, Drain{})

// samples has a message of every type, and the edges of the variable ones.
func samples() []Message {
	v6 := netip.MustParseAddr("fe80::1")
	return []Message{
		Hello{Build: "0123abcd true", Landlock: 6},
		Hello{Build: strings.Repeat("~", BuildLen)},
		Hello{},
		Restore{},
		Mark{Sequence: 1},
		Mark{Source: v6, Key: 1<<32 - 1, Sequence: 1<<64 - 1},
		Stop{},
		Ping{},
		Ready{},
		Advertise{Message: bytes.Repeat([]byte{0x21}, MaxAdvertisement)},
		Advertise{Message: make([]byte, 8)},
		Acquire{},
		Release{},
		Announce{First: 3, Count: 1},
		Announce{Count: MaxAddresses},
		Drain{},
		Look{},
		Look{Peer: v6},
	}
}

// printable makes text of bytes.
func printable(b []byte) string {
	for i := range b {
		b[i] = ' ' + b[i]%95
	}
	return string(b)
}

// random returns a valid message of a type.
func random(r *rand.Rand, t Type) Message {
	data := func(lo, hi int) []byte {
		b := make([]byte, lo+r.IntN(hi-lo+1))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	addr := func(f Family) netip.Addr {
		if f == IPv4 {
			return netip.AddrFrom4([4]byte(data(4, 4)))
		}
		b := [16]byte(data(16, 16))
		b[0] = 0xfe // never an IPv4 address in IPv6 form
		return netip.AddrFrom16(b)
	}
	maybe := func() netip.Addr {
		return []netip.Addr{{}, addr(IPv4), addr(IPv6)}[r.IntN(3)]
	}
	switch t {
	case TypeHello:
		b := data(0, BuildLen)
		return Hello{Build: printable(b), Landlock: uint8(r.Uint32())}
	case TypeMark:
		return Mark{Source: maybe(), Sequence: r.Uint64()}
	case TypeAdvertise:
		return Advertise{Message: data(8, MaxAdvertisement)}
	case TypeAnnounce:
		return Announce{First: uint8(r.Uint32()), Count: uint8(1 + r.IntN(MaxAddresses))}
	case TypeLook:
		return Look{Peer: maybe()}
	}
	for _, m := range samples() {
		if m.Type() == t {
			return m // has no payload
		}
	}
	return nil
}

func payload(m Message) []byte { return Append(nil, Header{}, m)[HeaderLen:] }

// own lists the messages of this package; the others are read by those below it.
func own() []Type {
	return []Type{TypeHello, TypeRestore, TypeMark, TypeStop, TypeReady, TypeAdvertise, TypeAcquire, TypeRelease, TypeAnnounce, TypeDrain, TypePing, TypeLook}
}

func TestSamplesAreComplete(t *testing.T) {
	t.Parallel()
	seen := make(map[Type]bool)
	for _, m := range samples() {
		seen[m.Type()] = true
	}
	for _, ty := range own() {
		if !seen[ty] {
			t.Errorf("%v: no sample", ty)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	all := samples()
	for range 200 {
		for _, ty := range own() {
			all = append(all, random(r, ty))
		}
	}
	for _, m := range all {
		want := Header{Type: m.Type(), Generation: r.Uint32(), Slot: Slot(r.Uint32()), Sequence: r.Uint32()}
		given := want
		given.Type = 0 // taken from the message
		b := Append([]byte("before"), given, m)
		h, p, rest, err := Next(b[len("before"):])
		if err != nil || len(rest) != 0 || h != want {
			t.Fatalf("%#v: Next gives %+v (want %+v), %d bytes left, %v", m, h, want, len(rest), err)
		}
		rule, _ := RuleOf(h.Type)
		if len(p) < rule.Min || len(p) > rule.Max {
			t.Errorf("%#v: payload of %d bytes is outside its row %d..%d", m, len(p), rule.Min, rule.Max)
		}
		got, err := Decode(h.Type, p)
		if err != nil {
			t.Fatalf("%#v: %v", m, err)
		}
		if diff := cmp.Diff(m, got, sameAddr); diff != "" {
			t.Fatalf("%v (-want +got):\n%s", m.Type(), diff)
		}
		pointer := reflect.New(reflect.TypeOf(m))
		pointer.Elem().Set(reflect.ValueOf(m))
		if !bytes.Equal(Append(nil, want, pointer.Interface().(Message)), b[len("before"):]) {
			t.Errorf("%v: a pointer to it is encoded differently", m.Type())
		}
	}
}

// TestHeaderBytes holds the drawing above Append against the bytes.
func TestHeaderBytes(t *testing.T) {
	t.Parallel()
	got := Append(nil, Header{Generation: 0x04030201, Slot: 0x0605, Sequence: 0x0a090807}, Result{TypeDrain, CodeDone, 0})
	want := []byte{1, 10, 3, 0, 1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10, 17, 1, 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNextRefuses(t *testing.T) {
	t.Parallel()
	whole := Append(nil, Header{Slot: 1, Sequence: 9}, Owner{OwnsAll})
	set := func(i int, v byte) []byte {
		b := bytes.Clone(whole)
		b[i] = v
		return b
	}
	for name, b := range map[string][]byte{
		"nothing":             {},
		"part of a header":    whole[:HeaderLen-1],
		"payload cut":         whole[:len(whole)-1],
		"length too large":    set(2, 2),
		"length much larger":  set(3, 0xff),
		"version 0":           set(0, 0),
		"version after ours":  set(0, Version+1),
		"reserved, low byte":  set(10, 1),
		"reserved, high byte": set(11, 0x80),
	} {
		if _, p, rest, err := Next(b); !errors.Is(err, ErrMalformed) || p != nil || rest != nil {
			t.Errorf("%s: %x, %x, %v", name, p, rest, err)
		}
	}
	// A length too small leaves bytes, which are no message.
	if _, _, rest, err := Next(set(2, 0)); err != nil || len(rest) != 1 {
		t.Fatalf("shorter length: %d bytes left, %v", len(rest), err)
	} else if _, _, _, err = Next(rest); !errors.Is(err, ErrMalformed) {
		t.Errorf("bytes behind the last message: %v", err)
	}
}

// TestExactLength: a byte less or more is refused, by the decoder where the
// length is fixed or counted, by the table where it is not.
func TestExactLength(t *testing.T) {
	t.Parallel()
	for _, m := range samples() {
		p := payload(m)
		if m.Type() == TypeAdvertise || m.Type() == TypeFrame || m.Type() == TypeSecret || m.Type() == TypeTapped {
			continue
		}
		for n := range len(p) {
			if got, err := Decode(m.Type(), p[:n]); !errors.Is(err, ErrMalformed) || got != nil {
				t.Errorf("%v: %d of %d bytes: %v, %v", m.Type(), n, len(p), got, err)
			}
		}
		if got, err := Decode(m.Type(), append(bytes.Clone(p), 0)); !errors.Is(err, ErrMalformed) || got != nil {
			t.Errorf("%v: a byte more: %v, %v", m.Type(), got, err)
		}
	}
	for _, ty := range []Type{0, NumTypes, 255} {
		if got, err := Decode(ty, nil); !errors.Is(err, ErrMalformed) || got != nil {
			t.Errorf("%v: %v, %v", ty, got, err)
		}
	}
}

// TestEveryValueOfAByte tries all values of the bytes whose range is bounded.
func TestEveryValueOfAByte(t *testing.T) {
	t.Parallel()
	v4 := netip.MustParseAddr("192.0.2.1")
	only := func(values ...byte) func(byte) bool {
		return func(v byte) bool { return bytes.IndexByte(values, v) >= 0 }
	}
	span := func(lo, hi byte) func(byte) bool { return func(v byte) bool { return lo <= v && v <= hi } }
	for _, tt := range []struct {
		name   string
		m      Message
		offset int
		valid  func(byte) bool
	}{
		{"hello: build", Hello{Build: "abc"}, 1, span(' ', '~')},
		{"hello: build, end", Hello{Build: "abc"}, 2, func(v byte) bool { return v == 0 || v >= ' ' && v <= '~' }},
		{"hello: padding", Hello{Build: "abc"}, 9, only(0)},
		{"hello: landlock", Hello{Build: "abc"}, BuildLen, span(0, 255)},
		{"look: peer length", Look{Peer: v4}, 0, only(4, 16)},
	} {
		p := payload(tt.m)
		for v := range 256 {
			p[tt.offset] = byte(v)
			got, err := Decode(tt.m.Type(), p)
			if want := tt.valid(byte(v)); (err == nil) != want || (got == nil) == want {
				t.Errorf("%s: byte %d: %v, %v, want accepted: %v", tt.name, v, got, err, want)
			}
		}
	}
}

// TestAlias shows what the documentation of Decode says: no copy is made.
func TestAlias(t *testing.T) {
	t.Parallel()
	if p := payload(Advertise{[]byte{1, 2, 3}}); &DecodeAdvertise(p).Message[0] != &p[0] {
		t.Error("advertise: the message is a copy")
	}
}
