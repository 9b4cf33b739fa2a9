package netproc

import (
	"net/netip"
	"slices"
)

// addressLists are what the addresses of an advertisement are held against, in
// any order: each list but the first is sorted. What is advertised stays as it is, because the
// first address of IPv6 has to be the link-local one.
type addressLists struct {
	listed []netip.Addr // the router's addresses, in the order they are configured in
	sorted []netip.Addr // the same
	former []netip.Addr // those before a reload, until somebody advertises the others
	copied []netip.Addr // memory that is used again
}

// listsOf are those of a router with these addresses.
func listsOf(addresses []netip.Addr) addressLists {
	sorted := slices.Clone(addresses)
	slices.SortFunc(sorted, netip.Addr.Compare)
	return addressLists{listed: addresses, sorted: sorted}
}

// isOurs says whether a list has our addresses.
func (l *addressLists) isOurs(list []netip.Addr) bool {
	return slices.Equal(list, l.listed) || len(list) == len(l.sorted) && slices.Equal(l.inOrder(list), l.sorted)
}

// wereOurs says whether a list has the addresses that were ours before the last
// reload, while nobody has advertised those of now: where all have to have the
// same, the routers are reloaded one after the other.
func (l *addressLists) wereOurs(list []netip.Addr) bool {
	return len(list) == len(l.former) && slices.Equal(l.inOrder(list), l.former)
}

// readdress replaces our addresses.
func (l *addressLists) readdress(to addressLists) {
	if !slices.Equal(l.sorted, to.sorted) {
		l.former = l.sorted
	}
	l.listed, l.sorted = to.listed, to.sorted
}

// inOrder is a sorted list with what is in another, valid until the next call.
func (l *addressLists) inOrder(list []netip.Addr) []netip.Addr {
	if slices.IsSortedFunc(list, netip.Addr.Compare) {
		return list
	}
	l.copied = append(l.copied[:0], list...)
	slices.SortFunc(l.copied, netip.Addr.Compare)
	return l.copied
}
