package netproc

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// answer is an ARP reply: this hardware address has that address.
func answer(mac hardwareAddr, ip netip.Addr) []byte {
	b := append([]byte{0, 1, 8, 0, 6, 4, 0, 2}, mac[:]...)
	b = append(append(b, ip.AsSlice()...), make([]byte, macLen)...)
	return append(append(b, ours.AsSlice()...), make([]byte, 18)...)
}

// answer6 is a neighbor advertisement.
func answer6(mac hardwareAddr, ip netip.Addr) []byte {
	b := append([]byte{0x60, 0, 0, 0, 0, 32, protocolICMPv6, 255}, peer6.AsSlice()...)
	b = append(append(append(b, ours6.AsSlice()...), 136, 0, 0, 0, 0x60, 0, 0, 0), ip.AsSlice()...)
	return append(append(b, 2, 1), mac[:]...)
}

// seen are messages of packets that a look has seen, and its end.
func seen(link ipc.Link, packets ...[]byte) (ms []any) {
	for _, b := range packets {
		ms = append(ms, ipc.Tapped{Link: link, Packet: b[:min(len(b), ipc.MaxTapped)]})
	}
	return append(ms, ipc.Tapped{Link: link})
}

var (
	host        = hardwareAddr{2, 0, 0, 0, 0, 9}
	virtualMAC  = hardwareAddr{0, 0, 0x5e, 0, 1, 7}
	virtualMAC6 = hardwareAddr{0, 0, 0x5e, 0, 2, 7}
	otherVRID   = hardwareAddr{0, 0, 0x5e, 0, 1, 8}
)

// TestLookAround: what an Active that hears nobody finds on its link.
func TestLookAround(t *testing.T) {
	t.Parallel()
	theirs, altered, foreign := advertisement(peer, good(200)), advertisement(peer, good(200)), advertisement(peer, good(200))
	altered[8] = 254
	foreign[21] = 99 // VRID
	long := good(200)
	for i := range 60 {
		long.Addresses = append(long.Addresses, netip.AddrFrom4([4]byte{10, 77, 1, byte(i)}))
	}
	fragment := advertisement(peer, good(200))
	fragment[7] = 2
	for _, tt := range []struct {
		name  string
		seen  [][]byte
		heard []byte
		want  string // "" for nothing
	}{
		{"nobody", nil, nil, ""},
		{"deaf", [][]byte{theirs, theirs}, nil, "advertisements from 10.77.0.1 reach {interface} and are dropped before the daemon: nft add rule inet filter input meta l4proto 112 accept"},
		{"deaf, and it answers", [][]byte{answer(virtualMAC, virtual), theirs}, nil, "advertisements from 10.77.0.1 reach {interface} and are dropped"},
		{"deaf to a long one", [][]byte{advertisement(peer, long)}, nil, "advertisements from 10.77.0.1 reach"},
		{"deaf to two", [][]byte{theirs, advertisement(netip.MustParseAddr("10.77.0.9"), good(1))}, nil, "advertisements from 10.77.0.1, 10.77.0.9 reach"},
		{"our own address", [][]byte{advertisement(ours, good(200))}, nil, "advertisements from 10.77.0.2, our own address, reach {interface}: another host has it, too"},
		{"heard", [][]byte{theirs, answer(virtualMAC, virtual)}, theirs, ""},
		{"of which a sample is heard", [][]byte{altered}, nil, ""},
		{"another virtual router", [][]byte{foreign}, nil, ""},
		{"a fragment behind the first", [][]byte{fragment}, nil, ""},
		{"multicast filtered", [][]byte{answer(virtualMAC, virtual)}, nil, "another router has the address, too: 00:00:5e:00:01:07 answers for 10.77.0.254, and no advertisement of it reaches {interface}: it was killed and left the address behind, its firewall drops them, or a switch or bridge in between may filter multicast to 224.0.0.18"},
		{"in use", [][]byte{answer(host, virtual)}, nil, "10.77.0.254 is in use: 02:00:00:00:00:09 answers for it, which is no virtual MAC address"},
		{"in two virtual routers", [][]byte{answer(otherVRID, virtual)}, nil, "10.77.0.254 is in use: virtual router 8 answers for it"},
		{"another address in use", [][]byte{answer(host, virtual2)}, nil, ""},
		{"cut off", [][]byte{theirs[:19], theirs[:20], answer(host, virtual)[:27], {0x45}, {0x4f, 19: 0}}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := active(t, record())
			d.looking = true
			d.now = d.p.next()
			if got := d.turn(); len(got) != 2 || got[1] != "g1 s0 look" {
				t.Fatalf("its next advertisement: %q", got)
			}
			d.now += second / 2
			if tt.heard != nil {
				d.frame(d.now, tt.heard)
			}
			d.say(seen(0, tt.seen...)...)
			got := strings.Join(d.turn(), "\n")
			if told := strings.Contains(got, "looked: "); told != (tt.want != "") || !strings.Contains(got, tt.want) {
				t.Errorf("it says %q, want %q", got, tt.want)
			}
			if len(got) > len("g1 s0 looked: ")+ipc.MaxHint-10 { // nearly cut
				t.Errorf("%d bytes", len(got))
			}
		})
	}
}

