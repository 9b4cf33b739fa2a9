package source

import (
	"net/netip"
	"slices"

	"github.com/rvrrpd/rvrrpd/conf"
)

// vip reads the virtual addresses, says whether the first of them is derived,
// and whether they are IPv6: the first valid one decides.
func (b *builder) vip(s *section) (addresses []conf.Address, derived, ipv6 bool) {
	n := s.values["vip"]
	if n == nil {
		return nil, false, false
	}
	label := join(s.label, "vip")
	items, labels := []*node{n}, []string{label}
	if n.kind == arrayKind {
		items, labels = n.items, nil
		for i := range items {
			labels = append(labels, numbered(label, i))
		}
	}
	var late *Error // a link-local address that does not stand first
	for i, item := range items {
		if item.kind != stringKind {
			continue
		}
		a, problem := parseAddress(item.text)
		if problem != "" {
			b.fail(item.line, labels[i], "%s %s; accepted: %s", item.shown(), problem, acceptedVIP)
			continue
		}
		if len(addresses) == 0 {
			ipv6 = a.Addr.Is6()
		}
		if a.Addr.Is6() != ipv6 {
			b.fail(item.line, labels[i], "%s is of another family than the first address; accepted: one family in a virtual router", item.shown())
			continue
		}
		if !b.take(s, a.Addr, item, labels[i]) {
			continue
		}
		if slices.ContainsFunc(setAside, func(p netip.Prefix) bool { return p.Contains(a.Addr) }) {
			b.warn(item, labels[i], "%v is link-local and reserved (RFC 3927 §2.1): hosts reach it on this link alone, and some not at all", a.Addr)
		}
		if linkLocal6(a.Addr) && late == nil && len(addresses) > 0 && !linkLocal6(addresses[0].Addr) {
			late = &Error{Line: item.line, Key: labels[i], Problem: item.text}
		}
		addresses = append(addresses, a)
	}
	switch {
	case len(addresses) == 0 || !ipv6 || linkLocal6(addresses[0].Addr):
		return addresses, false, ipv6
	case late != nil:
		b.fail(late.Line, late.Key, "%q is link-local and does not stand first; accepted: a link-local address first, as version 3 wants it", late.Problem)
		return addresses, false, ipv6
	}
	return b.derive(s, n, label, addresses), true, ipv6
}

// linkLocal6 tells whether an address is link-local in IPv6.
func linkLocal6(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// take makes an address one of a virtual router, unless it is one on the same
// interface already. Two interfaces may be in networks that know nothing of
// each other; where a global address is on both, that is told.
func (b *builder) take(s *section, a netip.Addr, n *node, label string) bool {
	id := addressID{a, s.text("interface")}
	if first, taken := b.addresses[id]; taken {
		b.fail(n.line, label, "%v is already an address of %s (line %d); accepted: each address once on an interface", a, first.label, first.line)
		return false
	}
	b.addresses[id] = place{s.label, n.line}
	first, elsewhere := b.anywhere[a]
	switch {
	case linkLocal6(a):
	case elsewhere:
		b.warn(n, label, "%v is an address of %s (line %d) on another interface, too: no host may see both", a, first.label, first.line)
	default:
		b.anywhere[a] = place{s.label, n.line}
	}
	return true
}

// derive puts a link-local address in front of addresses that have none
// (RFC 9568 §5.2.9): fe80::5e00:2XX with the VRID in XX. It follows the virtual
// MAC address in looks, but is no interface identifier made from it, which
// §7.4 forbids.
func (b *builder) derive(s *section, n *node, label string, addresses []conf.Address) []conf.Address {
	if s.values["group"] == nil {
		return addresses
	}
	if len(addresses) == conf.MaxAddresses {
		b.fail(n.line, label, "has %d addresses, and a link-local one to stand first is one more; accepted: 1..%d, with that one", len(addresses), conf.MaxAddresses)
		return addresses
	}
	a := netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 12: 0x5e, 14: 2, 15: byte(s.number("group"))})
	if !b.take(s, a, n, label) {
		return addresses
	}
	return append([]conf.Address{{Addr: a, Bits: 64}}, addresses...)
}
