package parent

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/nft"
)

// TestHostsOwn: of what is on its interfaces a host has itself what no daemon like
// us has put there; of IPv6's link-local addresses, what is on the link. That is in
// no lease and refused by no rule, whatever is held.
func TestHostsOwn(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddr
	on := func(index int, prefix string, proto uint8) facts.Address {
		return facts.Address{Index: index, Prefix: netip.MustParsePrefix(prefix), Proto: proto}
	}
	infos := []facts.Link{{Index: 2, Name: "eth0"}, {Index: 3, Name: "eth1"}, {Index: 4, Name: "vr4", Alias: formatAlias(base{1, 2}, nil)}}
	copied := on(loopback, "10.0.0.7/32", facts.Protocol)
	copied.Host = true
	l := &link{
		wire: wire{linkName: linkName{"eth0", ipc.IPv4}, index: 2, prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("fe80::1/64")}},
		left: []vaddr{{Prefix: netip.MustParsePrefix("10.0.0.6/24")}},
	}
	d := &daemon{links: []*link{l}}
	d.note(infos, []facts.Address{
		on(2, "10.0.0.1/24", 0), on(2, "fe80::1/64", 0), on(2, "10.0.0.6/24", 0),
		on(3, "10.1.0.2/32", 0), on(3, "2001:db8::2/64", 0), on(3, "fe80::2/64", 0),
		on(4, "10.0.0.4/24", 0),                      // by a kernel that keeps no mark
		on(3, "10.1.0.5/24", facts.Protocol), copied, // laid on an interface, and put aside
	})
	addrs := []conf.Address{}
	for _, a := range []string{"10.0.0.1", "10.1.0.2", "2001:db8::2", "fe80::1", "fe80::2", "10.0.0.4", "10.1.0.5", "10.0.0.6", "10.0.0.7", "10.9.9.9"} {
		addrs = append(addrs, conf.Address{Addr: at(a)})
	}
	want := []netip.Addr{at("10.0.0.4"), at("10.0.0.6"), at("10.1.0.5"), at("10.9.9.9"), at("fe80::2")}
	for _, silences := range []bool{true, false} {
		d.silences = silences
		d.slots = []*slot{{page: page{grant: grant{addrs: addrs, device: "vr4"}, index: 4}}}
		d.show()
		all, _ := d.leased()
		got := all["eth0"]
		virtual := got.Terms[d.slots[0].joints[0].Term].Virtual
		slices.SortFunc(virtual, netip.Addr.Compare)
		slices.SortFunc(got.Refused, netip.Addr.Compare)
		if !slices.Equal(got.Refused, want) || silences != slices.Equal(virtual, want) || got.Ungated == silences {
			t.Errorf("silences %v: leased %+v, want %v", silences, got, want)
		}
		r := d.wanted()
		if !slices.Equal(r.Refused, want[:4]) || !slices.Equal(r.RefusedOn, []nft.AddressOn{{Index: 2, Addr: at("fe80::2")}, {Index: 4, Addr: at("fe80::2")}}) {
			t.Errorf("silences %v: refused %v, on an interface %v", silences, r.Refused, r.RefusedOn)
		}
	}
}