// TestLookAround6 is the same over IPv6.
func TestLookAround6(t *testing.T) {
	t.Parallel()
	silent := answer6(hardwareAddr{}, virtual6[1])[:64]
	for _, tt := range []struct {
		name string
		seen []byte
		want string
	}{
		{"deaf", advertisement6(peer6, good6(200)), "advertisements from fe80::1 reach {interface} and are dropped before the daemon: nft add rule inet filter input meta l4proto 112 accept"},
		{"multicast filtered", answer6(virtualMAC6, virtual6[0]), "00:00:5e:00:02:07 answers for fe80::5e00:207, and no advertisement of it reaches {interface}: it was killed and left the address behind, its firewall drops them, or a switch or bridge in between may filter multicast to ff02::12 (MLD"},
		{"in use", answer6(host, virtual6[1]), "2001:db8::254 is in use: 02:00:00:00:00:09 answers"},
		{"in use by one who does not say its hardware address", silent, "2001:db8::254 is in use: another host answers"},
		{"an empty option", append(silent[:64:64], 2, 0, 0, 0, 0, 0, 0, 0), "2001:db8::254 is in use: another host answers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := configured6(t, record6())
			d.looking = true
			d.now = d.p.next()
			d.turn()
			d.drained()
			d.turn()
			d.now = d.p.next()
			d.turn()
			d.say(seen(6, tt.seen)...)
			got := strings.Join(d.turn(), "\n")
			if !strings.Contains(got, "g1 s0 looked: ") || !strings.Contains(got, tt.want) || len(got) > ipc.MaxHint {
				t.Errorf("it says %q, want %q", got, tt.want)
			}
		})
	}
}

// TestLookSeldom: an Active looks around when it has heard nobody, then after ten
// seconds, and ever less often; and after one it has heard not at once.
func TestLookSeldom(t *testing.T) {
	t.Parallel()
	d := active(t, record())
	d.looking = true
	var at []int64
	for began := d.now; d.now < began+5*int64(3600)*second; {
		d.now = d.p.next()
		for _, said := range d.turn() {
			if said == "g1 s0 look" {
				at = append(at, (d.now-began+second/2)/second)
				d.say(seen(0)...)
			}
		}
	}
	// A second, then after ten, twenty ... an hour, and then each hour.
	want := []int64{1, 11, 31, 71, 151, 311, 631, 1271, 2551, 5111, 8711, 12311, 15911}
	if len(at) != len(want) {
		t.Fatalf("looks after %v s, want %v", at, want)
	}
	for i := range want {
		if at[i] != want[i] {
			t.Errorf("looks after %v s, want %v", at, want)
			break
		}
	}
}

// TestLookLost: where packets may have been lost, or the look was refused or is
// of another configuration, nothing is said.
func TestLookLost(t *testing.T) {
	t.Parallel()
	theirs := advertisement(peer, good(200))
	for name, act := range map[string]func(d *parent){
		"packets lost":    func(d *parent) { d.say(ipc.Missed{Until: d.now}) },
		"refused":         func(d *parent) { d.refuse(0, d.last.Sequence, ipc.TypeLook, ipc.CodeKernel) },
		"backup by now":   func(d *parent) { d.frame(d.now, advertisement(netip.MustParseAddr("10.77.0.9"), good(200))) },
		"another process": func(d *parent) { d.p.looks = nil },
		"many senders": func(d *parent) {
			for i := range sendersMax + 1 {
				d.frame(d.now, advertisement(netip.AddrFrom4([4]byte{10, 78, byte(i >> 8), byte(i)}), good(1)))
				if i%16 == 0 {
					d.turn()
				}
			}
			for d.turn(); d.p.unread; {
				d.turn()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := active(t, record())
			d.now = d.p.next()
			d.looking = true
			d.turn()
			act(d)
			d.say(seen(0, theirs)...)
			if got := strings.Join(d.turn(), "\n"); strings.Contains(got, "looked") {
				t.Errorf("it says %q", got)
			}
		})
	}
}

