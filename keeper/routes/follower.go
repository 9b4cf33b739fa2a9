// Package routes follows the static routes of a configuration: they are there while any
// virtual router is Active, and none of them otherwise. It decides; the parent, which has the
// configuration itself, installs and removes them by number.
package routes

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"github.com/rvrrpd/rvrrpd/pace"
	"golang.org/x/sys/unix"
)

// Implementation constants, ns.
const (
	// retry is the time between two attempts to install routes, or to reach a next hop.
	retry = int64(time.Second)
	// gather is how long reports of the kernel gather: a takeover makes thousands.
	gather = int64(50 * time.Millisecond)
)

// Never is an instant that does not come.
const Never = int64(1<<63 - 1)

// Parent does what the follower asks for. Routes have numbers, which they keep for as long as
// the daemon lives.
type Parent interface {
	// Install installs a route. The error is unix.EEXIST where another is in its place, and,
	// as of Lose, unix.EAGAIN where that is not granted now: what the parent
	// has said is on its way.
	Install(number int) error
	// Remove removes one that was installed. One that is gone already is no error.
	Remove(number int) error
	// Reaches says whether a virtual router has its next hop in a subnet of its addresses,
	// or would have it there.
	Reaches(number int) bool
	// Lose has all virtual routers hand over for a route that cannot be put back, and wait
	// until Find.
	Lose(number int) error
	Find()
}

// Kernel tells what is there.
type Kernel interface {
	Routes() ([]Route, error)
	OnLink(hop netip.Addr) bool
}

// Follower is the state of all that. It belongs to one goroutine, reads no clock and does
// nothing itself.
type Follower struct {
	parent      Parent
	kernel      Kernel
	log         *slog.Logger
	routes      map[int]*route
	active      bool  // a virtual router is
	installed   bool  // the routes are to be there
	again       int64 // when to look once more, 0 for not
	lost        int64 // one could not be put back: when to look whether it can; 0 for not
	trouble     pace.Complaint
	corrections pace.Rate // lines about what was put back
}

// route is what has become of one.
type route struct {
	keeping.Route
	installed bool // since a virtual router is Active
	awaited   bool // as far as we know it was lost, to another keeper
	times     int  // how often it was put back
	trouble   pace.Complaint
}

// New makes a follower of no routes.
func New(parent Parent, log *slog.Logger) *Follower {
	return &Follower{parent: parent, log: log, routes: make(map[int]*route), corrections: pace.Rate{Period: 10 * time.Second, Burst: 5}}
}

// is says whether a route of the kernel's is this one, though its MTU may be another.
func (r *route) is(k Route) bool { return k.To == r.To && k.Via == r.Via && k.Metric == r.Metric }

// numbers lists the routes there are, in order.
func (f *Follower) numbers() []int { return slices.Sorted(maps.Keys(f.routes)) }

// Set takes over the routes of a configuration at an instant. What is not among them any more
// goes. What the ledger of the parent has as installed is believed to be.
func (f *Follower) Set(routes []keeping.Route, kernel Kernel, lost bool, now int64) {
	next := make(map[int]*route, len(routes))
	for _, k := range routes {
		r := f.routes[k.Number]
		if r == nil {
			r = &route{installed: k.Installed, awaited: lost}
		}
		r.Route = k
		if r.Granted || r.installed {
			next[k.Number] = r
		}
	}
	f.routes, f.kernel = next, kernel
	if lost && f.lost == 0 {
		f.lost = max(now, 1)
	}
	f.again = max(now, 1)
}

// SetActive hears whether a virtual router is Active.
func (f *Follower) SetActive(active bool) { f.active = active }

// Active is what it has heard last.
func (f *Follower) Active() bool { return f.active }

// Concerns says whether there is a route to a destination.
func (f *Follower) Concerns(to netip.Prefix) bool {
	for _, r := range f.routes {
		if r.To == to {
			return true
		}
	}
	return false
}

// Changed hears at an instant that the kernel may have changed something.
func (f *Follower) Changed(now int64) {
	if f.installed && (f.again == 0 || f.again > now+gather) {
		f.again = now + gather
	}
}

