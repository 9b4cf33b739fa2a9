package report

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rvrrpd/rvrrpd/ipc"
)

var sameAddr = cmpopts.EquateComparable(netip.Addr{}, ipc.Ready{})

// samples has a message of every type, and the edges of the variable ones.
func samples() []ipc.Message {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1")
	return []ipc.Message{
		StateChange{From: Backup, To: Active, Reason: ReasonActiveDown},
		StateChange{From: Active, To: Backup, Reason: ReasonHigherAddress, Peer: v6, Priority: 254, Hint: strings.Repeat("~", ipc.MaxHint)},
		Dropped{Link: 1, Reason: DropTTL, VRID: 10, Source: v4, Count: 1<<32 - 1, Total: 1<<64 - 1},
		Dropped{Reason: DropInactive, Hint: "a \"hint\""},
		Noticed{Link: 1, Notice: NoticeOwner, VRID: 10, Source: v6, Count: 1, Total: 1 << 40},
		Noticed{Notice: NoticeChecksum, Source: v4, Plain: 1, Pseudo: 1<<64 - 1, Hint: " "},
		Looked{Hint: strings.Repeat("~", ipc.MaxHint)},
		Looked{Peer: v4, Answers: true, Arrive: 1<<32 - 1, Takeovers: 7},
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

// TestExactLength: what is shorter than a message without its hint is refused; a hint may have
// any length.
func TestExactLength(t *testing.T) {
	t.Parallel()
	for _, m := range samples() {
		p := payload(m)
		rule, _ := ipc.RuleOf(m.Type())
		for n := range rule.Min {
			if got, err := Decode(m.Type(), p[:n]); !errors.Is(err, ipc.ErrMalformed) || got != nil {
				t.Errorf("%v: %d of %d bytes: %v, %v", m.Type(), n, len(p), got, err)
			}
		}
	}
	if got, err := Decode(200, nil); !errors.Is(err, ipc.ErrMalformed) || got != nil {
		t.Errorf("unknown: %v, %v", got, err)
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
		m      ipc.Message
		offset int
		valid  func(byte) bool
	}{
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
		{"looked: answers", Looked{Peer: v4}, 17, only(0, 1)},
		{"looked: hint", Looked{Hint: "x"}, 26, span(' ', '~')},
		{"dropped: source length", Dropped{Reason: 1, Source: v4}, 4, only(4, 16)},
	} {
		p := payload(tt.m)
		for v := range 256 {
			p[tt.offset] = byte(v)
			if got, err := Decode(tt.m.Type(), p); (err == nil) != tt.valid(byte(v)) || (got == nil) == tt.valid(byte(v)) {
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
