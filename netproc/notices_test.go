package netproc

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// record3 is the tests' router in version 3 over IPv4.
func record3() ipc.Router {
	r := record()
	r.Version = 3
	return r
}

func good3(priority uint8) wire.Advertisement {
	a := good(priority)
	a.Version = 3
	return a
}

// TestNotices: what is logged and not discarded re-arms the timer like any
// other advertisement.
func TestNotices(t *testing.T) {
	t.Parallel()
	owner := record3()
	owner.Ownership = ipc.OwnsAll
	pseudo := record3()
	pseudo.Checksum = ipc.ChecksumPseudo
	edit := func(change func(a *wire.Advertisement)) wire.Advertisement {
		a := good3(200)
		change(&a)
		return a
	}
	for _, tt := range []struct {
		name   string
		router ipc.Router
		hears  wire.Advertisement
		want   report.Notice
	}{
		{"nothing", record3(), good3(200), 0},
		{"another interval", record3(), edit(func(a *wire.Advertisement) { a.AdverInterval = 2 * time.Second }), report.NoticeInterval},
		{"other addresses", record3(), edit(func(a *wire.Advertisement) { a.Addresses = []netip.Addr{virtual2} }), report.NoticeAddresses},
		{"an owner's other addresses in version 2", record(), func() wire.Advertisement { a := good(255); a.Addresses = []netip.Addr{virtual2}; return a }(), report.NoticeAddresses},
		{"the same addresses in another order", func() ipc.Router { r := record3(); r.Addresses = []netip.Addr{virtual, virtual2}; return r }(),
			edit(func(a *wire.Advertisement) { a.Addresses = []netip.Addr{virtual2, virtual} }), 0},
		{"an owner, to an owner", owner, edit(func(a *wire.Advertisement) { a.Priority = 255 }), report.NoticeOwner},
		{"an owner, to another", record3(), edit(func(a *wire.Advertisement) { a.Priority = 255 }), 0},
		{"the other checksum", record3(), edit(func(a *wire.Advertisement) { a.Checksum = wire.FormPseudoHeader }), report.NoticeChecksum},
		{"the other checksum, the other way", pseudo, good3(200), report.NoticeChecksum},
		{"the same checksum", pseudo, edit(func(a *wire.Advertisement) { a.Checksum = wire.FormPseudoHeader }), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newParent(t)
			d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), tt.router, linkUp, ipc.Commit{Routers: 1})
			d.turn()
			d.now += second
			d.frame(d.now, advertisement(peer, tt.hears))
			var want []string
			if tt.want != 0 {
				want = []string{fmt.Sprintf("g1 noticed %v link=0 vrid=7 from 10.77.0.1: 1 of 1", tt.want)}
				if tt.want == report.NoticeChecksum && tt.hears.Checksum == wire.FormPlain {
					want[0] += ", plain 1, pseudo-header 0"
				} else if tt.want == report.NoticeChecksum {
					want[0] += ", plain 0, pseudo-header 1"
				}
			}
			got := d.turn()
			if tt.router.Ownership == ipc.OwnsAll {
				got = got[:1] // and an answer
			}
			d.expect("heard", got, want...)
			if interval := int64(tt.hears.AdverInterval); tt.router.Ownership == ipc.OwnsNone && tt.router.Version == 3 {
				if got, want := d.p.next(), d.now+3*interval+interval*156/256; got != want {
					t.Errorf("Active_Down_Timer: due at %d, want %d", got, want)
				}
			}
		})
	}
}

