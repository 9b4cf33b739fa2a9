package netproc

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// hostile lists a packet for every reason to discard one.
func hostile() []struct {
	name  string
	why   report.Drop
	vrid  uint8
	frame ipc.Frame
} {
	edit := func(change func(a *wire.Advertisement)) []byte {
		a := good(200)
		change(&a)
		return advertisement(peer, a)
	}
	flip := func(at int, v byte) []byte {
		b := advertisement(peer, good(200))
		b[at] = v
		return b
	}
	v3 := func(change func(a *wire.Advertisement)) []byte {
		return edit(func(a *wire.Advertisement) { a.Version, a.VRID = 3, 3; change(a) })
	}
	type c = struct {
		name  string
		why   report.Drop
		vrid  uint8
		frame ipc.Frame
	}
	var list []c
	add := func(name string, why report.Drop, vrid uint8, packet []byte) {
		list = append(list, c{name, why, vrid, ipc.Frame{Family: ipc.IPv4, Packet: packet}})
	}
	add("empty", report.DropIPHeader, 0, nil)
	add("IPv6 in an IPv4 frame", report.DropIPHeader, 0, flip(0, 0x65))
	add("another protocol", report.DropIPHeader, 0, flip(9, 17))
	add("fragment", report.DropFragment, 0, flip(6, 0x20))
	add("TTL 254", report.DropTTL, 7, flip(8, 254))
	add("unicast", report.DropDestination, 7, flip(16, 10))
	add("version 3 for a version 2 router", report.DropVersion, 7, edit(func(a *wire.Advertisement) { a.Version = 3 }))
	add("version 2 for a version 3 router", report.DropVersion, 3, edit(func(a *wire.Advertisement) { a.VRID = 3 }))
	add("version 4", report.DropVersion, 7, flip(20, 0x41))
	add("version 4 for nobody", report.DropVersion, 99, edit(func(a *wire.Advertisement) { a.Version, a.VRID = 4, 99 }))
	add("type 2", report.DropType, 7, flip(20, 0x22))
	add("no message", report.DropLength, 0, packet(peer, nil))
	add("trailing bytes", report.DropLength, 7, packet(peer, append(advertisement(peer, good(200))[20:], 0)))
	add("incomplete", report.DropLength, 7, packet(peer, advertisement(peer, good(200))[20:39]))
	add("checksum", report.DropChecksum, 7, flip(22, 201))
	add("another VRID", report.DropVRID, 8, edit(func(a *wire.Advertisement) { a.VRID = 8 }))
	add("VRID 0", report.DropVRID, 0, edit(func(a *wire.Advertisement) { a.VRID = 0 }))
	add("another VRID, with an HMAC trailer", report.DropVRID, 8, packet(peer, append(edit(func(a *wire.Advertisement) { a.VRID = 8 })[20:], make([]byte, 28)...)))
	add("another VRID, with another trailer", report.DropLength, 8, packet(peer, append(edit(func(a *wire.Advertisement) { a.VRID = 8 })[20:], make([]byte, 27)...)))
	add("an HMAC trailer without HMAC", report.DropLength, 7, packet(peer, append(append(advertisement(peer, good(200))[20:], 1, 1), make([]byte, 26)...)))
	add("no address", report.DropCount, 7, edit(func(a *wire.Advertisement) { a.Addresses = nil }))
	add("v3 interval 0", report.DropInterval, 3, v3(func(a *wire.Advertisement) { a.AdverInterval = 0 }))
	add("simple authentication", report.DropAuthType, 7, edit(func(a *wire.Advertisement) { a.AuthType = 1 }))
	add("P0 authentication", report.DropAuthType, 7, edit(func(a *wire.Advertisement) { a.AuthType = 250 }))
	add("interval 2 s", report.DropAdverInterval, 7, edit(func(a *wire.Advertisement) { a.AdverInterval = 2 * time.Second }))
	add("interval 0 s", report.DropAdverInterval, 7, edit(func(a *wire.Advertisement) { a.AdverInterval = 0 }))
	add("another address", report.DropAddressList, 7, edit(func(a *wire.Advertisement) { a.Addresses = []netip.Addr{peer} }))
	add("one address more", report.DropAddressList, 7, edit(func(a *wire.Advertisement) { a.Addresses = []netip.Addr{virtual, virtual2} }))
	add("our own source", report.DropOwnFrame, 7, advertisement(ours, good(200)))
	add("on a link that is down", report.DropInactive, 5, edit(func(a *wire.Advertisement) { a.VRID = 5 }))
	list[len(list)-1].frame.Link = 1
	list = append(list,
		c{"on another link", report.DropVRID, 7, ipc.Frame{Link: 1, Family: ipc.IPv4, Packet: edit(func(*wire.Advertisement) {})}},
		c{"on no link", report.DropVRID, 7, ipc.Frame{Link: 999, Family: ipc.IPv4, Packet: edit(func(*wire.Advertisement) {})}},
		c{"on a link of the other family", report.DropVRID, 7, ipc.Frame{Family: ipc.IPv6, Packet: advertisement6(peer6, good6(200))}},
		c{"IPv4 in an IPv6 frame", report.DropIPHeader, 0, ipc.Frame{Link: 6, Family: ipc.IPv6, Packet: advertisement(peer, good(200))}},
	)
	add6 := func(name string, why report.Drop, packet []byte) {
		list = append(list, c{name + ", IPv6", why, 7, ipc.Frame{Link: 6, Family: ipc.IPv6, Packet: packet}})
	}
	edit6 := func(change func(a *wire.Advertisement)) []byte {
		a := good6(200)
		change(&a)
		return advertisement6(peer6, a)
	}
	flip6 := func(at int, v byte) []byte {
		b := advertisement6(peer6, good6(200))
		b[at] = v
		return b
	}
	add6("hop limit 254", report.DropTTL, flip6(7, 254))
	add6("unicast", report.DropDestination, flip6(24, 0xfe))
	add6("version 2", report.DropVersion, flip6(40, 0x21))
	add6("type 2", report.DropType, flip6(40, 0x32))
	add6("trailing bytes", report.DropLength, packet6(peer6, append(advertisement6(peer6, good6(200))[40:], 0)))
	add6("checksum", report.DropChecksum, flip6(42, 201))
	add6("checksum without pseudo-header", report.DropChecksum, plain6())
	add6("no address", report.DropCount, edit6(func(a *wire.Advertisement) { a.Addresses = nil }))
	add6("interval 0", report.DropInterval, edit6(func(a *wire.Advertisement) { a.AdverInterval = 0 }))
	add6("first address global", report.DropLinkLocal, edit6(func(a *wire.Advertisement) { a.Addresses = []netip.Addr{virtual6[1], virtual6[0]} }))
	add6("our own source", report.DropOwnFrame, advertisement6(ours6, good6(200)))
	return list
}

