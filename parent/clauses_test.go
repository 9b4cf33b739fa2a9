package parent

import (
	"net/netip"
	"testing"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// reported is an address as the kernel reports it.
func reported(prefix string, scope, flags uint8) []byte {
	p := netip.MustParsePrefix(prefix)
	msg := nl.NewIfAddrmsg(unix.AF_INET)
	kind := unix.IFA_LOCAL
	if p.Addr().Is6() {
		msg, kind = nl.NewIfAddrmsg(unix.AF_INET6), unix.IFA_ADDRESS
	}
	msg.Index, msg.Prefixlen, msg.Scope, msg.Flags = 7, uint8(p.Bits()), scope, flags
	return append(msg.Serialize(), nl.NewRtAttr(kind, p.Addr().AsSlice()).Serialize()...)
}

// TestPrimary: advertisements come from the first IPv4 address, or from the
// link-local IPv6 address once it is known to be unique (RFC 5798 §7.2).
func TestPrimary(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, prefix string
		scope, flags uint8
		want         bool
	}{
		{"IPv4", "10.9.0.1/24", unix.RT_SCOPE_UNIVERSE, 0, true},
		{"IPv4 secondary", "10.9.0.2/24", unix.RT_SCOPE_UNIVERSE, unix.IFA_F_SECONDARY, false},
		{"IPv4 of link scope", "169.254.9.1/16", unix.RT_SCOPE_LINK, 0, false},
		{"IPv6 link-local", "fe80::1/64", unix.RT_SCOPE_LINK, unix.IFA_F_PERMANENT, true},
		{"IPv6 global", "2001:db8::1/64", unix.RT_SCOPE_UNIVERSE, unix.IFA_F_PERMANENT, false},
		{"IPv6 unique local", "fd00::1/64", unix.RT_SCOPE_UNIVERSE, unix.IFA_F_PERMANENT, false},
		{"IPv6 link-local, tentative", "fe80::1/64", unix.RT_SCOPE_LINK, unix.IFA_F_TENTATIVE, false},
		{"IPv6 link-local, a duplicate", "fe80::1/64", unix.RT_SCOPE_LINK, unix.IFA_F_DADFAILED, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := facts.ParseAddress(reported(tt.prefix, tt.scope, tt.flags))
			if err != nil || a.Prefix.String() != tt.prefix || a.Index != 7 || a.Primary != tt.want {
				t.Errorf("%+v, %v; want primary %v", a, err, tt.want)
			}
		})
	}
}
