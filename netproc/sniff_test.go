package netproc

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
)

// sniffed is a process that shows packets, and judges them if it has routers.
func sniffed(t testing.TB, m sniffing.Sniff, configuration ...any) *process {
	t.Helper()
	d := newParent(t)
	d.say(append([]any{ipc.Hello{Build: ipc.Build()}, m}, configuration...)...)
	d.expect("configured", d.turn(), "g1 ready")
	if d.p.phase != ipc.PhaseSniff || d.p.next() != never {
		t.Fatalf("phase %v, next deadline %d", d.p.phase, d.p.next())
	}
	return d.p
}

// shows is what is shown of a frame that comes from link 0 or 6, by its
// family.
func shows(p *process, m sniffing.Capture) string {
	m.Length, m.Links = max(m.Length, uint32(len(m.Frame))), sniffing.Links{0, 6}
	p.capture(m)
	p.out = ipc.Batch{}
	return string(p.sniffer.shown.Text)
}

// ethernet puts a header before a packet, whose IPv4 checksum it makes.
func ethernet(packet []byte) []byte {
	b := append([]byte{1, 0, 0x5e, 0, 0, 18, 0, 0, 0x5e, 0, 1, 7}, 8, 0)
	if packet[0]>>4 == 6 {
		b[12], b[13] = 0x86, 0xdd
	}
	return append(b, headerSummed(packet)...)
}

func headerSummed(packet []byte) []byte {
	b := bytes.Clone(packet)
	if b[0]>>4 != 4 {
		return b
	}
	b[10], b[11] = 0, 0
	sum := uint32(0)
	for i := 0; i < int(b[0]&15)*4; i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[10:], ^uint16(sum))
	return b
}

func object(t testing.TB, line string) (o packetJSON) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &o); err != nil || strings.Count(line, "\n") != 1 {
		t.Fatalf("%v: %q", err, line)
	}
	return o
}

// TestSniffVerdicts: whatever the daemon discards, the sniffer says why, in
// the same words.
func TestSniffVerdicts(t *testing.T) {
	t.Parallel()
	v3 := record()
	v3.Version, v3.VRID = 3, 3
	p := sniffed(t, sniffing.Sniff{JSON: true, Judge: true}, ipc.Slot(0), record(), ipc.Slot(1), v3, ipc.Slot(2), record6(), linkUp, linkUp6, ipc.Commit{Routers: 3})
	seen := 0
	for _, tt := range hostile() {
		if tt.why == report.DropIPHeader || tt.why == report.DropFragment || tt.frame.Link != 0 && tt.frame.Link != 6 || tt.frame.Link == 0 && tt.frame.Family == ipc.IPv6 {
			continue // what is no packet of VRRP, and what is captured elsewhere
		}
		seen++
		o := object(t, shows(p, sniffing.Capture{LinkType: 1, Frame: ethernet(tt.frame.Packet)}))
		if o.Verdict != tt.why.String() {
			t.Errorf("%s: %s, want %v", tt.name, o.Verdict, tt.why)
		}
		if tt.why == report.DropVersion {
			continue // of no version, or of another than the router's
		}
		if tt.name == "an HMAC trailer without HMAC" {
			continue // right for others
		}
		visible := []report.Drop{report.DropTTL, report.DropDestination, report.DropType, report.DropLength, report.DropChecksum, report.DropCount, report.DropInterval, report.DropLinkLocal}
		never := tt.name == "VRID 0" || tt.name == "interval 0 s" // in no configuration
		if (never || slices.Contains(visible, tt.why)) != slices.Contains(o.Errors, tt.why.String()) {
			t.Errorf("%s: errors %v", tt.name, o.Errors)
		}
	}
	if seen < 25 {
		t.Errorf("%d packets", seen)
	}
	o := object(t, shows(p, sniffing.Capture{LinkType: 1, Frame: ethernet(advertisement(peer, good(200)))}))
	if o.Verdict != "accept" || len(o.Errors) > 0 || *o.VRID != 7 || *o.Priority != 200 || *o.IntervalMS != 1000 || o.Addresses[0] != virtual || o.SrcMAC != "00:00:5e:00:01:07" {
		t.Errorf("%+v", o)
	}
}

