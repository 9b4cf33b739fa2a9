package source_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	c, err := source.Parse("f", []byte(least+`[protocols]
[[protocols.static]]
route = "0.0.0.0"
mask = "0.0.0.0"
nh = "192.0.2.1"
[[protocols.static]]
route = "10.0.0.0"
mask = "255.255.240.0"
nh = "192.0.2.1"
metric = 7
mtu = 1400
[[protocols.static]]
route = "172.16.0.0/12"
nh = "192.0.2.2"
[[protocols.static]]
route = "2001:db8::/32"
nh = "fe80::1"
`), conf.TOML)
	if err != nil {
		t.Fatal(err)
	}
	hop := netip.MustParseAddr("192.0.2.1")
	want := []conf.Route{
		{Prefix: netip.MustParsePrefix("0.0.0.0/0"), NextHop: hop},
		{Prefix: netip.MustParsePrefix("10.0.0.0/20"), NextHop: hop, Metric: 7, MTU: 1400},
		{Prefix: netip.MustParsePrefix("172.16.0.0/12"), NextHop: hop.Next()},
		{Prefix: netip.MustParsePrefix("2001:db8::/32"), NextHop: netip.MustParseAddr("fe80::1")},
	}
	if diff := cmp.Diff(want, c.Routes, addr); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRouteErrors(t *testing.T) {
	t.Parallel()
	const hop = `an IPv4 network, with mask or as in "10.0.0.0/8", or an IPv6 network as in "2001:db8::/32"`
	for _, test := range []struct{ name, text, want string }{
		{"no mask", "route = \"10.0.0.0\"\nnh = \"192.0.2.1\"\n", `f:5: protocols.static[1].mask: is missing; accepted: an IPv4 network mask, as in "255.255.255.0", or a prefix length in route`},
		{"mask and prefix", "route = \"10.0.0.0/8\"\nmask = \"255.0.0.0\"\nnh = \"192.0.2.1\"\n", `f:7: protocols.static[1].mask: is given beside the prefix length of "10.0.0.0/8"; accepted: one of them`},
		{"mask in IPv6", "route = \"2001:db8::\"\nmask = \"255.0.0.0\"\nnh = \"fe80::1\"\n", `f:7: protocols.static[1].mask: has no meaning in IPv6; accepted: a prefix length in route, as in "2001:db8::/32"`},
		{"host bits", "route = \"10.0.0.1/8\"\nnh = \"192.0.2.1\"\n", `f:6: protocols.static[1].route: "10.0.0.1/8" has bits set beyond its prefix length of 8; accepted: 10.0.0.0/8`},
		{"next hop of another family", "route = \"10.0.0.0/8\"\nnh = \"fe80::1\"\n", `f:7: protocols.static[1].nh: "fe80::1" is of another family than 10.0.0.0/8; accepted: a unicast address of the family of the route`},
		{"no network", "route = \"somewhere\"\nnh = \"192.0.2.1\"\n", `f:6: protocols.static[1].route: "somewhere" is not valid; accepted: ` + hop},
		{"multicast next hop", "route = \"10.0.0.0/8\"\nnh = \"224.0.0.1\"\n", `f:7: protocols.static[1].nh: "224.0.0.1" is not valid; accepted: a unicast address of the family of the route`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantErrors(t, least+"[[protocols.static]]\n"+test.text, conf.TOML, test.want)
		})
	}
}

func TestIOCTL(t *testing.T) {
	t.Parallel()
	const ioctl = "netdrv = \"ioctl\"\n"
	if r := parsed(t, least+ioctl)[0]; !r.IOCTL {
		t.Error("ioctl is not taken over")
	}
	wantErrors(t, six+"vip = \"fe80::1\"\n"+ioctl, conf.TOML, `f:5: vrouter[1].netdrv: "ioctl" knows no IPv6; accepted: "libnl"`)
	wantErrors(t, six+"vip = [\"192.0.2.1\", \"192.0.2.2\"]\n"+ioctl, conf.TOML, `f:5: vrouter[1].netdrv: "ioctl" knows one address of a virtual router; accepted: "libnl", or one vip`)
}

func TestAnnouncements(t *testing.T) {
	t.Parallel()
	want := conf.Announcements{Repeat: 2, Refresh: time.Minute, Interval: 50 * time.Millisecond}
	text := " = { repeat = 2, delay = 0, refresh = 60, interval = 0.05 }\n"
	four, v6 := parsed(t, least+"garp"+text)[0], parsed(t, six+"vip = \"fe80::1\"\nna"+text)[0]
	if four.Announcements != want || v6.Announcements != want {
		t.Errorf("got %+v and %+v", four.Announcements, v6.Announcements)
	}
	wantErrors(t, least+"na"+text, conf.TOML, `f:5: vrouter[1].na: has no meaning with IPv4 addresses; accepted: garp`)
	wantErrors(t, six+"vip = \"fe80::1\"\ngarp"+text, conf.TOML, `f:5: vrouter[1].garp: has no meaning with IPv6 addresses; accepted: na`)
	wantErrors(t, least+"garp.repeat = 0\n", conf.TOML, `f:5: vrouter[1].garp.repeat: 0 is out of range; accepted: 1..20`)
	wantErrors(t, least+"garp.interval = 1.01\n", conf.TOML, `f:5: vrouter[1].garp.interval: 1.01 is out of range; accepted: 0..1 in steps of 0.01`)
	if r := parsed(t, least+"ether_mac = true\n")[0]; !r.EtherMAC {
		t.Error("ether_mac is not taken over")
	}
	wantErrors(t, least+"iftype = \"macvlan\"\nether_mac = true\n", conf.TOML, `f:6: vrouter[1].ether_mac: has no meaning with iftype = "macvlan"; accepted: ether_mac with iftype = "ether"`)
	wantErrors(t, least+"ether_mac = true\n[[vrouter]]\ngroup = 8\ninterface = \"eth0\"\nvip = \"192.0.2.7\"\nether_mac = true\n", conf.TOML,
		`f:10: vrouter[2].ether_mac: eth0 already takes the virtual MAC address of vrouter[1] (line 5); accepted: one virtual router of an interface, or iftype = "macvlan"`)
}
