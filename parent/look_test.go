package parent

import (
	"net/netip"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestNear: the child names whom to ask after, but only on the link itself.
func TestNear(t *testing.T) {
	t.Parallel()
	four := &link{wire: wire{linkName: linkName{"eth0", ipc.IPv4}, index: 3, prefixes: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24")}}}
	six := &link{wire: wire{linkName: linkName{"eth0", ipc.IPv6}, index: 3, prefixes: []netip.Prefix{netip.MustParsePrefix("fe80::1/64"), netip.MustParsePrefix("2001:db8::1/64")}}}
	for _, tt := range []struct {
		l    *link
		peer string
		want bool
	}{
		{four, "10.9.0.2", true}, {four, "10.8.0.2", false}, {four, "fe80::2", false},
		{six, "fe80::2", true}, {six, "fe80:0:80::2", false}, {six, "2001:db8::2", false}, {six, "10.9.0.2", false},
		{&link{wire: wire{linkName: four.linkName, prefixes: four.prefixes}}, "10.9.0.2", false},
	} {
		if got := tt.l.near(netip.MustParseAddr(tt.peer)); got != tt.want {
			t.Errorf("%v on %v: %v", tt.peer, tt.l.linkName, got)
		}
	}
}
