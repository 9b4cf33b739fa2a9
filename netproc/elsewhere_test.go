package netproc

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

var secret1 = ipc.Secret{ID: 1, Value: hmacKey(1)}

func networks(list ...string) (n [ipc.MaxNetworks]netip.Prefix) {
	for i, text := range list {
		n[i] = netip.MustParsePrefix(text)
	}
	return n
}

// TestElsewhere: with HMAC in mode enforce an advertisement that verifies is
// discarded where it was made for another link, touches no timer, and is not
// remembered. What is legitimate passes.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	v2, v3, v6 := withHMAC(record(), 2), withHMAC(record3(), 2), withHMAC(record6(), 2)
	v3.Addresses = []netip.Addr{virtual, virtual2}
	another, third, other := mustAddr("2001:db8::253"), mustAddr("2001:db8::252"), mustAddr("2001:db8:1::254")
	v6.Addresses = []netip.Addr{virtual6[0], virtual6[1], another}
	far := mustAddr("10.78.0.1")
	made := func(src netip.Addr, a wire.Advertisement, list ...netip.Addr) []byte {
		if list != nil {
			a.Addresses = slices.Clone(list)
		}
		return signed(t, 1, src, a, noon.Add(time.Second))
	}
	here := networks("10.77.0.2/24")
	for _, tt := range []struct {
		name     string
		router   ipc.Router
		mode     uint8
		networks [ipc.MaxNetworks]netip.Prefix
		source   netip.Addr
		packet   []byte
		want     report.Drop
	}{
		{"ours", v3, 2, here, peer, made(peer, good3(200), virtual, virtual2), 0},
		{"in another order", v3, 2, here, peer, made(peer, good3(200), virtual2, virtual), 0},
		{"one address missing", v3, 2, here, peer, made(peer, good3(200), virtual), report.DropAddressList},
		{"another address", v3, 2, here, peer, made(peer, good3(200), virtual, far), report.DropAddressList},
		{"of an owner", v3, 2, here, peer, made(peer, good3(255), far), report.DropAddressList},
		{"of an owner in version 2", v2, 2, here, peer, made(peer, good(255), far), report.DropAddressList},
		{"a goodbye", v3, 2, here, peer, made(peer, good3(0), far), report.DropAddressList},
		{"another address, permissive", v3, 1, here, peer, made(peer, good3(200), far), 0},
		{"from another network", v3, 2, here, far, made(far, good3(200), virtual, virtual2), report.DropOffLink},
		{"from another network, permissive", v3, 1, here, far, made(far, good3(200), virtual, virtual2), 0},
		{"from the second network", v3, 2, networks("10.77.0.2/24", "10.78.0.9/16"), far, made(far, good3(200), virtual, virtual2), 0},
		{"where there is no network", v3, 2, networks("10.77.0.2/32"), far, made(far, good3(200), virtual, virtual2), 0},
		{"where our address is a single one beside a network", v3, 2, networks("10.77.0.2/32", "10.80.0.2/24"), far, made(far, good3(200), virtual, virtual2), 0},
		{"beside a single address that is not ours", v3, 2, networks("10.77.0.2/24", "10.80.0.2/32"), far, made(far, good3(200), virtual, virtual2), report.DropOffLink},
		{"in the network of a peer", v3, 2, networks("10.78.0.9/24"), far, made(far, good3(200), virtual, virtual2), 0},
		{"in no network of a peer", v3, 2, networks("10.79.0.9/24"), far, made(far, good3(200), virtual, virtual2), report.DropOffLink},
		{"where nothing is known", v3, 2, networks(), far, made(far, good3(200), virtual, virtual2), 0},
		{"IPv6, ours", v6, 2, networks(), peer6, made(peer6, good6(200), v6.Addresses...), 0},
		{"IPv6, in another order", v6, 2, networks(), peer6, made(peer6, good6(200), virtual6[0], another, virtual6[1]), 0},
		{"IPv6, in another order, permissive", v6, 1, networks(), peer6, made(peer6, good6(200), virtual6[0], another, virtual6[1]), 0},
		{"IPv6, other addresses, permissive", v6, 1, networks(), peer6, made(peer6, good6(200), virtual6[0], third, another), 0},
		{"IPv6, another address", v6, 2, networks(), peer6, made(peer6, good6(200), virtual6[0], virtual6[1], other), report.DropAddressList},
		{"IPv6, one address missing", v6, 2, networks(), peer6, made(peer6, good6(200), virtual6[0], another), report.DropAddressList},
		{"IPv6, the link-local address is not the first", v6, 2, networks(), peer6, made(peer6, good6(200), another, virtual6[1], virtual6[0]), report.DropLinkLocal},
		{"IPv6, our own come back", v6, 2, networks(), ours6, made(ours6, good6(200), v6.Addresses...), report.DropOwnFrame},
		{"version 2 with another interval", v2, 2, here, peer, made(peer, interval2(good(200))), report.DropAdverInterval},
		{"ours come back", v3, 2, here, ours, made(ours, good3(200), virtual, virtual2), report.DropOwnFrame},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.router.HMAC.Mode = tt.mode
			d := authenticated(t, tt.router, ipc.Slot(0), secret1)
			up := d.p.links[tt.router.Link]
			up.Networks = tt.networks
			d.say(up)
			d.expect("networks", d.turn())
			before := d.p.next()
			d.now += second
			d.send(ipc.Frame{Link: tt.router.Link, Family: tt.router.Family, Received: d.now, Packet: tt.packet})
			said := d.turn()
			if tt.want == 0 {
				if strings.Contains(fmt.Sprint(said), " dropped ") || d.p.next() == before {
					t.Errorf("not heard: %q", said)
				}
				return
			}
			d.expect("dropped", said, fmt.Sprintf("g1 dropped %v link=%d vrid=7 from %v: 1", tt.want, tt.router.Link, tt.source))
			if d.p.next() != before || len(d.p.at(0).auth.hmac.Marks()) > 0 {
				t.Errorf("it left something behind: %v", d.p.at(0).auth.hmac.Marks())
			}
		})
	}
}

