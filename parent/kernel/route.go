package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// dumpTries is how often a list is asked for that has changed meanwhile.
const dumpTries = 10

// Route is a route with our mark.
type Route struct {
	To          netip.Prefix
	Via         netip.Addr
	Metric, MTU int
	Link        int            // where Via is link-local
	listed      *netlink.Route // as the kernel has it, with what is none of ours
}

// Same says whether two routes are one to the kernel, though their MTU may differ, and
// the interface.
func (r Route) Same(o Route) bool {
	return r.To == o.To && r.Via == o.Via && r.Metric == o.Metric
}

// Routes lists the routes with our mark.
func Routes() (out []Route, err error) {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		for range dumpTries {
			var list []netlink.Route
			list, err = netlink.RouteListFiltered(family, &netlink.Route{Protocol: Protocol}, netlink.RT_FILTER_PROTOCOL)
			if !errors.Is(err, netlink.ErrDumpInterrupted) {
				for _, r := range list {
					out = append(out, read(r))
				}
				break
			}
		}
		if err != nil {
			return nil, fmt.Errorf("routes: %w", err)
		}
	}
	return out, nil
}

// read translates a route of the library's, which has no destination where that is all.
func read(l netlink.Route) Route {
	via, _ := netip.AddrFromSlice(l.Gw)
	r := Route{Via: via.Unmap(), Metric: l.Priority, MTU: l.MTU, Link: l.LinkIndex, listed: &l}
	if r.To = netip.PrefixFrom(r.Via, 0).Masked(); l.Dst != nil {
		to, _ := netip.AddrFromSlice(l.Dst.IP)
		bits, _ := l.Dst.Mask.Size()
		r.To = netip.PrefixFrom(to.Unmap(), bits)
	}
	return r
}

func (r Route) request() *netlink.Route {
	return &netlink.Route{
		Dst: &net.IPNet{IP: r.To.Addr().AsSlice(), Mask: net.CIDRMask(r.To.Bits(), r.To.Addr().BitLen())},
		Gw:  r.Via.AsSlice(), Priority: r.Metric, MTU: r.MTU, Protocol: Protocol, LinkIndex: r.Link,
	}
}

// AddRoute installs a route.
func AddRoute(r Route) error { return netlink.RouteAdd(r.request()) }

// DeleteRoute removes a route that was listed; one that is gone already is no error.
func DeleteRoute(r Route) error {
	if err := netlink.RouteDel(r.listed); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("remove route %v: %w", r.To, err)
	}
	return nil
}
