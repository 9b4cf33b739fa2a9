package telling

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rvrrpd/rvrrpd/capture/captures"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
)

var sameAddr = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, ipc.Stop{})

// told are the messages of this package.
var told = []ipc.Type{ipc.TypeRouter, ipc.TypeLinkState, ipc.TypeSecret, ipc.TypeOwner, ipc.TypeCommit, ipc.TypeFrame, ipc.TypeResult, ipc.TypeMissed, ipc.TypeTapped, ipc.TypeMoved}

// samples has a message of every type, and the edges of the variable ones.
func samples() []ipc.Message {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1")
	many := make([]netip.Addr, ipc.MaxAddresses)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{10, 0, 1, byte(i)})
	}
	return []ipc.Message{
		ipc.Router{Link: 3, Family: ipc.IPv4, Version: 2, VRID: 10, Priority: 100, AdverInterval: 1e9, PreemptMode: true,
			AnnounceRepeat: 5, AnnounceDelay: 5e9, Addresses: []netip.Addr{v4}},
		ipc.Router{Family: ipc.IPv6, Version: 3, VRID: 255, Priority: 255, AdverInterval: 1, Migration: true,
			Ownership: ipc.OwnsSome, PreemptDelay: 2, StartupDelay: 1<<63 - 1, Addresses: []netip.Addr{v6, netip.IPv6Unspecified()}},
		ipc.Router{Family: ipc.IPv4, Version: 3, VRID: 1, Priority: 1, AdverInterval: 1<<63 - 1, Addresses: many},
		ipc.LinkState{Link: 65535, Up: true, Primary: v4},
		ipc.LinkState{Link: 1},
		ipc.LinkState{Up: true, Primary: v4, Networks: [ipc.MaxNetworks]netip.Prefix{netip.PrefixFrom(v4, 0), netip.PrefixFrom(v4, 32), ipc.MaxNetworks - 1: netip.PrefixFrom(v4, 24)}},
		ipc.Owner{Ownership: ipc.OwnsAll},
		ipc.Secret{Value: []byte{}},
		ipc.Secret{ID: 255, Value: bytes.Repeat([]byte{0xff}, ipc.MaxSecret)},
		ipc.Commit{Routers: 1000},
		ipc.Frame{Link: 2, Family: ipc.IPv4, Received: 1 << 60, Packet: bytes.Repeat([]byte{0x45}, ipc.MaxFrame)},
		ipc.Frame{Link: 2, Family: ipc.IPv6, Received: -1, Packet: []byte{}},
		ipc.Result{Request: ipc.TypeAcquire, Code: ipc.CodeKernel},
		ipc.Result{Request: ipc.TypeAnnounce, Code: ipc.CodeFull, Sent: 254},
		ipc.Moved{Rounds: 5},
		ipc.Missed{Until: 1 << 60},
		ipc.Tapped{Link: 1, Packet: bytes.Repeat([]byte{0x45}, ipc.MaxTapped)},
		ipc.Tapped{Link: 2, Packet: []byte{}},
		ipc.Stop{},
		sniffing.Sniff{},
	}
}

