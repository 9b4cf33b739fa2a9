package netproc

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
)

// extended puts extension headers before the payload of an IPv6 packet.
func extended(packet []byte, next uint8, headers ...byte) []byte {
	b := append(append(bytes.Clone(packet[:40]), headers...), packet[40:]...)
	b[6] = next
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	return b
}

// tagged puts VLAN tags into a frame of Ethernet.
func tagged(frame []byte, tags ...byte) []byte {
	return append(append(bytes.Clone(frame[:12]), tags...), frame[12:]...)
}

// TestSniffNotReceived: what the kernel of a daemon would not let it see is no
// packet that it accepts, and what the kernel takes off is no obstacle.
func TestSniffNotReceived(t *testing.T) {
	t.Parallel()
	good4, good6 := advertisement(peer, good(200)), advertisement6(peer6, good6(200))
	four, six := ethernet(good4), ethernet(good6)
	foreign := bytes.Clone(four)
	copy(foreign, "\x02\x00\x00\x00\x00\x09")
	unicast := bytes.Clone(good4)
	copy(unicast[16:], "\x0a\x4d\x00\x09")
	toUs := append(bytes.Clone(foreign[:14]), headerSummed(unicast)...)
	sum := bytes.Clone(four)
	sum[14+10] ^= 1
	from := func(src netip.Addr) []byte { return ethernet(advertisement(src, good(200))) }
	group := bytes.Clone(good4)
	group[19] = 5
	cooked := func(kind byte) []byte {
		return append([]byte{0, kind, 0, 1, 0, 6, 0, 0, 0x5e, 0, 1, 7, 0, 0, 8, 0}, headerSummed(good4)...)
	}
	const accept, never = "accept", "not-received"
	options := func(n int, padding ...byte) []byte {
		b := append(bytes.Repeat([]byte{0x1e, 0}, n), padding...)
		return append([]byte{112, byte((len(b)+2)/8 - 1)}, b...)
	}
	for _, tt := range []struct {
		name         string
		m            sniffing.Capture
		verdict, why string
	}{
		{"to the group", sniffing.Capture{Frame: four}, accept, ""},
		{"tagged", sniffing.Capture{Frame: tagged(four, 0x81, 0, 0, 5)}, never, "vlan"},
		{"with a priority tag", sniffing.Capture{Frame: tagged(four, 0x81, 0, 0xe0, 0)}, accept, ""},
		{"tagged behind a priority tag", sniffing.Capture{Frame: tagged(four, 0x81, 0, 0xe0, 0, 0x81, 0, 0, 5)}, never, "vlan"},
		{"service tag", sniffing.Capture{Frame: tagged(six, 0x88, 0xa8, 0, 5)}, never, "vlan"},
		{"to another's hardware address", sniffing.Capture{Frame: foreign}, never, "mac"},
		{"the same, says the kernel", sniffing.Capture{Frame: foreign, Arrival: sniffing.ArrivalOther}, never, "mac"},
		{"to our hardware address, says the kernel", sniffing.Capture{Frame: foreign, Arrival: sniffing.ArrivalOurs}, accept, ""},
		{"to a hardware address and an address", sniffing.Capture{Frame: toUs}, "destination", ""},
		{"sent", sniffing.Capture{Frame: four, Arrival: sniffing.ArrivalSent}, never, "sent"},
		{"sent by us", sniffing.Capture{Frame: from(ours), Arrival: sniffing.ArrivalSent}, "own-frame", ""},
		{"cooked, to us", sniffing.Capture{LinkType: 113, Frame: cooked(0)}, accept, ""},
		{"cooked, to another", sniffing.Capture{LinkType: 113, Frame: cooked(3)}, never, "mac"},
		{"cooked, sent", sniffing.Capture{LinkType: 113, Frame: cooked(4)}, never, "sent"},
		{"wrong IP checksum", sniffing.Capture{Frame: sum}, never, "ip-header"},
		{"longer than it is", sniffing.Capture{Frame: four[:len(four)-1]}, never, "ip-header"},
		{"another group", sniffing.Capture{Frame: ethernet(group)}, never, "group"},
		{"from a group", sniffing.Capture{Frame: from(netip.MustParseAddr("224.0.0.1"))}, never, "source"},
		{"from nowhere", sniffing.Capture{Frame: from(netip.MustParseAddr("127.0.0.1"))}, never, "source"},
		{"hop-by-hop options", sniffing.Capture{LinkType: 101, Frame: extended(good6, 0, 112, 0, 5, 2, 0, 0, 1, 0)}, accept, ""},
		{"destination options", sniffing.Capture{LinkType: 101, Frame: extended(good6, 60, 112, 0, 1, 4, 0, 0, 0, 0)}, accept, ""},
		{"both", sniffing.Capture{LinkType: 101, Frame: extended(good6, 0, 60, 0, 1, 4, 0, 0, 0, 0, 112, 0, 0x1e, 4, 0, 0, 0, 0)}, accept, ""},
		{"hop-by-hop options behind others", sniffing.Capture{LinkType: 101, Frame: extended(good6, 60, 0, 0, 1, 4, 0, 0, 0, 0, 112, 0, 1, 4, 0, 0, 0, 0)}, "", ""},
		{"an option to discard for", sniffing.Capture{LinkType: 101, Frame: extended(good6, 60, 112, 0, 0x5e, 4, 0, 0, 0, 0)}, never, "extension"},
		{"padding that is none", sniffing.Capture{LinkType: 101, Frame: extended(good6, 60, 112, 0, 1, 4, 0, 9, 0, 0)}, never, "extension"},
		{"an option that is too long", sniffing.Capture{LinkType: 101, Frame: extended(good6, 60, 112, 0, 1, 9, 0, 0, 0, 0)}, never, "extension"},
		{"eight options", sniffing.Capture{LinkType: 101, Frame: extended(good6, 60, options(8, 0, 1, 3, 0, 0, 0)...)}, accept, ""},
		{"nine options", sniffing.Capture{LinkType: 101, Frame: extended(good6, 60, options(9, 0, 1, 1, 0)...)}, never, "extension"},
		{"too much padding", sniffing.Capture{LinkType: 101, Frame: extended(good6, 60, options(7, 0, 0, 0, 0, 0, 0, 0, 0)...)}, never, "extension"},
		{"too much padding at once", sniffing.Capture{LinkType: 101, Frame: extended(good6, 60, options(7, 0, 1, 5, 0, 0, 0, 0, 0)...)}, never, "extension"},
		{"a route", sniffing.Capture{LinkType: 101, Frame: extended(good6, 43, 112, 0, 2, 0, 0, 0, 0, 0)}, never, "extension"},
		{"another protocol behind options", sniffing.Capture{LinkType: 101, Frame: extended(good6, 0, 58, 0, 5, 2, 0, 0, 1, 0)}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := sniffed(t, sniffing.Sniff{JSON: true, Judge: true}, ipc.Slot(0), record(), ipc.Slot(1), record6(), linkUp, linkUp6, ipc.Commit{Routers: 2})
			if tt.m.LinkType == 0 {
				tt.m.LinkType = 1
			}
			shown := shows(p, tt.m)
			if tt.verdict == "" {
				if shown != "" {
					t.Error(shown)
				}
				return
			}
			if o := object(t, shown); o.Verdict != tt.verdict || o.Missed != tt.why {
				t.Errorf("%s (%s), want %s (%s): %s", o.Verdict, o.Missed, tt.verdict, tt.why, shown)
			}
		})
	}
}

