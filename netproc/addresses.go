package netproc

import (
	"net/netip"
	"slices"
)

// addressLists are what the addresses of an advertisement are held against, in
// any order: each list but the first is sorted. What is advertised stays as it is,
// because the first address of IPv6 has to be the link-local one.
type addressLists struct {
	listed []netip.Addr   // the router's addresses, in the order they are configured in
	sorted []netip.Addr   // the same
	former [][]netip.Addr // those before reloads, until somebody advertises these
	copied []netip.Addr   // memory that is used again
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

// wereOurs says whether a list has addresses that were ours before a reload, while
// nobody has advertised those of now: where all have to have the same, the routers
// are reloaded one after the other.
func (l *addressLists) wereOurs(list []netip.Addr) bool {
	return l.formerly(list) >= 0
}

// formerly is the place of a list among those before, negative for none.
func (l *addressLists) formerly(list []netip.Addr) int {
	if len(l.former) == 0 {
		return -1
	}
	list = l.inOrder(list)
	return slices.IndexFunc(l.former, func(f []netip.Addr) bool { return slices.Equal(list, f) })
}

// advertised takes into account that somebody advertises a list. With ours the ones
// before are over; of those, the one that is in use is the first.
func (l *addressLists) advertised(list []netip.Addr) {
	if len(l.former) == 0 {
		return
	}
	if l.isOurs(list) {
		l.former = nil
		return
	}
	if at := l.formerly(list); at > 0 {
		used := l.former[at]
		copy(l.former[1:], l.former[:at])
		l.former[0] = used
	}
}

// formerMax bounds the lists before that are remembered.
const formerMax = 4

// readdress replaces our addresses. A list that nobody has ever advertised, with a
// mistake that is corrected by a second reload, must not be all that is remembered:
// so the first stays, which is the one in use, and of the others the newest.
func (l *addressLists) readdress(to addressLists) {
	if slices.Equal(l.sorted, to.sorted) {
		l.listed = to.listed
		return
	}
	l.former = slices.DeleteFunc(append(l.former, l.sorted), func(f []netip.Addr) bool { return slices.Equal(f, to.sorted) })
	if len(l.former) > formerMax {
		l.former = slices.Delete(l.former, 1, 2)
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
