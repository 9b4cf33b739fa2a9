package parent

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"golang.org/x/sys/unix"
)

// TestConcerns: of routes only those to destinations of ours are news, whoever
// made them or took them away.
func TestConcerns(t *testing.T) {
	t.Parallel()
	message := func(kind byte, protocol byte, to string) []byte {
		b := make([]byte, 28)
		b[4], b[16], b[16+5] = kind, unix.AF_INET, protocol
		if to != "" {
			p := netip.MustParsePrefix(to)
			if b[16+1] = byte(p.Bits()); p.Addr().Is6() {
				b[16] = unix.AF_INET6
			}
			if p.Bits() > 0 {
				addr := p.Addr().AsSlice()
				b = append(b, 8, 0, unix.RTA_TABLE, 0, 254, 0, 0, 0, byte(4+len(addr)), 0, unix.RTA_DST, 0)
				b = append(b, addr...)
			}
		}
		binary.NativeEndian.PutUint32(b, uint32(len(b)))
		return b
	}
	k := &monitor{destinations: map[netip.Prefix]bool{netip.MustParsePrefix("10.64.0.0/16"): true, netip.MustParsePrefix("::/0"): true}}
	for _, tt := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"nothing", nil, false},
		{"another route", message(24, 186, "10.65.0.0/16"), false},
		{"another length", message(24, 186, "10.64.0.0/17"), false},
		{"another of our protocol gone", message(25, facts.Protocol, "10.65.0.0/16"), false},
		{"the default route of the other family", message(24, 186, "0.0.0.0/0"), false},
		{"ours gone", message(25, facts.Protocol, "10.64.0.0/16"), true},
		{"somebody's in the place of ours", message(24, 186, "10.64.0.0/16"), true},
		{"and gone", message(25, 186, "10.64.0.0/16"), true},
		{"the default route", message(24, 186, "::/0"), true},
		{"a link", message(16, 0, ""), true},
		{"an address behind routes", slices.Concat(message(24, 186, "10.65.0.0/16"), message(25, 186, "2001:db8::/32"), message(21, 0, "")), true},
		{"malformed", []byte{200, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true},
		{"malformed attribute", message(24, 186, "10.65.0.0/16")[:40], true},
	} {
		if got := k.read(tt.b); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestSameRoute: what makes a route ours is where it leads, through whom and
// its metric, for which IPv6 has a value when there is none.
func TestSameRoute(t *testing.T) {
	t.Parallel()
	four := conf.Route{Prefix: netip.MustParsePrefix("10.64.0.0/16"), NextHop: netip.MustParseAddr("10.9.0.99"), Metric: 5, MTU: 1400}
	six := conf.Route{Prefix: netip.MustParsePrefix("2001:db8::/32"), NextHop: netip.MustParseAddr("fe80::1")}
	all := conf.Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), NextHop: netip.MustParseAddr("10.9.0.99")}
	route := func(to, hop string, metric int) kernel.Route {
		return kernel.Route{To: netip.MustParsePrefix(to), Via: netip.MustParseAddr(hop), Metric: metric}
	}
	for _, tt := range []struct {
		r    kernel.Route
		c    conf.Route
		want bool
	}{
		{route("10.64.0.0/16", "10.9.0.99", 5), four, true},
		{route("10.64.0.0/16", "10.9.0.99", 6), four, false},
		{route("10.64.0.0/16", "10.9.0.98", 5), four, false},
		{route("10.64.0.0/17", "10.9.0.99", 5), four, false},
		{route("2001:db8::/32", "fe80::1", 1024), six, true},
		{route("2001:db8::/32", "fe80::1", 0), six, false},
		{route("0.0.0.0/0", "10.9.0.99", 0), all, true},
		{route("0.0.0.0/0", "10.9.0.99", 0), four, false},
	} {
		if got := tt.r.Same(wantedRoute(tt.c)); got != tt.want {
			t.Errorf("%v for %v: %v", tt.r, tt.c, got)
		}
	}
}