// Due is when Turn is to be called at the latest.
func (f *Follower) Due() int64 {
	due := Never
	for _, at := range []int64{f.again, f.lost} {
		if at > 0 {
			due = min(due, at)
		}
	}
	if f.active != f.installed {
		due = 0
	}
	return due
}

// Turn does what is due at an instant. Routes without our mark are never touched: one that
// is there already stays, and ours is not.
func (f *Follower) Turn(now int64) {
	if f.lost > 0 && now >= f.lost {
		f.await(now)
	}
	if f.active == f.installed && (f.again == 0 || now < f.again) {
		return
	}
	f.again = 0
	if len(f.routes) == 0 {
		f.installed = f.active
		return
	}
	err := f.remove(now) // first, for one may be in the place of another
	if f.installed = f.active; f.active {
		there, bad := f.kernel.Routes()
		if err = errors.Join(err, bad); bad == nil {
			f.install(there, now)
		}
	}
	f.failed(err, now)
}

// failed tells what keeps us from all of it, and has it tried again.
func (f *Follower) failed(err error, now int64) {
	if err != nil {
		f.again = now + retry
	}
	if errors.Is(err, unix.EAGAIN) {
		return
	}
	if f.trouble.About(err, now) {
		f.log.Error("routes", "error", err)
	}
}

// remove removes what is not to be there, and may be. What another daemon has installed is its
// own, though it is the same.
func (f *Follower) remove(now int64) error {
	var errs []error
	for _, n := range f.numbers() {
		r := f.routes[n]
		if r.Granted && f.active {
			continue
		}
		if r.installed {
			if err := f.parent.Remove(n); err != nil {
				errs = append(errs, fmt.Errorf("remove %v: %w", r.To, err))
				continue
			}
		}
		if r.installed = false; !r.Granted {
			delete(f.routes, n)
		}
	}
	return errors.Join(errs...)
}

// install installs what is not there. If one that was cannot be put back, the virtual routers
// hand over: what hosts send to them would go nowhere.
func (f *Follower) install(there []Route, now int64) {
	lost := -1
	for _, n := range f.numbers() {
		r := f.routes[n]
		if !r.Granted {
			continue
		}
		err := f.put(n, r, there, now)
		if errors.Is(err, unix.EAGAIN) {
			f.again = now + retry
			return
		}
		if err != nil {
			err = fmt.Errorf("%v via %v: %w", r.To, r.Via, err)
		}
		tell := r.trouble.About(err, now)
		switch {
		case err == nil:
			continue
		case errors.Is(err, unix.EEXIST):
			if tell {
				f.log.Warn("another route is in the place of ours, and stays", "route", r.To, "metric", r.Metric)
			}
		default:
			if tell {
				f.log.Error("routes", "error", err)
			}
			f.again = now + retry
			if r.installed {
				lost = n
				continue
			}
		}
		r.installed = false
	}
	if lost >= 0 && f.parent.Lose(lost) == nil {
		f.lost = now + retry
	}
}

// put installs a route if it is not there as it should be.
func (f *Follower) put(n int, r *route, there []Route, now int64) error {
	if i := slices.IndexFunc(there, r.is); i >= 0 {
		if there[i].MTU == r.MTU {
			r.installed = true // perhaps not by our parent, which removes only what is its
			return nil
		}
		if err := f.parent.Remove(n); err != nil {
			return err
		}
	}
	if err := f.parent.Install(n); err != nil {
		return err
	}
	if r.installed {
		if r.times++; f.corrections.Take(now) {
			f.log.Warn("put back a route that was gone", "route", r.To, "nh", r.Via, "times", r.times)
		}
	} else {
		f.log.Info("route installed", "route", r.To, "nh", r.Via)
	}
	r.installed = true
	return nil
}

// await ends the wait once no next hop is out of reach; else virtual routers would preempt at
// once.
func (f *Follower) await(now int64) {
	f.lost = now + retry
	for n, r := range f.routes {
		if r.Granted && (r.trouble.Lasts() || r.awaited) && !r.Via.IsLinkLocalUnicast() && !f.parent.Reaches(n) && !f.kernel.OnLink(r.Via) {
			return
		}
	}
	for _, r := range f.routes {
		r.awaited = false
	}
	f.lost = 0
	f.parent.Find()
}