// interval2 is the same with another interval.
func interval2(a wire.Advertisement) wire.Advertisement {
	a.AdverInterval = 2 * time.Second
	return a
}

// TestListsStay: no comparison changes what it compares, or takes memory. Not in
// parallel: allocations are counted.
func TestListsStay(t *testing.T) {
	a, b, c := virtual6[0], virtual6[1], mustAddr("2001:db8::253")
	lists := listsOf([]netip.Addr{a, b})
	lists.readdress(listsOf([]netip.Addr{a, b, c}))
	list, old := []netip.Addr{a, b, c}, []netip.Addr{a, b}
	slices.Reverse(list[1:])
	want, wantOld := slices.Clone(list), slices.Clone(old)
	noAllocs := testing.AllocsPerRun(100, func() {
		if !lists.isOurs(list) || lists.wereOurs(list) || lists.isOurs(old) || !lists.wereOurs(old) {
			t.Fatal("not told apart")
		}
	})
	if noAllocs != 0 || !slices.Equal(list, want) || !slices.Equal(old, wantOld) {
		t.Errorf("%v allocations; %v, was %v; %v, was %v", noAllocs, list, want, old, wantOld)
	}
}

// TestCorrected: the list that is in use goes on to be accepted, however often a
// reload corrects the one before, until somebody advertises the last. What is
// remembered is bounded.
func TestCorrected(t *testing.T) {
	t.Parallel()
	r := withHMAC(record6(), 2)
	d := authenticated(t, r, ipc.Slot(0), secret1)
	at := noon.Add(time.Duration(d.now - start))
	heard := func(list ...netip.Addr) bool {
		t.Helper()
		d.now += second
		at = at.Add(time.Second)
		a := good6(200)
		a.Addresses = append([]netip.Addr{virtual6[0]}, list...)
		before := d.p.drops[report.DropAddressList].total
		d.send(ipc.Frame{Link: r.Link, Family: r.Family, Received: d.now, Packet: signed(t, 1, peer6, a, at)})
		d.turn()
		return d.p.drops[report.DropAddressList].total == before
	}
	reload := func(list ...netip.Addr) {
		t.Helper()
		d.generation++
		r.Addresses = append([]netip.Addr{virtual6[0]}, list...)
		d.say(ipc.Slot(0), r, ipc.Header{Slot: 0, Generation: d.generation}, secret1, linkUp6, ipc.Commit{Routers: 1})
		d.turn()
	}
	numbered := func(n int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: 9, 15: byte(n)}) }
	used := virtual6[1]
	reload(numbered(1)) // a mistake
	reload(used, numbered(2))
	if !heard(used) {
		t.Error("corrected: the list in use is not heard")
	}
	for n := range 2 * formerMax {
		reload(numbered(n + 3))
		if !heard(used) {
			t.Errorf("corrected %d times: the list in use is not heard", n+2)
		}
	}
	if !heard(numbered(2*formerMax+1)) || !heard(used) {
		t.Error("the last mistake is forgotten")
	}
	if heard(numbered(3)) || len(d.p.at(0).former) != formerMax {
		t.Errorf("%d lists are remembered", len(d.p.at(0).former))
	}
	if !heard(r.Addresses[1:]...) || heard(used) {
		t.Error("what was before is heard after the last")
	}
	used = r.Addresses[1]
	reload(used, numbered(1))
	reload(used)
	reload(used, numbered(2))
	if !heard(used) {
		t.Error("back and forth: the list in use is not heard")
	}
}

