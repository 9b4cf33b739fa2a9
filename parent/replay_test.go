package parent

import (
	"encoding/json"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestMarkerText: what is written is read, and what releases wrote that knew no
// keys.
func TestMarkerText(t *testing.T) {
	t.Parallel()
	address := netip.MustParseAddr("fe80::1")
	for _, tt := range []struct {
		text  string
		want  marker
		again string
	}{
		{"-", marker{}, "-"},
		{"", marker{}, "-"},
		{"fe80::1", marker{source: address}, "fe80::1"},
		{"fe80::1@4a5d1c37", marker{address, 0x4a5d1c37}, "fe80::1@4a5d1c37"},
		{"-@1", marker{key: 1}, "-@00000001"},
	} {
		var got marker
		if err := got.UnmarshalText([]byte(tt.text)); err != nil || got != tt.want {
			t.Errorf("%q: %v, %v", tt.text, got, err)
		}
		if b, err := got.MarshalText(); err != nil || string(b) != tt.again {
			t.Errorf("%q: written as %q, %v", tt.text, b, err)
		}
	}
	for _, text := range []string{"fe80::1@", "fe80::1@x", "fe80::1@100000000", "fe80::1@1@1", "here", "10.0.0.1/8"} {
		if err := new(marker).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// TestStateByKey: the file tells keys apart, reads what a release wrote that did
// not, and loses what the child says is of a key that is no more.
func TestStateByKey(t *testing.T) {
	t.Parallel()
	dir := written(t, "4 1 -@00000001 1099511627776\n4 1 fe80::1 70\n4 1 fe80::1@00000001 77\n4 1 fe80::1@00000002 5\n")
	d, err := marking(t, dir, hmacConfig())
	if err != nil {
		t.Fatal(err)
	}
	one, two := marker{peer.source, 1}, marker{peer.source, 2}
	sameMarks(t, "read", d.slots[0].marks, marks{{key: 1}: 1<<40 + stateMargin, peer: 70, one: 77, two: 5})
	d.say(t, peer, 0)
	d.say(t, one, 0)
	d.say(t, marker{key: 1}, 0)
	d.say(t, two, 6)
	if !d.stateDirty {
		t.Error("it is not written")
	}
	if got := string(d.snapshot()[filepath.Join(dir, "replay.eth0")]); got != "4 1 fe80::1@00000002 6\n" {
		t.Errorf("written: %q", got)
	}
}

// TestHandedMarks: a handover tells keys apart, and one of a release that did not is
// read.
func TestHandedMarks(t *testing.T) {
	t.Parallel()
	d := remembering(t, "monotonic")
	d.slots[0].index = 1
	d.say(t, marker{peer.source, 9}, 77)
	d.say(t, marker{key: 9}, 78)
	d.say(t, marker{source: ipc.FormSource.Next(), key: 0}, 79)
	text := d.bequest("eth0")
	var h handover
	if err := json.Unmarshal(text, &h); err != nil || len(h.Slots) != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	sameMarks(t, "handed over", h.Slots[0].Marks, d.slots[0].marks)
	h = handover{}
	if err := json.Unmarshal([]byte(`{"slots":[{"name":"eth0/1/ipv4","marks":{"":5,"fe80::1":6}}]}`), &h); err != nil {
		t.Fatal(err)
	}
	sameMarks(t, "of another release", h.Slots[0].Marks, marks{own: 5, peer: 6})
}
