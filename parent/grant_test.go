package parent

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
)

func TestGrants(t *testing.T) {
	t.Parallel()
	c := &conf.Config{Routers: []conf.Router{
		{VRID: 1, Version: 2, Interface: "eth0", Priority: 50, PreemptMode: true, AdverInterval: 2 * time.Second, InterfaceType: conf.MACVLAN, DeviceName: "standby1",
			Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.0.0.1"), Bits: 24}}},
		{VRID: 2, Version: 3, Checksum: conf.RFC5798, Interface: "eth1", Priority: 100, AdverInterval: time.Second, InterfaceType: conf.Ether,
			Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.1.0.1")}}},
		{VRID: 255, Version: 2, Interface: "eth0", Priority: 254, AdverInterval: time.Second, InterfaceType: conf.Ether,
			Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.0.0.2")}}},
	}}
	gs, links := grants(c)
	if diff := cmp.Diff([]linkName{{"eth0", ipc.IPv4}, {"eth1", ipc.IPv4}}, links, cmp.AllowUnexported(linkName{})); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	got := make([]string, 0, len(gs))
	for _, g := range gs {
		got = append(got, g.name+" "+g.device+" "+g.lease.String())
	}
	want := []string{"eth0/1/ipv4 standby1 6s", "eth1/2/ipv4  3s", "eth0/255/ipv4  3s"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
	if gs[0].link != 0 || gs[1].link != 1 || gs[2].link != 0 || gs[2].slot != 2 {
		t.Errorf("links or slots mixed up: %+v", gs)
	}
	if gs[2].mac != [6]byte{0, 0, 0x5e, 0, 1, 255} {
		t.Errorf("virtual MAC is %x", gs[2].mac)
	}
	if r := gs[1].record(); r.Version != 3 || !r.PseudoHeader {
		t.Errorf("record of version 3 is %+v", r)
	}
	record := gs[0].record()
	wantRecord := ipc.Router{
		Link: 0, Family: ipc.IPv4, Version: 2, VRID: 1, Priority: 50, AdverInterval: int64(2 * time.Second),
		PreemptMode: true, AnnounceRepeat: 5, AnnounceDelay: int64(5 * time.Second),
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

func TestAliasKeepsTheLedger(t *testing.T) {
	t.Parallel()
	saved := []setting{{"ipv4", "eth0", "arp_ignore", "0", "1"}, {"ipv4", "eth0", "arp_announce", "1", "2"}}
	got, ours := parseAlias(formatAlias(saved), "eth0")
	if !ours {
		t.Fatal("our own alias is not recognised")
	}
	if diff := cmp.Diff(saved, got, cmp.AllowUnexported(setting{})); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	for _, alias := range []string{"", "uplink", "rvrrpdx", "x rvrrpd"} {
		if _, ours := parseAlias(alias, "eth0"); ours {
			t.Errorf("alias %q is taken for ours", alias)
		}
	}
	// Whoever can write an alias must not make us write other sysctls or values.
	got, _ = parseAlias("rvrrpd forwarding=0 ../all/rp_filter=0 arp_ignore=99 arp_ignore=x arp_ignore", "eth0")
	if len(got) != 0 {
		t.Errorf("settings from a forged alias: %+v", got)
	}
}

// status is /proc/PID/status of a child behind all its walls.
const status = `Name:	rvrrpd-netproc
Uid:	65534	65534	65534	65534
Gid:	65534	65534	65534	65534
Groups:	
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	0000000000000000
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
Seccomp_filters:	1
`

func TestVerifyStatus(t *testing.T) {
	t.Parallel()
	if err := verifyStatus([]byte(status), 65534, 65534); err != nil {
		t.Errorf("a confined child is refused: %v", err)
	}
	for _, breach := range [][2]string{
		{"Uid:	65534", "Uid:	0"}, {"65534	65534\nGid", "65534	0\nGid"}, {"Gid:	65534", "Gid:	0"},
		{"Groups:	", "Groups:	27 "}, {"CapInh:	0", "CapInh:	1"}, {"CapPrm:	0", "CapPrm:	1"},
		{"CapEff:	0", "CapEff:	1"}, {"CapBnd:	0", "CapBnd:	1"}, {"CapAmb:	0", "CapAmb:	1"},
		{"NoNewPrivs:	1", "NoNewPrivs:	0"}, {"Seccomp:	2", "Seccomp:	0"}, {"Seccomp:	2\n", ""},
	} {
		broken := strings.Replace(status, breach[0], breach[1], 1)
		if broken == status {
			t.Fatalf("breach %q changes nothing", breach[0])
		}
		if err := verifyStatus([]byte(broken), 65534, 65534); err == nil {
			t.Errorf("%q instead of %q is accepted", breach[1], breach[0])
		}
	}
}