// TestElsewhereForged: what does not verify is told as that, whatever it says.
func TestElsewhereForged(t *testing.T) {
	t.Parallel()
	d := authenticated(t, withHMAC(record3(), 2), ipc.Slot(0), secret1)
	p := signed(t, 1, mustAddr("10.78.0.1"), good3(200), noon.Add(time.Second))
	p[len(p)-1] ^= 1
	d.frame(d.now, p)
	d.expect("forged", d.turn(), "g1 dropped hmac link=0 vrid=7 from 10.78.0.1: 1")
}

// TestElsewhereHints: the log says what to look for.
func TestElsewhereHints(t *testing.T) {
	t.Parallel()
	d := authenticated(t, withHMAC(record3(), 2), ipc.Slot(0), secret1)
	up := linkUp
	up.Networks = networks("10.77.0.2/24", "10.77.0.2/32")
	d.say(up)
	d.turn()
	r := d.p.at(0)
	if hint := d.p.dropHint(r, nil, report.DropOffLink); !strings.Contains(hint, "(10.77.0.0/24)") || !strings.Contains(hint, "another LAN") {
		t.Error(hint)
	}
	d.p.advert.Addresses = []netip.Addr{virtual2}
	hint := d.p.dropHint(r, nil, report.DropAddressList)
	for _, want := range []string{virtual2.String(), virtual.String(), "another LAN with the same key", "reload the Active last"} {
		if !strings.Contains(hint, want) {
			t.Errorf("no %q: %s", want, hint)
		}
	}
}

// TestReadressedInEnforce: routers get other addresses one after the other. One
// that is reloaded first goes on to hear the Active that is still to be, and,
// once that has the new ones, no longer the old.
func TestReadressedInEnforce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name              string
		link              int
		router            ipc.Router
		from              netip.Addr
		made              wire.Advertisement
		first, more, less netip.Addr // the link-local one of IPv6 is the first in all lists
	}{
		{"IPv4", 0, withHMAC(record3(), 2), peer, good3(200), netip.Addr{}, virtual, virtual2},
		{"IPv6", 6, withHMAC(record6(), 2), peer6, good6(200), virtual6[0], virtual6[1], mustAddr("2001:db8::253")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lists := func(list ...netip.Addr) []netip.Addr {
				if tt.first.IsValid() {
					return append([]netip.Addr{tt.first}, list...)
				}
				return list
			}
			r := tt.router
			r.Addresses = lists(tt.more)
			d := authenticated(t, r, ipc.Slot(0), secret1)
			at := noon.Add(time.Duration(d.now - start))
			hear := func(list ...netip.Addr) []string {
				t.Helper()
				d.now += second
				at = at.Add(time.Second)
				a := tt.made
				a.Addresses = lists(list...)
				d.send(ipc.Frame{Link: r.Link, Family: r.Family, Received: d.now, Packet: signed(t, 1, tt.from, a, at)})
				said := d.turn()
				if len(said) > 0 && strings.Contains(said[0], " mark ") {
					said = said[1:]
				}
				return append([]string(nil), said...)
			}
			what := fmt.Sprintf(" link=%d vrid=7 from %v: 1", tt.link, tt.from)
			d.expect("before", hear(tt.more))
			d.generation = 2
			r.Addresses = lists(tt.more, tt.less)
			up := linkUp
			if r.Family == ipc.IPv6 {
				up = linkUp6
			}
			d.say(ipc.Slot(0), r, ipc.Header{Slot: 0, Generation: 2}, secret1, up, ipc.Commit{Routers: 1})
			d.expect("reloaded", d.turn(), "g2 ready")
			d.expect("the old ones", hear(tt.more), "g2 noticed addresses"+what+" of 1")
			d.expect("the old ones again", hear(tt.more))
			d.expect("others", hear(tt.less), "g2 dropped address-list"+what)
			d.expect("the new ones", hear(tt.less, tt.more))
			d.expect("the old ones, too late", hear(tt.more)) // not reported again so soon
			if got := d.p.drops[report.DropAddressList].total; got != 2 || d.p.drops[report.DropLinkLocal].total > 0 {
				t.Errorf("%d dropped for their addresses, want 2, and %d as not link-local", got, d.p.drops[report.DropLinkLocal].total)
			}
		})
	}
}
