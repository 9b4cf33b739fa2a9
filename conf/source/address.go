package source

import (
	"net/netip"
	"strings"

	"github.com/rvrrpd/rvrrpd/conf"
)

// setAside are the link-local networks that RFC 3927 §2.1 sets aside. Nobody
// picks an address of them by himself; OpenStack has its virtual ones there.
var setAside = []netip.Prefix{netip.MustParsePrefix("169.254.0.0/24"), netip.MustParsePrefix("169.254.255.0/24")}

// parseAddress reads a virtual address of either family, with or without a
// prefix length. The problem says what is wrong with it, "" if nothing.
func parseAddress(text string) (a conf.Address, problem string) {
	addr, err := netip.ParseAddr(text)
	bits := 0
	if strings.Contains(text, "/") {
		var p netip.Prefix
		p, err = netip.ParsePrefix(text)
		addr, bits = p.Addr(), p.Bits()
		if err == nil && bits == 0 {
			return a, "has a prefix length of 0"
		}
	}
	if err != nil {
		return a, "is not an IP address with or without a prefix length"
	}
	a = conf.Address{Addr: addr, Bits: bits}
	return a, a.Unfit()
}
