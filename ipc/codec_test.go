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
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1")
	many := make([]netip.Addr, MaxAddresses)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{10, 0, 1, byte(i)})
	}
	return []Message{
		Hello{Build: "0123abcd true", Landlock: 6},
		Hello{Build: strings.Repeat("~", BuildLen)},
		Hello{},
		Router{Link: 3, Family: IPv4, Version: 2, VRID: 10, Priority: 100, AdverInterval: 1e9, PreemptMode: true,
			AnnounceRepeat: 5, AnnounceDelay: 5e9, Addresses: []netip.Addr{v4}},
		Router{Family: IPv6, Version: 3, VRID: 255, Priority: 255, AdverInterval: 1, Migration: true,
			Ownership: OwnsSome, PreemptDelay: 2, StartupDelay: 1<<63 - 1, Addresses: []netip.Addr{v6, netip.IPv6Unspecified()}},
		Router{Family: IPv4, Version: 3, VRID: 1, Priority: 1, AdverInterval: 1<<63 - 1, Addresses: many},
		LinkState{Link: 65535, Up: true, Primary: v4},
		LinkState{Link: 1},
		LinkState{Up: true, Primary: v4, Networks: [MaxNetworks]netip.Prefix{netip.PrefixFrom(v4, 0), netip.PrefixFrom(v4, 32), MaxNetworks - 1: netip.PrefixFrom(v4, 24)}},
		Restore{},
		Owner{Ownership: OwnsAll},
		Secret{Value: []byte{}},
		Secret{ID: 255, Value: bytes.Repeat([]byte{0xff}, MaxSecret)},
		Mark{Sequence: 1},
		Mark{Source: v6, Key: 1<<32 - 1, Sequence: 1<<64 - 1},
		Commit{Routers: 1000},
		Frame{Link: 2, Family: IPv4, Received: 1 << 60, Packet: bytes.Repeat([]byte{0x45}, MaxFrame)},
		Frame{Link: 2, Family: IPv6, Received: -1, Packet: []byte{}},
		Result{Request: TypeAcquire, Code: CodeKernel},
		Result{Request: TypeAnnounce, Code: CodeFull, Sent: 254},
		Stop{},
		Ping{},
		Ready{},
		Advertise{Message: bytes.Repeat([]byte{0x21}, MaxAdvertisement)},
		Advertise{Message: make([]byte, 8)},
		Acquire{},
		Release{},
		Announce{First: 3, Count: 1},
		Announce{Count: MaxAddresses},
		Moved{Rounds: 5},
		Drain{},
		StateChange{From: Backup, To: Active, Reason: ReasonActiveDown},
		StateChange{From: Active, To: Backup, Reason: ReasonHigherAddress, Peer: v6, Priority: 254, Hint: strings.Repeat("~", MaxHint)},
		Dropped{Link: 1, Reason: DropTTL, VRID: 10, Source: v4, Count: 1<<32 - 1, Total: 1<<64 - 1},
		Dropped{Reason: DropInactive, Hint: "a \"hint\""},
		Noticed{Link: 1, Notice: NoticeOwner, VRID: 10, Source: v6, Count: 1, Total: 1 << 40},
		Noticed{Notice: NoticeChecksum, Source: v4, Plain: 1, Pseudo: 1<<64 - 1, Hint: " "},
		Missed{Until: 1 << 60},
		Look{},
		Look{Peer: v6},
		Tapped{Link: 1, Packet: bytes.Repeat([]byte{0x45}, MaxTapped)},
		Tapped{Link: 2, Packet: []byte{}},
		Looked{Hint: strings.Repeat("~", MaxHint)},
		Looked{Peer: v4, Answers: true, Arrive: 1<<32 - 1, Takeovers: 7},
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
	family := []Family{IPv4, IPv6}[r.IntN(2)]
	switch t {
	case TypeHello:
		b := data(0, BuildLen)
		return Hello{Build: printable(b), Landlock: uint8(r.Uint32())}
	case TypeRouter:
		m := Router{Link: Link(r.Uint32()), Family: family, Version: uint8(2 + r.IntN(2)), VRID: uint8(1 + r.IntN(255)),
			Priority: uint8(1 + r.IntN(255)), AdverInterval: 1 + r.Int64N(1<<62), PreemptMode: r.IntN(2) == 1, Checksum: Checksum(r.IntN(3)),
			AnnounceRepeat: uint8(r.Uint32()), AnnounceDelay: r.Int64(), AnnounceRefresh: r.Int64(), AnnounceInterval: r.Int64(), Migration: r.IntN(2) == 1, Ownership: Ownership(r.IntN(3)),
			PreemptDelay: r.Int64(), StartupDelay: r.Int64(), Auth: []Auth{AuthNone, AuthSimple, AuthHMAC, AuthP0, AuthP1}[r.IntN(5)],
			HMAC: HMAC{ActiveKey: uint8(r.Uint32()), Mode: uint8(r.IntN(3)), Monotonic: r.IntN(2) == 1, Window: uint16(r.Uint32())}}
		for range 1 + r.IntN(MaxAddresses) {
			m.Addresses = append(m.Addresses, addr(family))
		}
		return m
	case TypeLinkState:
		return LinkState{Link: Link(r.Uint32()), Up: r.IntN(2) == 1, Primary: maybe()}
	case TypeSecret:
		return Secret{ID: uint8(r.Uint32()), Value: data(0, MaxSecret)}
	case TypeMark:
		return Mark{Source: maybe(), Sequence: r.Uint64()}
	case TypeOwner:
		return Owner{Ownership: Ownership(r.IntN(3))}
	case TypeCommit:
		return Commit{Routers: uint16(r.Uint32())}
	case TypeFrame:
		return Frame{Link: Link(r.Uint32()), Family: family, Received: int64(r.Uint64()), Packet: data(0, MaxFrame)}
	case TypeResult:
		return Result{Request: Type(1 + r.IntN(int(numTypes)-1)), Code: Code(1 + r.IntN(int(CodeKernel))), Sent: uint8(r.Uint32())}
	case TypeAdvertise:
		return Advertise{Message: data(8, MaxAdvertisement)}
	case TypeAnnounce:
		return Announce{First: uint8(r.Uint32()), Count: uint8(1 + r.IntN(MaxAddresses))}
	case TypeMoved:
		return Moved{Rounds: uint8(1 + r.IntN(255))}
	case TypeStateChange:
		return StateChange{From: State(r.IntN(3)), To: State(r.IntN(3)), Reason: Reason(1 + r.IntN(int(ReasonLeaseLost))),
			Peer: maybe(), Priority: uint8(r.Uint32()), Verdict: Verdict(r.IntN(6)), Count: r.Uint32(), Drop: Drop(r.IntN(int(NumDrops))),
			Hint: printable(data(0, MaxHint))}
	case TypeDropped:
		return Dropped{Link: Link(r.Uint32()), Reason: Drop(1 + r.IntN(int(NumDrops)-1)), VRID: uint8(r.Uint32()),
			Source: maybe(), Count: r.Uint32(), Total: r.Uint64(), Hint: printable(data(0, MaxHint))}
	case TypeNoticed:
		return Noticed{Link: Link(r.Uint32()), Notice: Notice(1 + r.IntN(int(NumNotices)-1)), VRID: uint8(r.Uint32()),
			Source: maybe(), Count: r.Uint32(), Total: r.Uint64(), Plain: r.Uint64(), Pseudo: r.Uint64(), Hint: printable(data(0, MaxHint))}
	case TypeMissed:
		return Missed{Until: int64(r.Uint64())}
	case TypeLook:
		return Look{Peer: maybe()}
	case TypeTapped:
		return Tapped{Link: Link(r.Uint32()), Packet: data(0, MaxTapped)}
	case TypeLooked:
		return Looked{Peer: maybe(), Answers: r.IntN(2) == 1, Arrive: r.Uint32(), Takeovers: r.Uint32(), Hint: printable(data(0, MaxHint))}
	}
	for _, m := range samples() {
		if m.Type() == t {
			return m // has no payload
		}
	}
	return nil
}

