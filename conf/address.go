package conf

import (
	"fmt"
	"net/netip"
)

// reservedIPv4 are networks no router can own an address of; RFC 6890 lists
// them.
var reservedIPv4 = []struct {
	prefix netip.Prefix
	name   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "an address of this network"},
	{netip.MustParsePrefix("127.0.0.0/8"), "a loopback address"},
	{netip.MustParsePrefix("169.254.0.0/32"), "the address of the network 169.254.0.0/16 itself"},
	{netip.MustParsePrefix("169.254.255.255/32"), "the broadcast address of 169.254.0.0/16"},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address"},
	{netip.MustParsePrefix("255.255.255.255/32"), "the broadcast address"},
}

// Unfit says why an address cannot be that of a virtual router, "" if it can.
func (a Address) Unfit() string {
	switch {
	case !a.Addr.IsValid() || a.Addr.Zone() != "" || a.Bits < 0 || a.Bits > a.Addr.BitLen():
		return "is not an IP address with or without a prefix length"
	case a.Addr.Is4():
		return notUnicast4(a.Addr, a.Bits)
	default:
		return notUnicast6(a.Addr)
	}
}

// notUnicast4 says why an IPv4 address cannot be that of a virtual router. In
// a prefix that leaves room for more than two hosts (RFC 3021) the first
// address names the network and the last one is its broadcast address.
func notUnicast4(addr netip.Addr, bits int) string {
	for _, r := range reservedIPv4 {
		if r.prefix.Contains(addr) {
			return "is " + r.name
		}
	}
	if bits == 0 || bits > 30 {
		return ""
	}
	network := netip.PrefixFrom(addr, bits).Masked()
	if network.Addr() == addr {
		return fmt.Sprintf("is the address of the network %v itself", network)
	}
	if next := addr.Next(); !next.IsValid() || !network.Contains(next) {
		return fmt.Sprintf("is the broadcast address of %v", network)
	}
	return ""
}

func notUnicast6(addr netip.Addr) string {
	switch {
	case addr.Is4In6():
		return "is an IPv4 address written as IPv6"
	case addr.IsUnspecified():
		return "is the unspecified address"
	case addr.IsLoopback():
		return "is a loopback address"
	case addr.IsMulticast():
		return "is a multicast address"
	}
	return ""
}
