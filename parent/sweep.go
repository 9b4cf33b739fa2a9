package parent

import (
	"errors"
	"maps"
	"net/netip"
	"slices"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
)

// sweep removes what an earlier daemon left behind: devices with our alias
// and addresses with our protocol number, on interfaces that no living
// daemon holds the lock of, or on certain ones of those. Nothing else.
func (d *daemon) sweep(certain ...string) error {
	infos, err := facts.Links()
	if err != nil {
		return err
	}
	names, below := make(map[int]string, len(infos)), make(map[int]string)
	for _, i := range infos {
		names[i.Index] = i.Name
	}
	for _, i := range infos {
		if name := names[baseOf(i, d.namespace)]; i.Kind == "macvlan" && name != "" {
			below[i.Index] = name
		}
	}
	// What is on a device of a daemon's is under the lock of the interface
	// below it; on any other interface, under its own.
	swept := func(name string) bool { return len(certain) == 0 || slices.Contains(certain, name) }
	orphan := func(index int) bool {
		lower, stacked := below[index]
		if !swept(names[index]) && !(stacked && swept(lower)) {
			return false
		}
		return d.locks[names[index]] != nil || d.orphaned(names[index]) && (!stacked || d.orphaned(lower))
	}
	errs := []error{d.sweepOrphans(infos, names, swept)}
	addrs, err := facts.Addresses()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	d.note(infos, addrs) // or the first leases would silence what this host has itself
	for _, a := range addrs {
		if a.Proto == facts.Protocol && !a.Host && !d.inheritedOn(a.Index, a.Prefix) && orphan(a.Index) {
			d.log.Warn("sweeping an address left behind", "address", a.Prefix, "link", names[a.Index])
			errs = append(errs, d.withdraw(a.Index, []vaddr{{Prefix: a.Prefix}}))
		}
	}
	d.giveBack(d.collect(), nil)
	errs = append(errs, d.repay(infos, addrs, swept))
	if len(certain) == 0 {
		errs = append(errs, d.sweepRoutes(orphan))
	}
	if d.leases != nil {
		left, err := d.leases.Left()
		errs = append(errs, err)
		for _, iface := range left {
			if swept(iface) && !d.heirs(iface) && d.orphaned(iface) {
				errs = append(errs, d.leases.Remove(iface))
			}
		}
	}
	return errors.Join(errs...)
}

// sweepOrphans removes the devices of dead daemons, a daemon's all at once
// where nobody else's are in its group.
func (d *daemon) sweepOrphans(infos []facts.Link, names map[int]string, swept func(string) bool) error {
	var errs []error
	orphans, foreign := make(map[uint32][]facts.Link), make(map[uint32]bool)
	settings := make(map[setting]bool)
	for _, i := range infos {
		link := names[baseOf(i, d.namespace)]
		_, saved, ours := parseAlias(i.Alias, link)
		marked := i.Group&^0xffffff == deviceGroup
		if i.Kind != "macvlan" || !ours && !marked || d.inheritedOn(i.Index, netip.Prefix{}) || !swept(link) || !d.deserted(i, link) {
			foreign[i.Group] = true
			continue
		}
		for _, s := range saved {
			settings[s] = true
		}
		orphans[i.Group] = append(orphans[i.Group], i)
	}
	for _, l := range d.links {
		if l.tuned { // by a device that was taken over
			maps.DeleteFunc(settings, func(s setting, _ bool) bool { return s.iface == l.name })
		}
	}
	for s := range settings {
		if s.iface != "" {
			errs = append(errs, restoreSettings([]setting{s}))
		}
	}
	for group, devices := range orphans {
		d.log.Warn("sweeping devices left behind", "count", len(devices), "first", devices[0].Name, "link", names[baseOf(devices[0], d.namespace)])
		errs = append(errs, d.sweepDevices(group, !foreign[group], devices))
	}
	return errors.Join(errs...)
}

// elsewhere is the base of a device that was made in another network namespace.
const elsewhere = -1

// baseOf is the interface that a device was made for, 0 if nothing tells: its
// alias does, and of an older release's the kernel.
func baseOf(i facts.Link, namespace uint64) int {
	switch on, _, _ := parseAlias(i.Alias, ""); {
	case on.index == 0:
		return i.Lower
	case on.namespace != namespace:
		return elsewhere
	default:
		return on.index
	}
}

// deserted says whether no daemon lives whose device this is. That of an
// interface which is gone, or unknown, may be anybody's of this namespace.
func (d *daemon) deserted(i facts.Link, link string) bool {
	if link != "" {
		return d.orphaned(link)
	}
	return baseOf(i, d.namespace) != elsewhere && d.alone()
}
