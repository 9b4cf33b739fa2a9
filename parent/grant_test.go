package parent

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/nft"
)

func TestGrants(t *testing.T) {
	t.Parallel()
	c := &conf.Config{Routers: []conf.Router{
		{VRID: 1, Version: 2, Interface: "eth0", Priority: 50, PreemptMode: true, AdverInterval: 2 * time.Second, InterfaceType: conf.MACVLAN, DeviceName: "standby1",
			Announcements: conf.Announcements{Repeat: 5, Delay: 5 * time.Second, Refresh: time.Minute},
			Addresses:     []conf.Address{{Addr: netip.MustParseAddr("10.0.0.1"), Bits: 24}}},
		{VRID: 2, Version: 3, Checksum: conf.RFC5798, Interface: "eth1", Priority: 100, AdverInterval: time.Second, InterfaceType: conf.Ether,
			Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.1.0.1")}}},
		{VRID: 2, Version: 3, Interface: "eth0", Priority: 100, PreemptMode: true, PreemptDelay: time.Second, StartupDelay: time.Minute,
			AdverInterval: 100 * time.Millisecond, InterfaceType: conf.MACVLAN, DeviceName: "standby2", DerivedLinkLocal: true,
			Addresses: []conf.Address{{Addr: netip.MustParseAddr("fe80::5e00:202"), Bits: 64}, {Addr: netip.MustParseAddr("2001:db8::1")}}},
		{VRID: 3, Version: 3, Migration: true, Interface: "eth0", Priority: 255, AdverInterval: time.Second, InterfaceType: conf.Ether,
			Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.0.0.3")}}},
		{VRID: 255, Version: 2, Interface: "eth0", Priority: 254, AcceptMode: true, AdverInterval: time.Second, InterfaceType: conf.Ether,
			Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.0.0.2")}}},
	}}
	gs, links := grants(c)
	if diff := cmp.Diff([]linkName{{"eth0", ipc.IPv4}, {"eth1", ipc.IPv4}, {"eth0", ipc.IPv6}}, links, cmp.AllowUnexported(linkName{})); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	got := make([]string, 0, len(gs))
	for _, g := range gs {
		got = append(got, g.name+" "+g.device+" "+g.lease.String())
	}
	want := []string{"eth0/1/ipv4 standby1 6s", "eth1/2/ipv4  3s", "eth0/2/ipv6 standby2 300ms", "eth0/3/ipv4  3s", "eth0/255/ipv4  3s"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
	if gs[0].link != 0 || gs[1].link != 1 || gs[2].link != 2 || gs[3].link != 0 || gs[4].link != 0 || gs[4].slot != 4 {
		t.Errorf("links or slots mixed up: %+v", gs)
	}
	if gs[4].mac != [6]byte{0, 0, 0x5e, 0, 1, 255} || gs[2].mac != [6]byte{0, 0, 0x5e, 0, 2, 2} {
		t.Errorf("virtual MACs are %x and %x", gs[4].mac, gs[2].mac)
	}
	if gs[0].accept || !gs[3].accept || !gs[4].accept {
		t.Error("accept mode: want it as configured, and always for priority 255")
	}
	if gs[3].advert.Burst != 2*gs[4].advert.Burst || gs[3].advert.Period != gs[4].advert.Period/2 {
		t.Errorf("advertisements in migration mode: %+v", gs[3].advert)
	}
	if r := gs[3].record(); !r.Migration || r.Priority != 255 {
		t.Errorf("record in migration mode is %+v", r)
	}
	if r := gs[2].record(); r.Family != ipc.IPv6 || r.PreemptDelay != int64(time.Second) || r.StartupDelay != int64(time.Minute) {
		t.Errorf("record with delays is %+v", r)
	}
	if r := gs[1].record(); r.Version != 3 || r.Checksum != ipc.ChecksumPseudo {
		t.Errorf("record of version 3 is %+v", r)
	}
	record := gs[0].record()
	wantRecord := ipc.Router{
		Link: 0, Family: ipc.IPv4, Version: 2, VRID: 1, Priority: 50, AdverInterval: int64(2 * time.Second),
		PreemptMode: true, AnnounceRepeat: 5, AnnounceDelay: int64(5 * time.Second), AnnounceRefresh: int64(time.Minute),
		Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")},
	}
	if diff := cmp.Diff(wantRecord, record, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	link := []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("192.0.2.1/30")}
	for _, tt := range []struct {
		name, addr string
		bits       int
		want       string
		quiet      bool // no second route
	}{
		{"length of the link's prefix", "10.9.0.254", 0, "10.9.0.254/24", true},
		{"own length inside the link's prefix", "10.9.0.254", 32, "10.9.0.254/32", true},
		{"foreign subnet with a length", "172.16.0.1", 16, "172.16.0.1/16", false},
		{"foreign subnet without", "172.16.0.1", 0, "172.16.0.1/32", false},
		{"second prefix", "192.0.2.2", 0, "192.0.2.2/30", true},
	} {
		g := grant{addrs: []conf.Address{{Addr: netip.MustParseAddr(tt.addr), Bits: tt.bits}}}
		got := g.place(link)
		if len(got) != 1 || got[0].Prefix.String() != tt.want || got[0].NoPrefixRoute != tt.quiet {
			t.Errorf("%s: %+v, want %s %v", tt.name, got, tt.want, tt.quiet)
		}
	}
}

// TestPlaceOnTheInterface: what the interface has itself is not put on it
// again, or it would be taken off with the rest.
func TestPlaceOnTheInterface(t *testing.T) {
	t.Parallel()
	link := []netip.Prefix{netip.MustParsePrefix("10.9.0.254/24"), netip.MustParsePrefix("10.9.0.1/24")}
	g := grant{addrs: []conf.Address{{Addr: netip.MustParseAddr("10.9.0.254")}, {Addr: netip.MustParseAddr("10.9.0.253")}}}
	if got := g.place(link); len(got) != 1 || got[0].Prefix.String() != "10.9.0.253/24" {
		t.Errorf("on the interface: %v", got)
	}
	g.device = "standby1"
	if got := g.place(link); len(got) != 2 {
		t.Errorf("on a device: %v", got)
	}
}

// TestReplaceable: on the interface itself an IPv6 address is deprecated where
// there is another of its kind to send from; nowhere else.
func TestReplaceable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, virtual, own string
		want               bool
	}{
		{"global", "2001:db8::254", "2001:db8:1::1/64", true},
		{"link-local", "fe80::254", "fe80::1/64", true},
		{"unique local", "fd00::254", "fd00:1::1/64", true},
		{"none global", "2001:db8::254", "fd00::1/64 fe80::1/64", false},
		{"none unique local", "fd00::254", "2001:db8::1/64 fe80::1/64", false},
		{"none link-local", "fe80::254", "2001:db8::1/64", false},
		{"IPv4", "10.9.0.254", "10.9.0.1/24", false},
	} {
		var own []netip.Prefix
		for _, p := range strings.Fields(tt.own) {
			own = append(own, netip.MustParsePrefix(p))
		}
		g := grant{addrs: []conf.Address{{Addr: netip.MustParseAddr(tt.virtual)}}}
		if got := g.place(own); len(got) != 1 || got[0].Deprecated != tt.want {
			t.Errorf("%s: %+v, want deprecated %v", tt.name, got, tt.want)
		}
		g.device = "standby1"
		if got := g.place(own); len(got) != 1 || got[0].Deprecated {
			t.Errorf("%s, on a device: %+v", tt.name, got)
		}
	}
}

func TestOwns(t *testing.T) {
	t.Parallel()
	link := []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("10.9.0.2/24"), netip.MustParsePrefix("2001:db8::1/64")}
	for _, tt := range []struct {
		name, addrs string
		derived     bool
		want        ipc.Ownership
	}{
		{"none", "10.9.0.254", false, ipc.OwnsNone},
		{"its subnet is no address", "10.9.0.0", false, ipc.OwnsNone},
		{"all", "10.9.0.2 10.9.0.1", false, ipc.OwnsAll},
		{"some", "10.9.0.2 10.9.0.254", false, ipc.OwnsSome},
		{"all but the derived one", "fe80::5e00:201 2001:db8::1", true, ipc.OwnsAll},
		{"all but a configured link-local one", "fe80::5e00:201 2001:db8::1", false, ipc.OwnsSome},
		{"none but a derived one", "fe80::5e00:201 2001:db8::2", true, ipc.OwnsNone},
	} {
		g := grant{wishes: wishes{derived: tt.derived}}
		for _, a := range strings.Fields(tt.addrs) {
			g.addrs = append(g.addrs, conf.Address{Addr: netip.MustParseAddr(a)})
		}
		if got := g.owns(link); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

// TestWanted: packets to addresses are refused where Accept_Mode is false and
// the router is not the owner; an owner's are answered for by its macvlan.
func TestWanted(t *testing.T) {
	t.Parallel()
	gs, _ := grants(&conf.Config{Routers: []conf.Router{
		{VRID: 1, Version: 2, Interface: "eth0", Priority: 100, AdverInterval: time.Second, Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.9.0.251")}}},
		{VRID: 2, Version: 2, Interface: "eth0", Priority: 100, AdverInterval: time.Second, Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.9.0.252")}}, AcceptMode: true},
		{VRID: 3, Version: 2, Interface: "eth0", Priority: 100, AdverInterval: time.Second, Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.9.0.253")}}},
		{VRID: 4, Version: 2, Interface: "eth0", Priority: 255, AdverInterval: time.Second, Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.9.0.254")}}},
	}})
	d := &daemon{links: []*link{{wire: wire{index: 3}}}}
	for i, g := range gs {
		d.slots = append(d.slots, &slot{page: page{grant: g, index: 12 - i, own: true}})
	}
	d.slots[0].index, d.slots[1].index = 3, 3 // on the interface itself
	d.slots[2].ownership = ipc.OwnsAll
	d.show()
	want := nft.Rules{Refused: []netip.Addr{netip.MustParseAddr("10.9.0.251")}, Quiet: []int{3, 9, 10}, Owned: []nft.AddressOn{{Index: 3, Addr: netip.MustParseAddr("10.9.0.253")}}}
	if got := d.wanted(); !got.Equal(want) || got.Equal(nft.Rules{}) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAliasKeepsTheLedger(t *testing.T) {
	t.Parallel()
	saved := slices.Clone(linkSettings)
	for i := range saved {
		saved[i].iface, saved[i].old = "eth0", strconv.Itoa(i)
	}
	on, got, ours := parseAlias(formatAlias(base{4026531840, 7}, saved), "eth0")
	if !ours {
		t.Fatal("our own alias is not recognised")
	}
	if on != (base{4026531840, 7}) {
		t.Errorf("made for %+v", on)
	}
	if diff := cmp.Diff(saved, got, cmp.AllowUnexported(setting{})); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	for _, alias := range []string{"", "uplink", "rvrrpdx", "x rvrrpd"} {
		if _, _, ours := parseAlias(alias, "eth0"); ours {
			t.Errorf("alias %q is taken for ours", alias)
		}
	}
	for _, tt := range []struct {
		name, alias string
		want        int
	}{
		{"made here", formatAlias(base{1, 7}, nil), 7},
		{"made in another namespace", formatAlias(base{2, 7}, nil), elsewhere},
		{"by an older release", "rvrrpd arp_ignore=0", 3},
		{"no alias yet", "", 3},
		{"forged", "rvrrpd on=1/x", 3},
	} {
		if got := baseOf(facts.Link{Alias: tt.alias, Lower: 3}, 1); got != tt.want {
			t.Errorf("%s: on %d, want %d", tt.name, got, tt.want)
		}
	}
	// Whoever can write an alias must not make us write other sysctls or values.
	_, got, _ = parseAlias("rvrrpd forwarding=0 ../all/rp_filter=0 arp_ignore=99 arp_ignore=x arp_ignore", "eth0")
	if len(got) != 0 {
		t.Errorf("settings from a forged alias: %+v", got)
	}
}
