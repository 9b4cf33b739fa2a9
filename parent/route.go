package parent

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"golang.org/x/sys/unix"
)

// routesRetry is the time between two attempts to install routes, ns.
const routesRetry = attachRetry

// routeOf is a route as the kernel has it. A link-local next hop is on the interface of
// the first virtual router that is Active in IPv6.
func (d *daemon) routeOf(r conf.Route) kernel.Route {
	route := wantedRoute(r)
	for _, s := range d.generations() {
		if s.held && s.family == ipc.IPv6 && r.NextHop.Is6() && r.NextHop.IsLinkLocalUnicast() {
			route.Link = d.links[s.link].index
			break
		}
	}
	return route
}

func wantedRoute(r conf.Route) kernel.Route {
	return kernel.Route{To: r.Prefix, Via: r.NextHop, Metric: r.Metric, MTU: r.MTU}.Default()
}

// configured says whether a route of the kernel's is one of the configuration:
// another daemon in the same namespace marks its own with the same protocol.
func (d *daemon) configured(r kernel.Route) bool {
	return slices.ContainsFunc(d.routes, func(c conf.Route) bool { return r.Same(wantedRoute(c)) })
}

// routeState is what has become of a static route.
type routeState struct {
	installed bool // since a virtual router is Active
	times     int  // how often it was put back
	trouble   complaint
}

// followRoutes makes our routes those of the configuration while any virtual router
// is Active, and none otherwise. Routes without our mark are never touched: one
// that is there already stays, and ours is not.
func (d *daemon) followRoutes(again bool) {
	if d.routesLost > 0 && d.now >= d.routesLost {
		d.awaitRoutes()
	}
	if len(d.routes) == 0 {
		d.routed, d.routesAgain = false, 0
		return
	}
	want := slices.ContainsFunc(d.generations(), func(s *page) bool { return s.held })
	if want == d.routed && !again {
		return
	}
	d.routed, d.routesAgain = want, 0
	if want {
		d.addRoutes()
		return
	}
	for _, state := range d.routeStates {
		state.installed = false
	}
	if err := d.removeRoutes(d.configured); err != nil {
		d.routesFailed(err)
	}
}

func (d *daemon) routesFailed(err error) {
	d.routesAgain = d.now + routesRetry
	if d.routesTrouble.about(err, d.now) {
		d.log.Error("routes", "error", err)
	}
}

// setRoutes takes over the routes of a configuration. What is not in it any
// more goes; the kernel reports changes of routes to us as far as they concern
// these.
func (d *daemon) setRoutes(routes []conf.Route) {
	if slices.Equal(routes, d.routes) {
		return
	}
	errs := []error{d.removeRoutes(func(r kernel.Route) bool {
		stays := slices.ContainsFunc(routes, func(c conf.Route) bool { return r.Same(wantedRoute(c)) })
		return d.routed && d.configured(r) && !stays
	})}
	states := make(map[conf.Route]*routeState)
	for _, c := range routes {
		if states[c] = d.routeStates[c]; states[c] == nil {
			states[c] = &routeState{}
		}
	}
	errs = append(errs, d.monitor.watchRoutes(routes))
	if d.routes, d.routeStates = routes, states; d.routed {
		d.routesAgain = d.now // for what is new
	}
	if err := errors.Join(errs...); err != nil {
		d.routesFailed(err)
	}
}

// addRoutes installs what is not there. If one that was cannot be put back, the
// virtual routers hand over: what hosts send to them would go nowhere.
func (d *daemon) addRoutes() {
	there, err := kernel.Routes()
	if err != nil {
		d.routesFailed(err)
		return
	}
	d.routesTrouble.about(nil, d.now)
	var lost []error
	for _, c := range d.routes {
		state := d.routeStates[c]
		err := d.install(c, there)
		if err != nil {
			err = fmt.Errorf("%v via %v: %w", c.Prefix, c.NextHop, err)
		}
		tell := state.trouble.about(err, d.now)
		switch {
		case err == nil:
			continue
		case errors.Is(err, unix.EEXIST):
			if tell {
				d.log.Warn("another route is in the place of ours, and stays", "route", c.Prefix, "metric", c.Metric)
			}
		default:
			if tell {
				d.log.Error("routes", "error", err)
			}
			if d.routesAgain = d.now + routesRetry; state.installed {
				lost = append(lost, err)
			}
		}
		state.installed = false
	}
	if len(lost) > 0 {
		d.loseRoutes(errors.Join(lost...))
	}
}