// refuse answers a request of a slot.
func (d *parent) refuse(slot ipc.Slot, request uint32, kind ipc.Type, code ipc.Code) {
	d.t.Helper()
	d.say(ipc.Header{Slot: slot, Generation: d.generation, Sequence: request}, ipc.Result{Request: kind, Code: code})
}

// TestRefusedLookDoesNotCount: a look that the parent refuses is no reason to look
// less often; the first that can be made is followed by another after ten seconds.
func TestRefusedLookDoesNotCount(t *testing.T) {
	t.Parallel()
	d := active(t, record())
	d.looking = true
	var at []int64
	for began := d.now; d.now < began+100*second; {
		d.now = d.p.next()
		for _, said := range d.turn() {
			if said != "g1 s0 look" {
				continue
			}
			at = append(at, (d.now-began+second/2)/second)
			if len(at) <= 5 {
				d.refuse(0, d.last.Sequence, ipc.TypeLook, ipc.CodeBusy)
			} else {
				d.say(seen(0)...)
			}
		}
	}
	// Five that are refused; the next is made, and those after it are ever rarer.
	if want := []int64{1, 11, 21, 31, 41, 51, 61, 81}; !slices.Equal(at, want) {
		t.Errorf("looks after %v s, want %v", at, want)
	}
}

// TestOneOfTwoLooksRefused: a router asks after the former Active and looks around;
// that one of the two is refused does not keep it from what the other finds.
func TestOneOfTwoLooksRefused(t *testing.T) {
	t.Parallel()
	for _, refused := range []string{"the probe", "looking around"} {
		t.Run(refused, func(t *testing.T) {
			t.Parallel()
			d := active(t, record())
			d.looking = true
			r := d.p.routers[0]
			d.p.probe(r, &report.StateChange{Peer: peer, Verdict: report.VerdictSilent})
			d.p.lookAround(r)
			d.turn()
			request := r.look
			if refused == "the probe" {
				request = d.p.looks[0].formers[peer].request
			}
			d.refuse(0, request, ipc.TypeLook, ipc.CodeBusy)
			d.say(seen(0, answer(host, virtual))...)
			got := strings.Join(d.turn(), "\n")
			probed, around := strings.Contains(got, "10.77.0.1 answers=false"), strings.Contains(got, "10.77.0.254 is in use")
			if probed == (refused == "the probe") || around == (refused == "looking around") {
				t.Errorf("without %s it says %q", refused, got)
			}
		})
	}
}

// TestProbeAsks: after a takeover that leaves open what became of the Active the
// parent is asked to look, once for all virtual routers that had the same.
func TestProbeAsks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		c    report.StateChange
		want bool
	}{
		{report.StateChange{Peer: peer, Verdict: report.VerdictSilent}, true},
		{report.StateChange{Peer: peer, Verdict: report.VerdictDropped}, true},
		{report.StateChange{Peer: peer, Verdict: report.VerdictLower}, false},
		{report.StateChange{Peer: peer, Verdict: report.VerdictStalled}, false},
		{report.StateChange{Verdict: report.VerdictAlone}, false},
		{report.StateChange{Verdict: report.VerdictSilent}, false},
		{report.StateChange{Peer: peer}, false},
	} {
		if got := wantsProbe(&tt.c); got != tt.want {
			t.Errorf("%+v: %v", tt.c, got)
		}
	}
	d := newParent(t)
	other := record()
	other.VRID = 8
	d.looking = true
	d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), record(), ipc.Slot(1), other, linkUp, ipc.Commit{Routers: 2})
	d.turn()
	a, b := good(200), good(200)
	b.VRID = 8
	d.frame(d.now, advertisement(peer, a))
	d.frame(d.now, advertisement(peer, b))
	d.turn()
	d.now = d.p.next()
	d.turn()
	d.drained()
	looks := 0
	for _, said := range d.turn() {
		if strings.Contains(said, "look") {
			looks++
		}
	}
	d.say(seen(0, answer(host, peer), advertisement(peer, a))...)
	got := strings.Join(d.turn(), "\n")
	if looks != 1 || !strings.Contains(got, "10.77.0.1 answers=true arrive=1 takeovers=2") || !strings.Contains(got, "are dropped before the daemon") {
		t.Errorf("%d looks, and %q", looks, got)
	}
}