// TestSniffLinksOfTheFile: a packet is judged by the routers of the link it
// came from, and by none where there is none.
func TestSniffLinksOfTheFile(t *testing.T) {
	t.Parallel()
	other := record()
	other.Link, other.AdverInterval = 1, 2*second
	p := sniffed(t, sniffing.Sniff{JSON: true, Judge: true}, ipc.Slot(0), record(), ipc.Slot(1), other, ipc.Commit{Routers: 2})
	for link, want := range map[ipc.Link]string{0: "accept", 1: "adver-interval", sniffing.NoLink: "not-received"} {
		frame := ethernet(advertisement(peer, good(200)))
		p.capture(sniffing.Capture{LinkType: 1, Length: uint32(len(frame)), Frame: frame, Links: sniffing.Links{link, sniffing.NoLink}})
		p.out = ipc.Batch{}
		o := object(t, string(p.sniffer.shown.Text))
		if o.Verdict != want || (o.Missed == "interface") != (link == sniffing.NoLink) {
			t.Errorf("link %d: %s (%s), want %s", link, o.Verdict, o.Missed, want)
		}
	}
}

// TestSniffOwn: who is told of our addresses knows our packets, and what is
// for our hardware address.
func TestSniffOwn(t *testing.T) {
	t.Parallel()
	to := func(mac string, src netip.Addr) sniffing.Capture {
		frame := ethernet(advertisement(src, good(200)))
		copy(frame, mac)
		return sniffing.Capture{LinkType: 1, Frame: frame}
	}
	const group, mine, other = "\x01\x00\x5e\x00\x00\x12", "\x02\x00\x00\x00\x00\x01", "\x02\x00\x00\x00\x00\x02"
	own := sniffing.Sniff{JSON: true, Judge: true, Own: []netip.Addr{ours, ours6}, MACs: [][6]byte{[6]byte([]byte(mine))}}
	for _, tt := range []struct {
		name  string
		sniff sniffing.Sniff
		m     sniffing.Capture
		want  string
	}{
		{"ours, not told", sniffing.Sniff{JSON: true, Judge: true}, to(group, ours), "accept"},
		{"ours", own, to(group, ours), "own-frame"},
		{"ours, IPv6", own, sniffing.Capture{LinkType: 1, Frame: ethernet(advertisement6(ours6, good6(200)))}, "own-frame"},
		{"not ours", own, to(group, peer), "accept"},
		{"to us", own, to(mine, peer), "accept"},
		{"to another", own, to(other, peer), "not-received"},
	} {
		p := sniffed(t, tt.sniff, ipc.Slot(0), record(), ipc.Slot(1), record6(), ipc.Commit{Routers: 2})
		if o := object(t, shows(p, tt.m)); o.Verdict != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, o.Verdict, tt.want)
		}
	}
}