// install installs a route if it is not there as it should be.
func (d *daemon) install(c conf.Route, there []kernel.Route) error {
	state := d.routeStates[c]
	if i := slices.IndexFunc(there, func(r kernel.Route) bool { return r.Same(wantedRoute(c)) }); i >= 0 {
		if there[i].MTU == c.MTU {
			state.installed = true
			return nil
		}
		if err := d.removeRoute(there[i]); err != nil {
			return err
		}
	}
	if err := d.installRoute(d.routeOf(c)); err != nil {
		return err
	}
	if state.installed {
		state.times++
		if d.correcting.take(d.now) {
			d.log.Warn("put back a route that was gone", "route", c.Prefix, "nh", c.NextHop, "times", state.times)
		}
	} else {
		d.log.Info("route installed", "route", c.Prefix, "nh", c.NextHop)
	}
	state.installed = true
	return nil
}

// loseRoutes hands over, and keeps the virtual routers in Initialize until
// the next hop can be reached again; else they would preempt at once.
func (d *daemon) loseRoutes(why error) {
	d.routesLost = d.now + routesRetry
	for _, s := range d.slots {
		if s != nil && s.held {
			d.stepDown(s, why)
		}
	}
	d.ownAll()
}

// awaitRoutes ends the wait once no next hop is out of reach.
func (d *daemon) awaitRoutes() {
	d.routesLost = d.now + routesRetry
	for _, c := range d.routes {
		if d.routeStates[c].trouble.lasts() && !d.reaches(c.NextHop) {
			return
		}
	}
	d.routesLost = 0
	d.ownAll()
}

// ownAll tells the child which virtual routers have to wait, and which need not.
func (d *daemon) ownAll() {
	for _, l := range d.links {
		if l.told.Up {
			d.own(l)
		}
	}
}

// reaches says whether a next hop is on a link, or will be once a virtual
// router has its addresses.
func (d *daemon) reaches(hop netip.Addr) bool {
	if hop.IsLinkLocalUnicast() {
		return true
	}
	for _, s := range d.slots {
		if s != nil && slices.ContainsFunc(d.place(&s.page), func(a vaddr) bool { return a.Prefix.Masked().Contains(hop) }) {
			return true
		}
	}
	return kernel.OnLink(hop)
}

// sweepRoutes removes routes that a dead daemon has left. A route does not
// say which interface its daemon had the lock of: where another one lives only
// those go that are of our configuration, and not on an interface of its.
func (d *daemon) sweepRoutes(orphan func(index int) bool) error {
	alone := d.alone()
	heirs := slices.ContainsFunc(d.slots, func(s *slot) bool { return s != nil && s.inherited && s.held })
	return d.removeRoutes(func(r kernel.Route) bool {
		ours := d.configured(r)
		if ours && heirs || !alone && !(ours && orphan(r.Link)) {
			return false // another daemon's; or one that stays as long as a virtual router is Active
		}
		d.log.Warn("sweeping a route left behind", "route", r.To)
		return true
	})
}

// removeRoutes removes those of the routes with our mark that are meant.
func (d *daemon) removeRoutes(meant func(kernel.Route) bool) error {
	there, err := kernel.Routes()
	errs := []error{err}
	for _, r := range there {
		if meant(r) {
			errs = append(errs, d.removeRoute(r))
		}
	}
	return errors.Join(errs...)
}
