package sniffing

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rvrrpd/rvrrpd/ipc"
)

var sameAddr = cmpopts.EquateComparable(netip.Addr{}, ipc.Ready{})

// samples has a message of every type, and the edges of the variable ones.
func samples() []ipc.Message {
	own := make([]netip.Addr, ipc.MaxOwn)
	for i := range own {
		own[i] = netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
	}
	return []ipc.Message{
		Sniff{JSON: true, Detail: 5, VRID: 255, Live: true, Own: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1")}, MACs: [][6]byte{{1, 2, 3, 4, 5, 6}, {}}},
		Sniff{Judge: true},
		Sniff{Own: own, MACs: make([][6]byte, ipc.MaxOwn)},
		Capture{Time: 1 << 60, LinkType: 1, Length: 60, Arrival: ArrivalSent, Links: Links{1, NoLink}, Interface: "fifteen.letters", Frame: bytes.Repeat([]byte{1}, ipc.MaxCapture)},
		Capture{Time: -1, Length: 1<<32 - 1, LinkType: 1<<16 - 1, Links: Links{NoLink, 7}, Frame: []byte{}},
		Shown{Text: []byte("a line\n")},
		Shown{Text: bytes.Repeat([]byte{'x'}, ipc.MaxShown)},
		Shown{Text: []byte{}},
		ipc.Ready{},
	}
}

func payload(m ipc.Message) []byte { return ipc.Append(nil, ipc.Header{}, m)[ipc.HeaderLen:] }

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, m := range samples() {
		p := payload(m)
		if rule, _ := ipc.RuleOf(m.Type()); len(p) < rule.Min || len(p) > rule.Max {
			t.Errorf("%#v: payload of %d bytes is outside its row %d..%d", m, len(p), rule.Min, rule.Max)
		}
		got, err := Decode(m.Type(), p)
		if err != nil {
			t.Fatalf("%#v: %v", m, err)
		}
		if diff := cmp.Diff(m, got, sameAddr); diff != "" {
			t.Errorf("%v (-want +got):\n%s", m.Type(), diff)
		}
	}
}

// TestExactLength: a byte less or more of what has a fixed or counted length is refused.
func TestExactLength(t *testing.T) {
	t.Parallel()
	for _, m := range samples() {
		p := payload(m)
		if c, is := m.(Capture); is {
			p = p[:len(p)-len(c.Frame)]
		} else if _, is := m.(Shown); is {
			continue
		}
		for n := range len(p) {
			if got, err := Decode(m.Type(), p[:n]); !errors.Is(err, ipc.ErrMalformed) || got != nil {
				t.Errorf("%v: %d of %d bytes: %v, %v", m.Type(), n, len(p), got, err)
			}
		}
		if _, is := m.(Capture); is {
			continue // the frame may have any
		}
		if got, err := Decode(m.Type(), append(bytes.Clone(p), 0)); !errors.Is(err, ipc.ErrMalformed) || got != nil {
			t.Errorf("%v: a byte more: %v, %v", m.Type(), got, err)
		}
	}
	if got, err := Decode(200, nil); !errors.Is(err, ipc.ErrMalformed) || got != nil {
		t.Errorf("unknown: %v, %v", got, err)
	}
}

// TestEveryValueOfAByte tries all values of the bytes whose range is bounded.
func TestEveryValueOfAByte(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		m      ipc.Message
		offset int
		valid  func(v byte) bool
	}{
		{"sniff: JSON", Sniff{}, 0, func(v byte) bool { return v < 2 }},
		{"sniff: live", Sniff{}, 2, func(v byte) bool { return v < 2 }},
		{"sniff: addresses", Sniff{}, 5, func(v byte) bool { return v == 0 }},
		{"sniff: hardware addresses", Sniff{}, 6, func(v byte) bool { return v == 0 }},
		{"capture: arrival", Capture{}, 14, func(v byte) bool { return v < byte(numArrivals) }},
		{"capture: interface", Capture{Interface: "eth0"}, 19, func(v byte) bool { return v >= ' ' && v <= '~' }},
	} {
		p := payload(tt.m)
		for v := range 256 {
			p[tt.offset] = byte(v)
			if got, err := Decode(tt.m.Type(), p); (err == nil) != tt.valid(byte(v)) {
				t.Errorf("%s: byte %d: %v, %v, want accepted: %v", tt.name, v, got, err, tt.valid(byte(v)))
			}
		}
	}
}

// FuzzDecode: whatever the bytes are, what is accepted is encoded as it was.
func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		f.Add(uint8(m.Type()), payload(m))
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		m, err := Decode(ipc.Type(kind), b)
		if err != nil {
			if m != nil || !errors.Is(err, ipc.ErrMalformed) {
				t.Fatalf("%v with %v", m, err)
			}
			return
		}
		if again := payload(m); !bytes.Equal(again, b) {
			t.Errorf("%v: %x is encoded as %x", m.Type(), b, again)
		}
	})
}