// TestProbesTheAccepted: whom a new Active asks after is who was accepted last,
// whatever sources what was dropped has named since; if nobody was, nobody. Why it
// was dropped is told of the Active's own alone.
func TestProbesTheAccepted(t *testing.T) {
	t.Parallel()
	invented := netip.MustParseAddr("10.77.0.99")
	bad := good(200)
	bad.AuthType = 1
	for _, tt := range []struct {
		name     string
		accepted bool
		dropped  []netip.Addr
		want     string // the look
		says     string // what came of it
	}{
		{"invented sources", true, []netip.Addr{invented, invented}, "look for 10.77.0.1", "it answers, so it is alive: its advertisements do not reach us"},
		{"its own among them", true, []netip.Addr{peer, invented}, "look for 10.77.0.1", "what was dropped here, for the reason auth-type"},
		{"nobody was accepted", false, []netip.Addr{invented, peer}, "look", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := configured(t, record())
			d.looking = true
			if tt.accepted {
				d.frame(d.now, advertisement(peer, good(200)))
				d.turn()
			}
			for _, source := range tt.dropped {
				d.now += second / 2
				d.frame(d.now, advertisement(source, bad))
				d.turn()
			}
			d.now = d.p.next()
			d.turn()
			d.drained()
			said := d.turn()
			d.now = d.p.next() // with the next advertisement
			said = append(said, d.turn()...)
			var looks []string
			for _, s := range said {
				if _, look, is := strings.Cut(s, "look"); is {
					looks = append(looks, "look"+look)
				}
			}
			if !slices.Equal(looks, []string{tt.want}) {
				t.Errorf("asked: %q, want %q", looks, tt.want)
			}
			d.say(seen(0, answer(host, peer), answer(host, invented))...)
			if got := strings.Join(d.turn(), "\n"); strings.Contains(got, "looked") != (tt.says != "") || !strings.Contains(got, tt.says) {
				t.Errorf("it says %q, want %q", got, tt.says)
			}
		})
	}
}

// TestProbeHint: what came of a probe does not contradict what was dropped.
func TestProbeHint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		drop    report.Drop
		answers bool
		arrive  uint32
		deaf    bool
		want    string
		not     string
	}{
		{"silent and gone", 0, false, 0, false, "is down, or the network in between", "alive"},
		{"silent, and answers", 0, true, 0, false, "do not reach us", "dropped"},
		{"silent, and back", 0, true, 2, false, "reach the interface, so it is alive", "do not reach us"},
		{"nothing arrives but on the wire", 0, true, 2, true, "and are dropped before the daemon", "do not reach us"},
		{"dropped, and goes on", report.DropPassword, true, 2, false, "dropped here, for the reason password", "do not reach us"},
		{"dropped, and goes on, without ARP", report.DropPassword, false, 2, false, "dropped here, for the reason password", "is down"},
		{"dropped, of which a sample is passed", report.DropTTL, true, 2, false, "dropped here, for the reason ttl", "nft"},
		{"dropped, and has ceased", report.DropHMAC, true, 0, false, "no longer advertises what was dropped here, for the reason hmac", "do not reach us"},
		{"dropped, and gone", report.DropHMAC, false, 0, false, "is down", "alive"},
	} {
		f := former{drop: tt.drop}
		if got := f.hint(peer, tt.answers, tt.arrive, tt.deaf); !strings.Contains(got, tt.want) || strings.Contains(got, tt.not) || len(got) > ipc.MaxHint {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}

// FuzzTapped: whatever the packets of a look, nothing but a line of text comes of it.
func FuzzTapped(f *testing.F) {
	for _, b := range [][]byte{advertisement(peer, good(1)), advertisement6(peer6, good6(1)), answer(host, virtual), answer6(host, virtual6[1])} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		lk := &look{arrived: make(map[sender]uint32), answers: make(map[netip.Addr]hardwareAddr)}
		lk.note(b)
		for s := range lk.arrived {
			if !s.source.IsValid() || s.source.Is4In6() && s.source.Is4() || len(b) < headerIPv4+2 || b[0]>>4 == 4 && b[9] != wire.Protocol {
				t.Errorf("%x is taken for an advertisement of %v", b, s)
			}
		}
	})
}
