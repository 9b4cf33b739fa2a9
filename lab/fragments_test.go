package lab

import (
	"encoding/binary"
	"slices"
	"testing"
)

// TestPieces puts a packet together from two fragments in either order, and
// none whose headers do not agree.
func TestPieces(t *testing.T) {
	t.Parallel()
	f := Forgery{VRID: VRID, TTL: 255, Priority: 1, IPv6: true}
	n := &Node{MAC: "02:00:00:00:00:01", LinkLocal: IPv6VIPs[0]}
	frame := f.frame(n, AdverInterval)
	cut := func(from, to int, more uint16) []byte {
		b := slices.Clone(frame[:14+40])
		b[14+6] = nextFragment
		binary.BigEndian.PutUint16(b[14+4:], uint16(8+to-from))
		b = append(b, protocolVRRP, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(from)|more)
		return append(append(b, 1, 2, 3, 4), frame[54+from:54+to]...)
	}
	first, second := cut(0, 16, 1), cut(16, len(frame)-54, 0)
	for _, order := range [][2][]byte{{first, second}, {second, first}} {
		ps := pieces{}
		if whole, _ := ps.add(order[0]); whole != nil {
			t.Errorf("whole after one: %x", whole)
		}
		whole, lengths := ps.add(order[1])
		if !slices.Equal(whole, frame) || len(lengths) != 2 {
			t.Errorf("%v\n%x, want\n%x", lengths, whole, frame)
		}
		if read, ok := parseFrame(whole); !ok || read.VRRP == nil || len(read.VRRP.Addrs) != 2 {
			t.Errorf("read as %+v", read)
		}
	}
	for _, at := range []int{7, 14 + 7, 14 + 20, 14 + 47} { // MAC, hop limit, source, identification
		other := slices.Clone(second)
		other[at]++
		ps := pieces{}
		ps.add(first)
		if whole, _ := ps.add(other); whole != nil {
			t.Errorf("whole although byte %d differs", at)
		}
	}
	if whole, _ := (pieces{}).add(frame); !slices.Equal(whole, frame) {
		t.Errorf("no fragment, and yet %x", whole)
	}
}
