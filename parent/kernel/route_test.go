package kernel

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
)

// TestReadRoute: a route of the library's is what it was made of; the default route has
// no destination there, or an empty one.
func TestReadRoute(t *testing.T) {
	t.Parallel()
	parse := func(cidr string) *net.IPNet {
		_, n, err := net.ParseCIDR(cidr)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	route := func(to, via string, metric int) Route {
		return Route{To: netip.MustParsePrefix(to), Via: netip.MustParseAddr(via), Metric: metric}
	}
	for _, tt := range []struct {
		l    netlink.Route
		want Route
	}{
		{netlink.Route{Dst: parse("10.64.0.0/16"), Gw: net.ParseIP("10.9.0.99"), Priority: 5}, route("10.64.0.0/16", "10.9.0.99", 5)},
		{netlink.Route{Dst: parse("2001:db8::/32"), Gw: net.ParseIP("fe80::1"), Priority: 1024}, route("2001:db8::/32", "fe80::1", 1024)},
		{netlink.Route{Gw: net.ParseIP("10.9.0.99")}, route("0.0.0.0/0", "10.9.0.99", 0)},
		{netlink.Route{Dst: parse("0.0.0.0/0"), Gw: net.ParseIP("10.9.0.99")}, route("0.0.0.0/0", "10.9.0.99", 0)},
		{netlink.Route{Gw: net.ParseIP("fe80::1"), Priority: 1024}, route("::/0", "fe80::1", 1024)},
	} {
		got := read(tt.l)
		if !got.listed.Equal(tt.l) {
			t.Errorf("%v is deleted as %v", tt.l, got.listed)
		}
		if got.listed = nil; got != tt.want {
			t.Errorf("%v is read as %+v, want %+v", tt.l, got, tt.want)
		}
		got = read(*tt.want.request())
		if got.listed = nil; got != tt.want {
			t.Errorf("%+v is asked for as %+v", tt.want, got)
		}
	}
}