// random returns a valid message of a type.
func random(r *rand.Rand, t ipc.Type) ipc.Message {
	data := func(lo, hi int) []byte {
		b := make([]byte, lo+r.IntN(hi-lo+1))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	addr := func(f ipc.Family) netip.Addr {
		if f == ipc.IPv4 {
			return netip.AddrFrom4([4]byte(data(4, 4)))
		}
		b := [16]byte(data(16, 16))
		b[0] = 0xfe // never an IPv4 address in IPv6 form
		return netip.AddrFrom16(b)
	}
	maybe := func() netip.Addr {
		return []netip.Addr{{}, addr(ipc.IPv4), addr(ipc.IPv6)}[r.IntN(3)]
	}
	family := []ipc.Family{ipc.IPv4, ipc.IPv6}[r.IntN(2)]
	switch t {
	case ipc.TypeRouter:
		m := ipc.Router{Link: ipc.Link(r.Uint32()), Family: family, Version: uint8(2 + r.IntN(2)), VRID: uint8(1 + r.IntN(255)),
			Priority: uint8(1 + r.IntN(255)), AdverInterval: 1 + r.Int64N(1<<62), PreemptMode: r.IntN(2) == 1, Checksum: ipc.Checksum(r.IntN(3)),
			AnnounceRepeat: uint8(r.Uint32()), AnnounceDelay: r.Int64(), AnnounceRefresh: r.Int64(), AnnounceInterval: r.Int64(), Migration: r.IntN(2) == 1, Ownership: ipc.Ownership(r.IntN(3)),
			PreemptDelay: r.Int64(), StartupDelay: r.Int64(), Auth: []ipc.Auth{ipc.AuthNone, ipc.AuthSimple, ipc.AuthHMAC, ipc.AuthP0, ipc.AuthP1}[r.IntN(5)],
			HMAC: ipc.HMAC{ActiveKey: uint8(r.Uint32()), Mode: uint8(r.IntN(3)), Monotonic: r.IntN(2) == 1, Window: uint16(r.Uint32())}}
		for range 1 + r.IntN(ipc.MaxAddresses) {
			m.Addresses = append(m.Addresses, addr(family))
		}
		return m
	case ipc.TypeLinkState:
		return ipc.LinkState{Link: ipc.Link(r.Uint32()), Up: r.IntN(2) == 1, Primary: maybe()}
	case ipc.TypeSecret:
		return ipc.Secret{ID: uint8(r.Uint32()), Value: data(0, ipc.MaxSecret)}
	case ipc.TypeOwner:
		return ipc.Owner{Ownership: ipc.Ownership(r.IntN(3))}
	case ipc.TypeCommit:
		return ipc.Commit{Routers: uint16(r.Uint32())}
	case ipc.TypeFrame:
		return ipc.Frame{Link: ipc.Link(r.Uint32()), Family: family, Received: int64(r.Uint64()), Packet: data(0, ipc.MaxFrame)}
	case ipc.TypeResult:
		return ipc.Result{Request: ipc.Type(1 + r.IntN(int(ipc.NumTypes)-1)), Code: ipc.Code(1 + r.IntN(int(ipc.CodeKernel))), Sent: uint8(r.Uint32())}
	case ipc.TypeMissed:
		return ipc.Missed{Until: int64(r.Uint64())}
	case ipc.TypeTapped:
		return ipc.Tapped{Link: ipc.Link(r.Uint32()), Packet: data(0, ipc.MaxTapped)}
	case ipc.TypeMoved:
		return ipc.Moved{Rounds: uint8(1 + r.IntN(255))}
	}
	return nil
}

func payload(m ipc.Message) []byte { return ipc.Append(nil, ipc.Header{}, m)[ipc.HeaderLen:] }

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	r, all := rand.New(rand.NewPCG(1, 2)), samples()
	for range 200 {
		for _, ty := range told {
			all = append(all, random(r, ty))
		}
	}
	for _, m := range all {
		p := payload(m)
		if rule, _ := ipc.RuleOf(m.Type()); len(p) < rule.Min || len(p) > rule.Max {
			t.Errorf("%#v: payload of %d bytes is outside its row %d..%d", m, len(p), rule.Min, rule.Max)
		}
		got, err := Decode(m.Type(), p)
		if err != nil {
			t.Fatalf("%#v: %v", m, err)
		}
		if diff := cmp.Diff(m, got, sameAddr); diff != "" {
			t.Fatalf("%v (-want +got):\n%s", m.Type(), diff)
		}
	}
}

// TestExactLength: a byte less or more is refused, by the decoder where the
// length is fixed or counted, by the table where it is not.
func TestExactLength(t *testing.T) {
	t.Parallel()
	for _, m := range samples() {
		p := payload(m)
		if m.Type() == ipc.TypeFrame || m.Type() == ipc.TypeSecret || m.Type() == ipc.TypeTapped {
			continue
		}
		for n := range len(p) {
			if got, err := Decode(m.Type(), p[:n]); !errors.Is(err, ipc.ErrMalformed) || got != nil {
				t.Errorf("%v: %d of %d bytes: %v, %v", m.Type(), n, len(p), got, err)
			}
		}
		if got, err := Decode(m.Type(), append(bytes.Clone(p), 0)); !errors.Is(err, ipc.ErrMalformed) || got != nil {
			t.Errorf("%v: a byte more: %v, %v", m.Type(), got, err)
		}
	}
	rule, _ := ipc.RuleOf(ipc.TypeFrame)
	for n := range rule.Min {
		if _, err := DecodeFrame(make([]byte, n)); !errors.Is(err, ipc.ErrMalformed) {
			t.Errorf("frame of %d bytes: %v", n, err)
		}
	}
	if got, err := Decode(200, nil); !errors.Is(err, ipc.ErrMalformed) || got != nil {
		t.Errorf("unknown: %v, %v", got, err)
	}
}