// TestNoticeRate: a peer that never agrees with us is told of every ten
// seconds, with the count; what was not told is told at the end.
func TestNoticeRate(t *testing.T) {
	t.Parallel()
	d := configured(t, record3())
	a := good3(200)
	a.AdverInterval = 2 * time.Second
	var got []string
	for range 25 {
		d.now += second
		d.frame(d.now, advertisement(peer, a))
		got = append(got, d.turn()...)
	}
	if err := d.p.finish(); err != nil {
		t.Fatal(err)
	}
	d.expect("told", append(got, d.heard()...),
		"g1 noticed interval link=0 vrid=7 from 10.77.0.1: 1 of 1",
		"g1 noticed interval link=0 vrid=7 from 10.77.0.1: 10 of 11",
		"g1 noticed interval link=0 vrid=7 from 10.77.0.1: 10 of 21",
		"g1 s0 backup->initialize shutdown",
		"g1 noticed interval link=0 vrid=7 from 10.77.0.1: 4 of 25")
}

// TestFormsToldAtTheEnd: of each peer that uses the other form the counts are
// told, of one that uses ours nothing.
func TestFormsToldAtTheEnd(t *testing.T) {
	t.Parallel()
	d := configured(t, record3())
	other := good3(200)
	other.Checksum = wire.FormPseudoHeader
	third := netip.MustParseAddr("10.77.0.3")
	var got []string
	for range 3 {
		d.now += second
		d.frame(d.now, advertisement(peer, other))
		d.frame(d.now, advertisement(third, good3(200)))
		got = append(got, d.turn()...)
	}
	d.frame(d.now, advertisement(third, other))
	got = append(got, d.turn()...)
	if err := d.p.finish(); err != nil {
		t.Fatal(err)
	}
	d.expect("told", append(got, d.heard()...),
		"g1 noticed checksum link=0 vrid=7 from 10.77.0.1: 1 of 1, plain 0, pseudo-header 1",
		"g1 s0 backup->initialize shutdown",
		"g1 noticed checksum link=0 vrid=7 from 10.77.0.1: 1 of 2, plain 0, pseudo-header 3",
		"g1 noticed checksum link=0 vrid=7 from 10.77.0.3: 0 of 2, plain 3, pseudo-header 1")
	d = configured(t, record3())
	d.now += second
	d.frame(d.now, advertisement(peer, good3(200)))
	d.turn()
	if err := d.p.finish(); err != nil {
		t.Fatal(err)
	}
	d.expect("of a peer that uses ours", d.heard(), "g1 s0 backup->initialize shutdown")
}