// TestSniffWaitingRouters: a router that waits, for its link or for all of its
// addresses, takes no part.
func TestSniffWaitingRouters(t *testing.T) {
	t.Parallel()
	some, all := record(), record()
	some.Ownership, all.Ownership = ipc.OwnsSome, ipc.OwnsAll
	owner := ethernet(advertisement(peer, good(255)))
	for _, tt := range []struct {
		name          string
		live          bool
		r             ipc.Router
		link          ipc.LinkState
		want, notices string
	}{
		{"of a capture", false, record(), ipc.LinkState{}, "accept", ""},
		{"live", true, record(), linkUp, "accept", ""},
		{"live, without an address", true, record(), ipc.LinkState{}, "inactive", ""},
		{"with some of its addresses", true, some, linkUp, "inactive", ""},
		{"the owner", true, all, linkUp, "accept", "owner"},
	} {
		p := sniffed(t, sniffing.Sniff{JSON: true, Judge: true, Live: tt.live}, ipc.Slot(0), tt.r, tt.link, ipc.Commit{Routers: 1})
		if o := object(t, shows(p, sniffing.Capture{LinkType: 1, Frame: owner})); o.Verdict != tt.want || strings.Join(o.Notices, " ") != tt.notices {
			t.Errorf("%s: %s %v, want %s %s", tt.name, o.Verdict, o.Notices, tt.want, tt.notices)
		}
	}
}