// TestEveryValueOfAByte tries all values of the bytes whose range is bounded.
func TestEveryValueOfAByte(t *testing.T) {
	t.Parallel()
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	router := ipc.Router{Family: ipc.IPv4, Version: 2, VRID: 1, Priority: 1, AdverInterval: 1, Addresses: []netip.Addr{v4, v4}}
	only := func(values ...byte) func(byte) bool {
		return func(v byte) bool { return bytes.IndexByte(values, v) >= 0 }
	}
	span := func(lo, hi byte) func(byte) bool { return func(v byte) bool { return lo <= v && v <= hi } }
	for _, tt := range []struct {
		name   string
		m      ipc.Message
		offset int
		valid  func(byte) bool
	}{
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
		{"owner: ownership", ipc.Owner{}, 0, span(0, 2)},
		{"link-state: up", ipc.LinkState{Up: true, Primary: v4}, 2, only(0, 1)},
		{"link-state: address length", ipc.LinkState{Primary: v4}, 3, only(4, 16)},
		{"link-state: no address", ipc.LinkState{}, 3, only(0, 4, 16)},
		{"link-state: address padding", ipc.LinkState{Primary: v4}, 19, only(0)},
		{"link-state: IPv6 address", ipc.LinkState{Primary: v6}, 3, only(16)},
		{"link-state: padding without address", ipc.LinkState{}, 4, only(0)},
		{"link-state: network, length of the address", ipc.LinkState{Networks: [ipc.MaxNetworks]netip.Prefix{netip.PrefixFrom(v4, 24)}}, 20, only(4)},
		{"link-state: network, bits", ipc.LinkState{Networks: [ipc.MaxNetworks]netip.Prefix{netip.PrefixFrom(v4, 24)}}, 37, span(0, 32)},
		{"link-state: no network, bits", ipc.LinkState{}, 20 + 31*18 + 17, only(255)},
		{"frame: family", ipc.Frame{Family: ipc.IPv6}, 2, only(4, 6)},
		{"result: request", ipc.Result{Request: ipc.TypeDrain, Code: ipc.CodeDone}, 0, span(1, 29)},
		{"result: code", ipc.Result{Request: ipc.TypeDrain, Code: ipc.CodeDone}, 1, span(1, 7)},
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
	p := payload(ipc.LinkState{Primary: netip.MustParseAddr("::1")})
	copy(p[4:], netip.MustParseAddr("::ffff:192.0.2.1").AsSlice())
	if m, err := Decode(ipc.TypeLinkState, p); !errors.Is(err, ipc.ErrMalformed) {
		t.Errorf("IPv4 address in IPv6 form: %v, %v", m, err)
	}
	r := ipc.Router{Family: ipc.IPv6, Version: 3, VRID: 1, Priority: 1, AdverInterval: 1}
	for _, a := range []netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.1")} {
		r.Addresses = []netip.Addr{a}
		if m, err := Decode(ipc.TypeRouter, payload(r)); !errors.Is(err, ipc.ErrMalformed) {
			t.Errorf("address %v of an IPv6 router: %v, %v", a, m, err)
		}
	}
	r.Addresses = nil
	if m, err := Decode(ipc.TypeRouter, payload(r)); !errors.Is(err, ipc.ErrMalformed) {
		t.Errorf("router without an address: %v, %v", m, err)
	}
}

// TestFrame: the packet of a frame is no copy, and to read one allocates nothing. Not parallel:
// it counts.
func TestFrame(t *testing.T) {
	p := payload(ipc.Frame{Link: 1, Family: ipc.IPv4, Received: 1, Packet: make([]byte, 48)})
	rule, _ := ipc.RuleOf(ipc.TypeFrame)
	f, err := DecodeFrame(p)
	if err != nil || &f.Packet[0] != &p[rule.Min] {
		t.Errorf("the packet is a copy, or %v", err)
	}
	if got := testing.AllocsPerRun(100, func() { _, _ = DecodeFrame(p) }); got > 0 {
		t.Errorf("%v allocations", got)
	}
	if got := testing.AllocsPerRun(100, func() { _, _ = Decode(ipc.TypeFrame, p) }); got > 2 {
		t.Errorf("Decode: %v allocations", got)
	}
}

// captured are messages as the parent makes them of what real routers sent:
// the IP packets of captures.
func captured(t testing.TB) (frames []ipc.Message) {
	t.Helper()
	for _, records := range captures.Read(t, "../../netproc/wire/testdata") {
		for _, r := range records {
			if family, is := map[uint16]ipc.Family{0x0800: ipc.IPv4, 0x86dd: ipc.IPv6}[binary.BigEndian.Uint16(r.Frame[12:])]; is {
				frames = append(frames, ipc.Frame{Link: 1, Family: family, Received: r.Time.UnixNano(), Packet: r.Frame[14:]})
			}
		}
	}
	return frames
}

// FuzzDecode: what is accepted is encoded to the very same bytes; there is one
// way to write a message.
func FuzzDecode(f *testing.F) {
	for _, m := range append(samples(), captured(f)...) {
		f.Add(uint8(m.Type()), payload(m))
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, ty := range told {
		f.Add(uint8(ty), payload(random(r, ty)))
	}
	f.Fuzz(func(t *testing.T, ty uint8, p []byte) {
		m, err := Decode(ipc.Type(ty), p)
		if err != nil {
			if m != nil || !errors.Is(err, ipc.ErrMalformed) {
				t.Fatalf("refused with %v, %v", m, err)
			}
			return
		}
		if m.Type() != ipc.Type(ty) {
			t.Fatalf("type %d is decoded as %v", ty, m.Type())
		}
		if len(p) <= 0xffff {
			if again := payload(m); !bytes.Equal(again, p) {
				t.Fatalf("%#v: %x is encoded as %x", m, p, again)
			}
		}
		if frame, err := DecodeFrame(p); m.Type() == ipc.TypeFrame && (err != nil || cmp.Diff(m, frame) != "") {
			t.Fatalf("DecodeFrame: %v, %v", frame, err)
		}
	})
}
