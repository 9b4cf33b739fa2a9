package netproc

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
)

// fragmented takes an IPv4 packet apart after every size bytes of payload.
func fragmented(packet []byte, size int) (list [][]byte) {
	n := int(packet[0]&15) * 4
	for at := n; at < len(packet); at += size {
		end := min(at+size, len(packet))
		b := append(bytes.Clone(packet[:n]), packet[at:end]...)
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		binary.BigEndian.PutUint16(b[4:], 0x1234)
		where := uint16((at - n) / 8)
		if end < len(packet) {
			where |= 0x2000
		}
		binary.BigEndian.PutUint16(b[6:], where)
		list = append(list, headerSummed(b))
	}
	return list
}

// fragmented6 does it with an IPv6 packet, whose fragments begin with the
// given header.
func fragmented6(packet []byte, next uint8, size int) (list [][]byte) {
	for at := 40; at < len(packet); at += size {
		end := min(at+size, len(packet))
		b := append(bytes.Clone(packet[:40]), next, 0, 0, 0, 1, 2, 3, 4)
		where := uint16(at - 40)
		if end < len(packet) {
			where |= 1
		}
		binary.BigEndian.PutUint16(b[42:], where)
		b = append(b, packet[at:end]...)
		b[6] = nextFragment
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
		list = append(list, b)
	}
	return list
}

// TestFragments: with the last fragment, in whatever order they come, the
// verdict is that of the whole packet, as the daemon gets it. What the kernel
// gives up is given up.
func TestFragments(t *testing.T) {
	t.Parallel()
	a6 := good6(200)
	for range 30 {
		a6.Addresses = append(slices.Clone(a6.Addresses), mustAddr("2001:db8::77"))
	}
	ours := record6()
	ours.Addresses = a6.Addresses
	whole, whole6 := advertisement(peer, good(200)), advertisement6(peer6, a6)
	four, six := fragmented(whole, 8), fragmented6(whole6, 112, 256)
	if len(four) != 3 || len(six) != 3 {
		t.Fatal(len(four), len(six))
	}
	bad := bytes.Clone(whole)
	bad[20+6] ^= 1
	odd := func(b []byte, change func([]byte)) []byte { b = bytes.Clone(b); change(b); return headerSummed(b) }
	overlap := odd(four[1], func(b []byte) { b[7] = 0; b[6] = 0x20 })
	overlap = append(overlap, 1, 2, 3, 4, 5, 6, 7, 8)
	overlap = odd(overlap, func(b []byte) { b[3] += 8 })
	later := odd(four[2], func(b []byte) { b[5]++ })
	options := append([]byte{112, 0, 1, 4, 0, 0, 0, 0}, whole6[40:]...)
	options = append(bytes.Clone(whole6[:40]), options...)
	list := func(l ...[]byte) [][]byte { return l }
	for _, tt := range []struct {
		name   string
		frames [][]byte
		gap    time.Duration
		want   []string // verdicts
	}{
		{"in order", four, 0, []string{"incomplete", "incomplete", "accept"}},
		{"backwards", list(four[2], four[1], four[0]), 0, []string{"incomplete", "incomplete", "accept"}},
		{"one twice", list(four[0], four[0], four[2], four[1]), 0, []string{"incomplete", "incomplete", "incomplete", "accept"}},
		{"one missing", list(four[0], four[2]), 0, []string{"incomplete", "incomplete"}},
		{"of two packets", list(four[0], four[1], later), 0, []string{"incomplete", "incomplete", "incomplete"}},
		{"overlapping", list(four[0], overlap, four[1], four[2]), 0, []string{"incomplete", "incomplete", "incomplete", "incomplete"}},
		{"too late", four, 16 * time.Second, []string{"incomplete", "incomplete", "incomplete"}},
		{"in time", four, 15 * time.Second, []string{"incomplete", "incomplete", "accept"}},
		{"wrong checksum", fragmented(bad, 8), 0, []string{"incomplete", "incomplete", "checksum"}},
		{"wrong IP checksum", list(four[0], append(append(bytes.Clone(four[1][:10]), 1, 1), four[1][12:]...), four[2]), 0, []string{"incomplete", "not-received", "incomplete"}},
		{"IPv6", six, 0, []string{"incomplete", "incomplete", "accept"}},
		{"IPv6, backwards", list(six[2], six[1], six[0]), 0, []string{"incomplete", "incomplete", "accept"}},
		{"IPv6, one of itself", fragmented6(whole6, 112, 4096), 0, []string{"accept"}},
		{"IPv6, too late", six, 31 * time.Second, []string{"incomplete", "incomplete", "incomplete"}},
		{"IPv6, in time", six, 30 * time.Second, []string{"incomplete", "incomplete", "accept"}},
		{"IPv6, behind options", fragmented6(options, 60, 256), 0, []string{"incomplete", "", "accept"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := sniffed(t, sniffing.Sniff{JSON: true, Judge: true}, ipc.Slot(0), record(), ipc.Slot(1), ours, linkUp, linkUp6, ipc.Commit{Routers: 2})
			for i, frame := range tt.frames {
				m := sniffing.Capture{Time: int64(i) * int64(tt.gap), LinkType: 101, Frame: frame}
				shown := shows(p, m)
				if tt.want[i] == "" && shown == "" {
					continue
				}
				o := object(t, shown)
				if o.Verdict != tt.want[i] {
					t.Errorf("%d: %s, want %s", i, shown, tt.want[i])
				}
				if (o.Verdict == "incomplete" || o.Verdict == "not-received") != slices.Contains(o.Errors, "fragment") {
					t.Errorf("%d: errors %v", i, o.Errors)
				}
				if o.Verdict == "accept" && (*o.VRID != 7 || len(o.Addresses) == 0 || o.Fragments > 0 != (len(tt.frames) > 1)) {
					t.Errorf("%d: %s", i, shown)
				}
			}
		})
	}
}

// TestFragmentsAreBounded: whatever comes, not more than so many packets wait
// for the rest of them.
func TestFragmentsAreBounded(t *testing.T) {
	t.Parallel()
	var as assemblies
	now := time.Unix(1000, 0)
	add := func(id uint32, p piece, n int) *assembly {
		p.id = id
		return as.add(packetID{family: ipc.IPv4, src: peer, dst: netip.IPv4Unspecified(), id: id}, now, make([]byte, 20), p, make([]byte, n))
	}
	for id := range uint32(100) {
		add(id, piece{more: true}, 8)
	}
	if len(as.list) != assembliesMax {
		t.Errorf("%d wait", len(as.list))
	}
	if add(99, piece{offset: 8}, 8) == nil {
		t.Error("the last one cannot be completed")
	}
	if add(1, piece{offset: 8}, 8) != nil {
		t.Error("the first one is still there")
	}
	add(98, piece{offset: assembledMax &^ 7, more: true}, 800)
	for _, a := range as.list {
		if len(a.data) > assembledMax {
			t.Errorf("%d bytes", len(a.data))
		}
	}
	if add(98, piece{offset: 8}, 8) != nil {
		t.Error("one that is too long goes on")
	}
	now = now.Add(time.Hour)
	if add(97, piece{offset: 8}, 8); len(as.list) != 1 {
		t.Errorf("%d are left after an hour", len(as.list))
	}
}
