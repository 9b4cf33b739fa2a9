package parent

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"github.com/rvrrpd/rvrrpd/parent/logger"
	"golang.org/x/sys/unix"
)

// Static routes are followed by the keeper. It asks for them by number; here is what it may
// have, and what is to be removed in the end.

// defaultMetric6 is what the kernel makes of no metric in IPv6.
const defaultMetric6 = 1024

// staticRoute is one of the configuration, or of one before.
type staticRoute struct {
	kernel.Route
	granted   bool // the configuration has it
	installed bool // it may be there
}

// setRoutes takes over the routes of a configuration. Those of one before keep their numbers.
func (d *daemon) setRoutes(routes []conf.Route) {
	numbers := make(map[kernel.Route]int)
	for n := range d.routes {
		numbers[d.routes[n].Route], d.routes[n].granted = n, false
	}
	for _, c := range routes {
		r := kernel.Route{To: c.Prefix, Via: c.NextHop, Metric: c.Metric, MTU: c.MTU}
		if r.To.Addr().Is6() {
			r.Metric = cmp.Or(r.Metric, defaultMetric6)
		}
		n, known := numbers[r]
		if !known {
			n, d.routes = len(d.routes), append(d.routes, staticRoute{Route: r})
			numbers[r] = n
		}
		d.routes[n].granted = true
	}
	d.keeper.Serve(d)
}

// Begun tells the keeper the routes there are, and hands it a socket by which it sees them, and
// interfaces and addresses, with which they go: one by which it could change nothing.
func (d *daemon) Begun() {
	if len(d.routes) == 0 {
		return
	}
	socket, err := kernel.OpenReports(append(observed, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE)...)
	if err != nil {
		d.log.Error("routes", "error", err)
	}
	d.routed = d.anyHeld()
	for at := 0; at < len(d.routes); at += keeping.MaxRoutes {
		k, fds := keeping.Routing{Active: d.routed, Lost: d.routesLost, More: at+keeping.MaxRoutes < len(d.routes)}, []int{socket.FD}
		for n := at; n < min(at+keeping.MaxRoutes, len(d.routes)); n++ {
			r := d.routes[n]
			k.Routes = append(k.Routes, keeping.Route{Number: n, To: r.To, Via: r.Via, Metric: r.Metric, MTU: r.MTU, Granted: r.granted, Installed: r.installed})
		}
		d.keeper.Tell(keeping.Routes, k, fds[min(at, 1):]...)
	}
	unix.Close(socket.FD)
}

// anyHeld says whether any virtual router holds its addresses.
func (d *daemon) anyHeld() bool {
	held := func(s *page) bool { return s != nil && s.held }
	return slices.ContainsFunc(d.pages, held) || slices.ContainsFunc(d.oldPages, held)
}

// tellActive tells the keeper when the first virtual router is Active, and when none is any
// more. One that does not hear it is told anew, or the next one.
func (d *daemon) tellActive() {
	if active := len(d.routes) > 0 && d.anyHeld(); active != d.routed {
		d.routed = active
		d.keeper.Tell(keeping.Active, active)
	}
}

// Asked does what the keeper asks for: with routes of the configuration, while a virtual router
// is Active, and with those that are left of one before.
func (d *daemon) Asked(q keeping.Question) error {
	if q.Number < 0 || q.Number >= len(d.routes) {
		return fmt.Errorf("%w: route %d of %d", logger.ErrForeign, q.Number, len(d.routes))
	}
	s := &d.routes[q.Number]
	switch q.Request {
	case keeping.Lose, keeping.Find:
		return d.loseRoutes(s, q.Request == keeping.Lose)
	case keeping.Remove:
		err := d.removeRoutes(func(r kernel.Route) bool { return s.installed && r.Same(s.Route) })
		s.installed = s.installed && err != nil
		return err
	case keeping.Reaches:
		return d.reaches(s.Via)
	case keeping.Install:
		return d.installRoute(s)
	}
	return fmt.Errorf("%w: %d", logger.ErrForeign, q.Request)
}

// installRoute installs a route.
func (d *daemon) installRoute(s *staticRoute) error {
	if !s.granted || !d.anyHeld() {
		return unix.EAGAIN // the keeper has not heard it yet
	}
	was := s.installed
	s.installed = true // undoing never forgets
	err := kernel.AddRoute(d.onLink(s.Route))
	if err != nil {
		s.installed = was
	}
	return err
}

// onLink is a route with its link: a link-local next hop is on the interface of the first
// virtual router that is Active in IPv6.
func (d *daemon) onLink(r kernel.Route) kernel.Route {
	for _, s := range d.generations() {
		if s.held && s.family == ipc.IPv6 && r.Via.Is6() && r.Via.IsLinkLocalUnicast() {
			r.Link = d.links[s.link].index
			break
		}
	}
	return r
}

// reaches says whether a virtual router has, or would have, a next hop in a subnet of its own.
func (d *daemon) reaches(hop netip.Addr) error {
	for _, s := range present(d.slots) {
		if slices.ContainsFunc(d.place(&s.page), func(a vaddr) bool { return a.Prefix.Masked().Contains(hop) }) {
			return nil
		}
	}
	return unix.ENETUNREACH
}

// loseRoutes hands over for a route, and keeps the virtual routers in Initialize until the next
// hop can be reached again; else they would preempt at once.
func (d *daemon) loseRoutes(r *staticRoute, lost bool) error {
	switch {
	case lost == d.routesLost:
		return nil
	case lost && !d.anyHeld(): // else it could be lost and found without end
		return unix.EAGAIN
	}
	d.routesLost = lost
	for _, s := range present(d.slots) {
		if lost && s.held {
			d.stepDown(s, fmt.Errorf("%v via %v cannot be put back", r.To, r.Via))
		}
	}
	for _, l := range d.links {
		if l.told.Up {
			d.own(l)
		}
	}
	return nil
}

// sweepRoutes removes routes that a dead daemon has left. A route does not
// say which interface its daemon had the lock of, and another daemon in the same namespace marks
// its own with the same protocol: where one lives only those go that are of our configuration,
// and not on an interface of its.
func (d *daemon) sweepRoutes(orphan func(index int) bool) error {
	alone := d.alone()
	heirs := slices.ContainsFunc(d.slots, func(s *slot) bool { return s != nil && s.inherited && s.held })
	return d.removeRoutes(func(r kernel.Route) bool {
		i := slices.IndexFunc(d.routes, func(s staticRoute) bool { return s.granted && r.Same(s.Route) })
		if i >= 0 && heirs {
			d.routes[i].installed = true // it stays as long as a virtual router is Active
			return false
		}
		if !alone && !(i >= 0 && orphan(r.Link)) {
			return false // another daemon's
		}
		d.log.Warn("sweeping a route left behind", "route", r.To)
		return true
	})
}

// removeRoutes removes those of the routes with our mark that are meant.
func (d *daemon) removeRoutes(meant func(kernel.Route) bool) error {
	there, err := kernel.Routes()
	for _, r := range there {
		if meant(r) {
			err = errors.Join(err, kernel.DeleteRoute(r))
		}
	}
	return err
}