// TestSniffErrors: everything that can be seen is listed, and a checksum is
// verified wherever it can be.
func TestSniffErrors(t *testing.T) {
	t.Parallel()
	message := func(change func([]byte), resum bool) []byte {
		m := advertisement(peer, good(200))[20:]
		if change(m); resum {
			m[6], m[7] = 0, 0
			binary.BigEndian.PutUint16(m[6:], checksum(m))
		}
		return m
	}
	behind := func(m []byte, more ...byte) []byte { return append(slices.Clip(m), more...) }
	right, same := true, func([]byte) {}
	type6 := good6(200)
	for _, tt := range []struct {
		name   string
		packet []byte
		valid  string
		errors string
	}{
		{"good", packet(peer, message(same, false)), "true", ""},
		{"type 2", packet(peer, message(func(m []byte) { m[0] = 0x22 }, right)), "true", "type"},
		{"type 2, wrong checksum", packet(peer, message(func(m []byte) { m[0] = 0x22 }, false)), "false", "type checksum"},
		{"a byte behind", packet(peer, behind(message(same, false), 7)), "true", "length"},
		{"a byte behind, wrong checksum", packet(peer, behind(message(func(m []byte) { m[2]++ }, false), 7)), "false", "length checksum"},
		{"incomplete", packet(peer, message(same, false)[:15]), "", "length"},
		{"of 5 bytes", packet(peer, message(same, false)[:5]), "", "length"},
		{"nothing", packet(peer, nil), "", "length"},
		{"another version", packet(peer, message(func(m []byte) { m[0] = 0x42 }, right)), "", "version"},
		{"a lot", packet(peer, message(func(m []byte) { m[0], m[1], m[4], m[5] = 0x22, 0, 99, 0 }, false)), "false", "type checksum vrid auth-type adver-interval"},
		{"no address", packet(peer, func() []byte { a := good(200); a.Addresses = nil; return advertisement(peer, a)[20:] }()), "true", "count"},
		{"IPv6", packet6(peer6, advertisement6(peer6, type6)[40:]), "true", ""},
		{"IPv6, a byte behind", packet6(peer6, behind(advertisement6(peer6, type6)[40:], 0)), "true", "length"},
		{"IPv6, version 2", packet6(peer6, message(same, false)), "", "version"},
	} {
		p := sniffed(t, sniffing.Sniff{JSON: true}, ipc.Commit{})
		o := object(t, shows(p, sniffing.Capture{LinkType: 1, Frame: ethernet(tt.packet)}))
		valid := ""
		if o.Checksum != nil && o.Checksum.Valid != nil {
			valid = map[bool]string{true: "true", false: "false"}[*o.Checksum.Valid]
		}
		if got := strings.Join(o.Errors, " "); got != tt.errors || valid != tt.valid {
			t.Errorf("%s: checksum %q, errors %q; want %q, %q", tt.name, valid, got, tt.valid, tt.errors)
		}
	}
}

// TestSniffCut: of what the capture has cut off the beginning is read, and
// neither judged nor called wrong; and nothing without a VRID is hidden.
func TestSniffCut(t *testing.T) {
	t.Parallel()
	for name, whole := range map[string][]byte{"IPv4": ethernet(advertisement(peer, good(200))), "IPv6": ethernet(advertisement6(peer6, good6(200)))} {
		p := sniffed(t, sniffing.Sniff{JSON: true, Judge: true, VRID: 7}, ipc.Slot(0), record(), ipc.Slot(1), record6(), linkUp, linkUp6, ipc.Commit{Routers: 2})
		head := 14 + 20
		if name == "IPv6" {
			head = 14 + 40
		}
		for at := head + 1; at < len(whole); at++ {
			o := object(t, shows(p, sniffing.Capture{LinkType: 1, Length: uint32(len(whole)), Frame: whole[:at]}))
			if o.Verdict != "" || len(o.Errors) > 0 || !o.Truncated || *o.Version == 0 || (o.VRID != nil) != (at > head+1) || (o.IntervalMS != nil) != (at >= head+8) || at < len(whole)-8 && o.Checksum != nil && o.Checksum.Valid != nil {
				t.Errorf("%s, %d bytes: %+v", name, at, o)
			}
		}
		// Padding that is cut off is no loss.
		if o := object(t, shows(p, sniffing.Capture{LinkType: 1, Length: uint32(len(whole)) + 6, Frame: whole})); o.Verdict != "accept" || !o.Truncated {
			t.Errorf("%s, padding: %+v", name, o)
		}
	}
	p := sniffed(t, sniffing.Sniff{JSON: true, VRID: 8}, ipc.Commit{})
	pieces := fragmented(advertisement(peer, good(200)), 8)
	for i, want := range []bool{false, true, false} { // the last makes it whole, of VRID 7
		if got := shows(p, sniffing.Capture{LinkType: 101, Frame: pieces[i]}) != ""; got != want {
			t.Errorf("fragment %d: shown %v", i, got)
		}
	}
}