// plain6 is an advertisement whose checksum covers the message alone, which in
// IPv6 nobody sends.
func plain6() []byte {
	p := advertisement6(peer6, good6(200))
	m := p[40:]
	m[6], m[7] = 0, 0
	var sum uint32
	for i := 0; i < len(m); i += 2 {
		sum += uint32(m[i])<<8 | uint32(m[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(m[6:], ^uint16(sum))
	return p
}

// mixed is a process with a version 2 router, a version 3 one, one whose link
// is down, and one in IPv6.
func mixed(t testing.TB) *parent {
	t.Helper()
	d := newParent(t)
	v3, down := record(), record()
	v3.Version, v3.VRID = 3, 3
	down.Link, down.VRID = 1, 5
	d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), record(), ipc.Slot(1), v3, ipc.Slot(2), down, ipc.Slot(3), record6(),
		linkUp, ipc.LinkState{Link: 1}, linkUp6, ipc.Commit{Routers: 4})
	d.expect("configured", d.turn(), "g1 ready", "g1 s0 initialize->backup startup", "g1 s1 initialize->backup startup", "g1 s3 initialize->backup startup")
	return d
}

// TestDrops: every reason is counted and reported with what could be read,
// and touches no timer and no state.
func TestDrops(t *testing.T) {
	t.Parallel()
	// See TestAuthentication and TestMigration for those.
	met := map[report.Drop]bool{report.DropSuperseded: true}
	for why := report.DropPassword; why <= report.DropOffLink; why++ {
		met[why] = true
	}
	for _, tt := range hostile() {
		met[tt.why] = true
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := mixed(t)
			before := d.p.next()
			d.now += second
			for range 3 {
				tt.frame.Received = d.now
				d.send(tt.frame)
			}
			source, own := peer, ours
			if tt.frame.Family == ipc.IPv6 {
				source, own = peer6, ours6
			}
			switch {
			case tt.why == report.DropOwnFrame:
				source = own
			case tt.why == report.DropIPHeader && tt.name != "another protocol":
				source = netip.Addr{}
			}
			d.expect("reported once", d.turn(), fmt.Sprintf("g1 dropped %v link=%d vrid=%d from %v: 1", tt.why, tt.frame.Link, tt.vrid, source))
			if got := d.p.drops[tt.why].unreported; got != 2 {
				t.Errorf("unreported: got %d, want 2", got)
			}
			if d.p.next() != before || len(d.p.takeovers) != 3 {
				t.Errorf("a timer moved from %d to %d", before, d.p.next())
			}
		})
	}
	for why := report.Drop(1); why < report.NumDrops; why++ {
		if !met[why] {
			t.Errorf("reason %v: no test", why)
		}
	}
}

