package parent

import (
	"errors"
	"os"
	"slices"

	"github.com/rvrrpd/rvrrpd/parent/kernel"
)

// undo takes back everything in the ledger, as far as the kernel lets us.
func (d *daemon) undo() error {
	d.keeper.Serve(nil)
	d.finishChore()
	if d.left {
		for _, f := range d.locks {
			unlock(f)
		}
		return nil
	}
	var errs []error
	errs = append(errs, d.removeRoutes(func(r kernel.Route) bool {
		return slices.ContainsFunc(d.routes, func(s staticRoute) bool { return s.installed && r.Same(s.Route) })
	}))
	for _, l := range d.links {
		if !slices.ContainsFunc(d.generations(), func(s *page) bool { return d.links[s.link] == l && s.own && s.held }) {
			errs = append(errs, d.restore(&l.wire))
		}
	}
	for _, o := range d.old { // the end of a generation that did not come
		if o != nil && !slices.Contains(d.slots, o) {
			errs = append(errs, d.strip(&o.page))
		}
	}
	if d.kernel != nil && (len(d.doomed) > 0 || slices.ContainsFunc(d.slots, func(s *slot) bool { return s != nil && s.own && s.index != 0 })) {
		errs = append(errs, d.kernel.DeleteGroup(d.group))
		for _, s := range d.slots {
			if s != nil && s.own {
				s.forget()
			}
		}
	}
	for _, l := range d.links {
		errs = append(errs, d.detach(l))
	}
	if d.kernel != nil {
		d.giveBack(d.collect(), nil)
	}
	if d.leases != nil {
		_, err := d.leases.Apply(nil, nil)
		errs = append(errs, err)
	}
	d.closeState()
	for name, f := range d.locks {
		if d.slots != nil { // or it is that of the daemon before, and has not been read
			os.Remove(d.handoverFile(name))
		}
		unlock(f)
		delete(d.locks, name)
	}
	return errors.Join(errs...)
}