// TestSniffLinks: the same packet behind every header that is understood.
func TestSniffLinks(t *testing.T) {
	t.Parallel()
	p := sniffed(t, sniffing.Sniff{}, ipc.Commit{})
	ip := headerSummed(advertisement(peer, good(200)))
	mac := "\x00\x00\x5e\x00\x01\x07"
	for name, tt := range map[string]struct {
		linkType uint16
		header   string
	}{
		"Ethernet":    {1, "\x01\x00\x5e\x00\x00\x12" + mac + "\x08\x00"},
		"tag":         {1, "\x01\x00\x5e\x00\x00\x12" + mac + "\x81\x00\x00\x05\x08\x00"},
		"two tags":    {1, "\x01\x00\x5e\x00\x00\x12" + mac + "\x88\xa8\x00\x07\x81\x00\x00\x05\x08\x00"},
		"cooked":      {113, "\x00\x02\x00\x01\x00\x06" + mac + "\x00\x00\x08\x00"},
		"cooked 2":    {276, "\x08\x00\x00\x00\x00\x00\x00\x02\x00\x01\x02\x06" + mac + "\x00\x00"},
		"raw":         {101, ""},
		"raw IPv4":    {228, ""},
		"raw, BSD":    {12, ""},
		"BSD loop":    {0, "\x02\x00\x00\x00"},
		"not VRRP":    {1, "\x01\x00\x5e\x00\x00\x12" + mac + "\x08\x06"},
		"unknown":     {147, ""},
		"a short one": {1, "\x01"},
	} {
		got := shows(p, sniffing.Capture{LinkType: tt.linkType, Frame: append([]byte(tt.header), ip...)})
		want := "1970-01-01T00:00:00.000000Z 10.77.0.1 > 224.0.0.18 VRRPv2 vrid 7 priority 200 interval 1s auth none addresses 10.77.0.254\n"
		want = strings.Replace(want, "Z ", "Z "+map[string]string{"tag": "vlan 5 ", "two tags": "vlan 7 vlan 5 "}[name], 1)
		if name == "not VRRP" || name == "unknown" || name == "a short one" {
			want = ""
		}
		if got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestSniffText: what is wrong stands in the line, and CARP is not VRRP.
func TestSniffText(t *testing.T) {
	t.Parallel()
	p := sniffed(t, sniffing.Sniff{Detail: 2}, ipc.Commit{})
	carp := append([]byte{0x21, 9, 100, 7, 0, 1, 0, 0}, make([]byte, 28)...)
	const head = "1970-01-01T00:00:00.000000Z eth7 00:00:5e:00:01:07 > 01:00:5e:00:00:12 10.77.0.1 > 224.0.0.18 "
	for _, tt := range []struct {
		packet []byte
		want   string
	}{
		{advertisement(peer, good(0)), "VRRPv2 vrid 7 priority 0 interval 1s auth none checksum 0xffff (rfc3768) addresses 10.77.0.254 ttl 255"},
		{packet(peer, carp), "CARP vhid 9 advbase 1 advskew 100 ttl 255"},
		{packet(peer, nil), "VRRP, nothing to be read ttl 255 errors: length"},
		{packet(peer, []byte{0x42, 1, 2, 3, 4, 5, 6, 7}), "VRRPv4 type 2 vrid 1 priority 2 interval 10.29s auth none checksum 0x0607 ttl 255 errors: version"},
	} {
		got := shows(p, sniffing.Capture{LinkType: 1, Interface: "eth7", Frame: ethernet(tt.packet)})
		if !strings.HasPrefix(got, head) || (!strings.Contains(tt.want, "0xffff") && got != head+tt.want+"\n") {
			t.Errorf("got  %swant %s%s", got, head, tt.want)
		}
	}
	p = sniffed(t, sniffing.Sniff{VRID: 8}, ipc.Commit{})
	if got := shows(p, sniffing.Capture{LinkType: 1, Frame: ethernet(advertisement(peer, good(100)))}); got != "" {
		t.Errorf("another VRID: %s", got)
	}
	if got := shows(sniffed(t, sniffing.Sniff{Detail: 5}, ipc.Commit{}), sniffing.Capture{LinkType: 1, Length: 5000, Frame: ethernet(advertisement(peer, good(100)))}); !strings.Contains(got, "(cut by the capture)") || !strings.Contains(got, "    0010  e0 00 00 12 21 07") {
		t.Error(got)
	}
}

// TestSniffLongest: the longest packet fits the longest answer.
func TestSniffLongest(t *testing.T) {
	t.Parallel()
	a := good6(100)
	for len(a.Addresses) < 255 {
		a.Addresses = append(a.Addresses, mustAddr("2001:db8:1111:2222:3333:4444:5555:6666"))
	}
	for _, m := range []sniffing.Sniff{{JSON: true}, {Detail: 5}, {}} {
		got := shows(sniffed(t, m, ipc.Commit{}), sniffing.Capture{LinkType: 1, Frame: ethernet(advertisement6(peer6, a))})
		if n := strings.Count(got, ":6666"); n != 253 || len(got) >= ipc.MaxShown {
			t.Errorf("%+v: %d addresses in %d bytes", m, n, len(got))
		}
	}
}

func FuzzSniff(f *testing.F) {
	for _, s := range samples(f) {
		for _, rec := range s.records {
			f.Add(uint16(1), rec.Frame)
			f.Add(uint16(101), rec.Frame[14:])
		}
	}
	for _, b := range append(fragmented(advertisement(peer, good(200)), 8), fragmented6(advertisement6(peer6, good6(200)), 112, 8)...) {
		f.Add(uint16(101), b)
	}
	f.Add(uint16(101), extended(advertisement6(peer6, good6(200)), 0, 60, 0, 5, 2, 0, 0, 1, 0, 112, 0, 1, 4, 0, 0, 0, 0))
	f.Add(uint16(1), tagged(ethernet(advertisement(peer, good(200))), 0x88, 0xa8, 0, 0, 0x81, 0, 0, 5))
	text := sniffed(f, sniffing.Sniff{Detail: 2, Judge: true}, ipc.Slot(0), record(), ipc.Slot(1), record6(), linkUp, linkUp6, ipc.Commit{Routers: 2})
	line := sniffed(f, sniffing.Sniff{JSON: true}, ipc.Commit{})
	f.Fuzz(func(t *testing.T, linkType uint16, frame []byte) {
		m := sniffing.Capture{LinkType: linkType, Frame: frame}
		a, b := shows(text, m), shows(line, m)
		if wrong := harmless(a, b); wrong != "" {
			t.Errorf("%s: %s", wrong, cmp.Diff(a, b))
		}
	})
}