// TestForms: the forms of the checksum are counted by peer; inventing peers
// neither fills the memory nor drives the known ones out.
func TestForms(t *testing.T) {
	t.Parallel()
	var f forms
	known := netip.MustParseAddr("10.77.0.1")
	if !f.count(known, wire.FormPlain) || f.count(known, wire.FormPlain) || !f.count(known, wire.FormPseudoHeader) {
		t.Error("the first of a peer in a form is not told from the others")
	}
	for i := range 1000 {
		f.count(netip.AddrFrom4([4]byte{10, 78, byte(i >> 8), byte(i)}), wire.FormPseudoHeader)
	}
	f.count(known, wire.FormPlain)
	want := peerForms{source: known, plain: 3, pseudo: 1}
	others := peerForms{pseudo: 1000 - (maxPeers - 1), last: wire.FormPseudoHeader}
	if len(f.peers) != maxPeers+1 {
		t.Fatalf("%d peers are remembered, want %d", len(f.peers), maxPeers+1)
	}
	if diff := cmp.Diff([]peerForms{want, others}, []peerForms{f.peers[0], f.peers[maxPeers]}, cmp.AllowUnexported(peerForms{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMigration: RFC 9568 §8.4.2.
func TestMigration(t *testing.T) {
	t.Parallel()
	both := record3()
	both.Migration, both.AdverInterval = true, 250*ms
	rest := 156 * 250 * ms / 256
	v2 := func(seconds int) []byte {
		a := good(200)
		a.AdverInterval = time.Duration(seconds) * time.Second
		return advertisement(peer, a)
	}
	v3 := good3(200)
	v3.AdverInterval = 250 * time.Millisecond
	t.Run("Active sends both at the configured rate", func(t *testing.T) {
		t.Parallel()
		d := configured(t, both)
		d.now = d.p.next()
		d.turn()
		d.drained()
		d.turn()
		d.now = d.p.next()
		d.expect("interval", d.turn(),
			"g1 s0 advertise v3 vrid=7 priority=100 every 250ms [10.77.0.254]",
			"g1 s0 advertise v2 vrid=7 priority=100 every 1s [10.77.0.254]")
		if err := d.p.finish(); err != nil {
			t.Fatal(err)
		}
		d.expect("goodbye", d.heard(),
			"g1 s0 advertise v3 vrid=7 priority=0 every 250ms [10.77.0.254]",
			"g1 s0 advertise v2 vrid=7 priority=0 every 1s [10.77.0.254]",
			"g1 s0 release", "g1 s0 active->initialize shutdown")
	})
	t.Run("Backup times out at the rate of a version 2 Active", func(t *testing.T) {
		t.Parallel()
		d := configured(t, both)
		d.now += ms
		d.frame(d.now, v2(2))
		d.expect("heard", d.turn())
		if got, want := d.p.next(), d.now+6*second+2*156*second/256; got != want {
			t.Errorf("due at %d, want %d", got, want)
		}
		d.frame(d.now, v2(0))
		d.expect("interval 0", d.turn(), "g1 dropped adver-interval link=0 vrid=7 from 10.77.0.1: 1")
	})
	t.Run("Backup ignores version 2 of a router that sends version 3", func(t *testing.T) {
		t.Parallel()
		d := configured(t, both)
		d.now += ms
		d.frame(d.now, advertisement(peer, v3))
		d.expect("version 3", d.turn())
		due := d.p.next()
		if due != d.now+750*ms+rest {
			t.Errorf("due at %d", due)
		}
		d.now += ms
		d.frame(d.now, v2(1))
		d.expect("version 2", d.turn(), "g1 dropped superseded link=0 vrid=7 from 10.77.0.1: 1")
		if d.p.next() != due {
			t.Errorf("a timer moved from %d to %d", due, d.p.next())
		}
	})
	t.Run("but not that of another, nor when version 3 ends", func(t *testing.T) {
		t.Parallel()
		d := configured(t, both)
		d.now += ms
		d.frame(d.now, advertisement(peer, v3))
		a := good(200)
		d.frame(d.now, advertisement(netip.MustParseAddr("10.77.0.9"), a))
		d.expect("another", d.turn())
		if got, want := d.p.next(), d.now+3*second+156*second/256; got != want {
			t.Errorf("due at %d, want %d", got, want)
		}
		d.now += second + ms
		d.frame(d.now, v2(1))
		d.expect("later", d.turn())
		if got, want := d.p.next(), d.now+3*second+156*second/256; got != want {
			t.Errorf("due at %d, want %d", got, want)
		}
	})
	t.Run("an Active that does not send version 2 is reported", func(t *testing.T) {
		t.Parallel()
		d := configured(t, both)
		var got []string
		for i := range 30 {
			d.now += 250 * ms
			d.frame(d.now, advertisement(peer, v3))
			if i < 10 {
				d.frame(d.now, v2(1))
			}
			got = append(got, d.turn()...)
		}
		d.expect("told", got, "g1 dropped superseded link=0 vrid=7 from 10.77.0.1: 1", "g1 noticed version-2-missing link=0 vrid=7 from 10.77.0.1: 1 of 1")
	})
	t.Run("version 2 intervals", func(t *testing.T) {
		t.Parallel()
		for d, want := range map[time.Duration]time.Duration{10 * time.Millisecond: time.Second, time.Second: time.Second,
			1010 * time.Millisecond: 2 * time.Second, 40950 * time.Millisecond: 41 * time.Second} {
			if got := version2Interval(d); got != want {
				t.Errorf("%v: got %v, want %v", d, got, want)
			}
		}
	})
}