// TestAccepted: what looks odd and is right.
func TestAccepted(t *testing.T) {
	t.Parallel()
	third := mustAddr("10.77.0.252")
	three := record()
	three.Addresses = []netip.Addr{virtual, third, virtual2}
	edit := func(change func(a *wire.Advertisement)) []byte {
		a := good(200)
		a.Addresses = three.Addresses
		change(&a)
		return advertisement(peer, a)
	}
	options := edit(func(*wire.Advertisement) {})
	options = append(append(append([]byte{0x46}, options[1:20]...), 0x94, 4, 0, 0), options[20:]...)
	options[3] += 4
	tests := []struct {
		name   string
		packet []byte
		notice string
	}{
		{"plain", edit(func(*wire.Advertisement) {}), ""},
		{"Ethernet padding", append(edit(func(*wire.Advertisement) {}), 0, 0, 0, 0, 0, 0), ""},
		{"IP options", options, ""},
		{"addresses in another order", edit(func(a *wire.Advertisement) { a.Addresses = []netip.Addr{virtual2, virtual, third} }), ""},
		{"the owner's own list", edit(func(a *wire.Advertisement) { a.Priority, a.Addresses = 255, []netip.Addr{virtual} }), "addresses"},
		{"authentication data of type 0", edit(func(a *wire.Advertisement) { a.AuthData[3] = 9 }), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := configured(t, three)
			d.now += second
			d.frame(d.now, tt.packet)
			var noticed []string
			if tt.notice != "" {
				noticed = []string{"g1 noticed " + tt.notice + " link=0 vrid=7 from 10.77.0.1: 1 of 1"}
			}
			d.expect("heard", d.turn(), noticed...)
			if got, want := d.p.next(), d.now+downInterval; got != want {
				t.Errorf("Active_Down_Timer: due at %d, want %d", got, want)
			}
		})
	}
}

// TestSameAddressTwice: a list is not ours because each of its addresses is.
func TestSameAddressTwice(t *testing.T) {
	t.Parallel()
	r := record()
	r.Addresses = []netip.Addr{virtual, virtual2}
	d := configured(t, r)
	a := good(200)
	a.Addresses = []netip.Addr{virtual2, virtual2}
	d.frame(d.now, advertisement(peer, a))
	d.expect("heard", d.turn(), "g1 dropped address-list link=0 vrid=7 from 10.77.0.1: 1")
}

// TestReportRate: one report of a reason in ten seconds, with the count since
// the last, whoever sends; another reason has its own.
func TestReportRate(t *testing.T) {
	t.Parallel()
	d := configured(t, record())
	bad := func(i int) []byte {
		a := good(200)
		a.VRID = uint8(8 + i%200)
		return advertisement(netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)}), a)
	}
	var reports []string
	first := d.now
	for i := range 2500 {
		d.now = first + int64(i)*10*ms
		d.frame(d.now, bad(i))
		if i == 5 {
			d.frame(d.now, nil)
		}
		if i%100 == 0 { // somebody keeps our timer from firing
			d.frame(d.now, advertisement(peer, good(200)))
		}
		reports = append(reports, d.turn()...)
	}
	d.expect("reports", reports,
		"g1 dropped vrid link=0 vrid=8 from 10.77.0.0: 1",
		"g1 dropped ip-header link=0 vrid=0 from invalid IP: 1",
		"g1 dropped vrid link=0 vrid=8 from 10.77.3.232: 1000",
		"g1 dropped vrid link=0 vrid=8 from 10.77.7.208: 1000",
	)
}

// TestCountDoesNotWrap: a flood between two reports is not made small.
func TestCountDoesNotWrap(t *testing.T) {
	t.Parallel()
	d := configured(t, record())
	d.p.drops[report.DropTTL].unreported = math.MaxUint32
	d.p.drops[report.DropTTL].total = 1 << 40
	d.p.drop(nil, report.DropTTL, subject{0, 7, peer}, nil)
	if err := d.p.flush(); err != nil {
		t.Fatal(err)
	}
	d.expect("report", d.heard(), "g1 dropped ttl link=0 vrid=7 from 10.77.0.1: 4294967295")
}

// TestFramesOfAnotherGeneration count: a reload on its way loses none.
func TestFramesOfAnotherGeneration(t *testing.T) {
	t.Parallel()
	d := configured(t, record())
	d.now += second
	d.generation = 2
	d.frame(d.now, advertisement(peer, good(200)))
	d.expect("heard", d.turn())
	if got, want := d.p.next(), d.now+downInterval; got != want {
		t.Errorf("Active_Down_Timer: due at %d, want %d", got, want)
	}
}
