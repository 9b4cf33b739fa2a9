package parent

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// routesRetry is the time between two attempts to install routes, ns.
const routesRetry = attachRetry

// routeRequest is a route as the library has it, with our mark. A link-local
// next hop is on the interface of the first virtual router that is Active in
// IPv6.
func (d *daemon) routeRequest(r conf.Route) *netlink.Route {
	route := &netlink.Route{
		Dst: &net.IPNet{IP: r.Prefix.Addr().AsSlice(), Mask: net.CIDRMask(r.Prefix.Bits(), r.Prefix.Addr().BitLen())},
		Gw:  r.NextHop.AsSlice(), Priority: r.Metric, MTU: r.MTU, Protocol: protoRVRRPD,
	}
	for _, s := range d.slots {
		if s != nil && s.held && s.family == ipc.IPv6 && r.NextHop.Is6() && r.NextHop.IsLinkLocalUnicast() {
			route.LinkIndex = d.links[s.link].index
			break
		}
	}
	return route
}

// ownRoutes lists the routes with our mark.
func (k *kernel) ownRoutes() (out []netlink.Route, err error) {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		for range dumpTries {
			var list []netlink.Route
			list, err = netlink.RouteListFiltered(family, &netlink.Route{Protocol: protoRVRRPD}, netlink.RT_FILTER_PROTOCOL)
			if !errors.Is(err, netlink.ErrDumpInterrupted) {
				out = append(out, list...)
				break
			}
		}
		if err != nil {
			return nil, fmt.Errorf("routes: %w", err)
		}
	}
	return out, nil
}

// configured says whether a route of the kernel's is one of the configuration:
// another daemon in the same namespace marks its own with the same protocol.
func (d *daemon) configured(r netlink.Route) bool {
	return slices.ContainsFunc(d.routes, func(c conf.Route) bool { return sameRoute(r, c) })
}

// sameRoute says whether a route of the kernel's is the one of the configuration.
func sameRoute(r netlink.Route, c conf.Route) bool {
	gw, _ := netip.AddrFromSlice(r.Gw)
	if r.Dst == nil { // the default route
		return c.Prefix.Bits() == 0 && gw.Unmap() == c.NextHop
	}
	dst, _ := netip.AddrFromSlice(r.Dst.IP)
	bits, _ := r.Dst.Mask.Size()
	return netip.PrefixFrom(dst.Unmap(), bits) == c.Prefix && gw.Unmap() == c.NextHop
}

// followRoutes makes our routes those of the configuration while any virtual router
// is Active, and none otherwise. Routes without our mark are never touched: one
// that is there already stays, and ours is not.
func (d *daemon) followRoutes(again bool) {
	want := false
	for _, s := range d.slots {
		want = want || s != nil && s.held
	}
	if len(d.routes) == 0 || want == d.routed && !again {
		return
	}
	d.routed, d.routesAgain = want, 0
	follow := d.deleteRoutes
	if want {
		follow = d.addRoutes
	}
	if err := follow(); err != nil {
		d.log.Error("routes", "error", err)
		d.routesAgain = d.now + routesRetry
	}
}

// setRoutes takes over the routes of a configuration. What is not in it any
// more goes; only with routes does the kernel report changes of routes to us.
func (d *daemon) setRoutes(routes []conf.Route) {
	if slices.Equal(routes, d.routes) {
		return
	}
	if err := errors.Join(d.dropRoutes(), d.kernel.watchRoutes(len(routes) > 0)); err != nil {
		d.log.Error("routes", "error", err)
	}
	d.routes, d.routed = routes, false
}

// addRoutes installs what is not there.
func (d *daemon) addRoutes() error {
	there, err := d.kernel.ownRoutes()
	errs := []error{err}
	for _, c := range d.routes {
		found := false
		for _, r := range there {
			found = found || sameRoute(r, c)
		}
		if found {
			continue
		}
		if err := netlink.RouteAdd(d.routeRequest(c)); err != nil {
			errs = append(errs, fmt.Errorf("%v via %v: %w", c.Prefix, c.NextHop, err))
		} else {
			d.log.Info("route installed", "route", c.Prefix, "nh", c.NextHop)
		}
	}
	return errors.Join(errs...)
}

func deleteRoute(r netlink.Route) error {
	if err := netlink.RouteDel(&r); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("remove route %v: %w", r.Dst, err)
	}
	return nil
}

// sweepRoutes removes routes that a dead daemon has left. A route does not
// say which interface its daemon had the lock of: where another one lives only
// those go that are of our configuration, and not on an interface of its.
func (d *daemon) sweepRoutes(orphan func(index int) bool) error {
	there, err := d.kernel.ownRoutes()
	errs := []error{err}
	alone := d.alone()
	heirs := slices.ContainsFunc(d.slots, func(s *slot) bool { return s != nil && s.inherited && s.held })
	for _, r := range there {
		ours := d.configured(r)
		if ours && heirs {
			continue // it stays as long as a virtual router is Active
		}
		if alone || ours && orphan(r.LinkIndex) {
			d.log.Warn("sweeping a route left behind", "route", r.Dst)
			errs = append(errs, deleteRoute(r))
		}
	}
	return errors.Join(errs...)
}

// dropRoutes removes our routes for good.
func (d *daemon) dropRoutes() error {
	if !d.routed {
		return nil
	}
	return d.deleteRoutes()
}

// deleteRoutes deletes the routes that are ours.
func (d *daemon) deleteRoutes() error {
	there, err := d.kernel.ownRoutes()
	errs := []error{err}
	for _, r := range there {
		if d.configured(r) {
			errs = append(errs, deleteRoute(r))
		}
	}
	return errors.Join(errs...)
}