func payload(m Message) []byte { return Append(nil, Header{}, m)[HeaderLen:] }

// own lists the messages of this package; the others are ipc/sniffing's.
func own() (all []Type) {
	for t := Type(1); t < numTypes; t++ {
		if t != TypeSniff && t != TypeCapture && t != TypeShown {
			all = append(all, t)
		}
	}
	return all
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
		if rule, _ := RuleOf(m.Type()); m.Type() == TypeStateChange || m.Type() == TypeDropped || m.Type() == TypeNoticed || m.Type() == TypeLooked {
			p = p[:rule.Min] // a hint may have any length
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
	for n := range frameLen {
		if _, err := DecodeFrame(make([]byte, n)); !errors.Is(err, ErrMalformed) {
			t.Errorf("frame of %d bytes: %v", n, err)
		}
	}
	for _, ty := range []Type{0, numTypes, 255} {
		if got, err := Decode(ty, nil); !errors.Is(err, ErrMalformed) || got != nil {
			t.Errorf("%v: %v, %v", ty, got, err)
		}
	}
}

// TestEveryValueOfAByte tries all values of the bytes whose range is bounded.
func TestEveryValueOfAByte(t *testing.T) {
	t.Parallel()
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	router := Router{Family: IPv4, Version: 2, VRID: 1, Priority: 1, AdverInterval: 1, Addresses: []netip.Addr{v4, v4}}
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
		{"router: family", router, 2, only(4)},
		{"router: version", router, 3, only(2, 3)},
		{"router: VRID", router, 4, span(1, 255)},
		{"router: migration", router, 5, only(0, 1)},
		{"router: priority", router, 6, span(1, 255)},
		{"router: ownership", router, 7, span(0, 2)},
		{"router: interval, low", router, 8, span(1, 255)},
		{"router: interval, high", router, 15, span(0, 127)},
		{"router: preempt mode", router, 16, only(0, 1)},
		{"router: preempt delay, high", router, 24, span(0, 127)},
		{"router: startup delay, high", router, 32, span(0, 127)},
		{"router: authentication", router, 33, only(0, 1, 128, 250, 251)},
		{"router: HMAC key", router, 34, span(0, 255)},
		{"router: HMAC mode", router, 35, span(0, 2)},
		{"router: HMAC monotonic", router, 36, only(0, 1)},
		{"router: checksum", router, 39, span(0, 2)},
		{"router: announce delay, high", router, 48, span(0, 127)},
		{"router: announce refresh, high", router, 56, span(0, 127)},
		{"router: announce interval, high", router, 64, span(0, 127)},
		{"router: address count", router, 65, only(2)},
		{"router: address length", router, 66, only(4)},
		{"router: address padding", router, 66 + 5, only(0)},
		{"router: second address length", router, 83, only(4)},
		{"owner: ownership", Owner{}, 0, span(0, 2)},
		{"link-state: up", LinkState{Up: true, Primary: v4}, 2, only(0, 1)},
		{"link-state: address length", LinkState{Primary: v4}, 3, only(4, 16)},
		{"link-state: no address", LinkState{}, 3, only(0, 4, 16)},
		{"link-state: address padding", LinkState{Primary: v4}, 19, only(0)},
		{"link-state: IPv6 address", LinkState{Primary: v6}, 3, only(16)},
		{"link-state: padding without address", LinkState{}, 4, only(0)},
		{"link-state: network, length of the address", LinkState{Networks: [MaxNetworks]netip.Prefix{netip.PrefixFrom(v4, 24)}}, 20, only(4)},
		{"link-state: network, bits", LinkState{Networks: [MaxNetworks]netip.Prefix{netip.PrefixFrom(v4, 24)}}, 37, span(0, 32)},
		{"link-state: no network, bits", LinkState{}, 20 + 31*18 + 17, only(255)},
		{"frame: family", Frame{Family: IPv6}, 2, only(4, 6)},
		{"result: request", Result{TypeDrain, CodeDone, 0}, 0, span(1, 29)},
		{"result: code", Result{TypeDrain, CodeDone, 0}, 1, span(1, 7)},
		{"state-change: from", StateChange{Reason: 1}, 0, span(0, 2)},
		{"state-change: to", StateChange{Reason: 1}, 1, span(0, 2)},
		{"state-change: reason", StateChange{Reason: 1}, 2, span(1, 11)},
		{"state-change: peer length", StateChange{Reason: 1, Peer: v4}, 3, only(4, 16)},
		{"state-change: priority", StateChange{Reason: 1}, 20, span(0, 255)},
		{"state-change: verdict", StateChange{Reason: 1}, 21, span(0, 5)},
		{"state-change: drop", StateChange{Reason: 1}, 26, span(0, 28)},
		{"dropped: reason", Dropped{Reason: 1}, 2, span(1, 28)},
		{"noticed: notice", Noticed{Notice: 1}, 2, span(1, 8)},
		{"state-change: hint", StateChange{Reason: 1, Hint: "x"}, 27, span(' ', '~')},
		{"dropped: hint", Dropped{Reason: 1, Hint: "x"}, 33, span(' ', '~')},
		{"noticed: hint", Noticed{Notice: 1, Hint: "x"}, 49, span(' ', '~')},
		{"look: peer length", Look{Peer: v4}, 0, only(4, 16)},
		{"looked: answers", Looked{Peer: v4}, 17, only(0, 1)},
		{"looked: hint", Looked{Hint: "x"}, 26, span(' ', '~')},
		{"dropped: source length", Dropped{Reason: 1, Source: v4}, 4, only(4, 16)},
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

func TestAddressRefused(t *testing.T) {
	t.Parallel()
	p := payload(LinkState{Primary: netip.MustParseAddr("::1")})
	copy(p[4:], netip.MustParseAddr("::ffff:192.0.2.1").AsSlice())
	if m, err := Decode(TypeLinkState, p); !errors.Is(err, ErrMalformed) {
		t.Errorf("IPv4 address in IPv6 form: %v, %v", m, err)
	}
	r := Router{Family: IPv6, Version: 3, VRID: 1, Priority: 1, AdverInterval: 1}
	for _, a := range []netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.1")} {
		r.Addresses = []netip.Addr{a}
		if m, err := Decode(TypeRouter, payload(r)); !errors.Is(err, ErrMalformed) {
			t.Errorf("address %v of an IPv6 router: %v, %v", a, m, err)
		}
	}
	r.Addresses = nil
	if m, err := Decode(TypeRouter, payload(r)); !errors.Is(err, ErrMalformed) {
		t.Errorf("router without an address: %v, %v", m, err)
	}
}

// TestAlias shows what the documentation of Decode says: no copy is made.
func TestAlias(t *testing.T) {
	t.Parallel()
	p := payload(Frame{Family: IPv4, Packet: []byte{1, 2, 3}})
	f, err := DecodeFrame(p)
	if err != nil || &f.Packet[0] != &p[frameLen] {
		t.Errorf("frame: the packet is a copy, or %v", err)
	}
	if p = payload(Advertise{[]byte{1, 2, 3}}); &DecodeAdvertise(p).Message[0] != &p[0] {
		t.Error("advertise: the message is a copy")
	}
}
