package parent

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"golang.org/x/sys/unix"
)

// With netdrv = "ioctl" the virtual address takes the place of the interface's
// own, as with rVRRPd. Those are put aside meanwhile, on the loopback interface,
// so that no route from one of them is lost and the host keeps them. The lock's
// file says first what they were, in their order and with all that the kernel
// knows of them: the next daemon puts back what one that was killed has put
// aside. Advertisements still come from the interface's first address.

// aside is what an interface is without while a virtual address is in its place.
type aside struct {
	addrs    []addrMsg
	prefixes []netip.Prefix
	primary  netip.Addr // which advertisements come from
	trouble  complaint  // about putting them back
	retry    int64      // the kernel has refused one: no attempt before
}

// loopback is the index of lo, the first in every network namespace.
const loopback = 1

// anchor is facts.Anchor as it is put.
var anchor = vaddr{Prefix: facts.Anchor, NoPrefixRoute: true, Host: true}

// anchored says whether the anchor is on an interface.
func anchored(addrs []facts.Address, index int) bool {
	return slices.ContainsFunc(addrs, func(a facts.Address) bool { return a.Index == index && a.Prefix == facts.Anchor })
}

// around says whether addresses are one in the subnet of another.
func around(addrs []vaddr, ip netip.Addr) bool {
	return len(addrs) == 1 && addrs[0].Prefix.Masked().Contains(ip)
}

// ownedOf says whether another virtual router of the link has one of these
// addresses: it is, or may be, their owner.
func (l *link) ownedOf(prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return l.virtual(p.Addr()) })
}

// displaces says whether a virtual address takes the place of the interface's
// own: if it is of the same subnet, for advertisements from another could not
// be heard (rp_filter), and if no virtual router has one of those.
func (l *link) displaces(addrs []vaddr) bool {
	return l.aside == nil && around(addrs, l.told.Primary) && !l.ownedOf(l.prefixes)
}

// displace puts the interface's own addresses aside, and a slot's in their place;
// beside them if they are not all its own for good (DHCP).
func (d *daemon) displace(l *link, s *slot, addrs []vaddr) error {
	d.finishChore()
	if master, err := d.kernel.Enslaved(l.index); err != nil || master {
		return errors.Join(err, d.lay(s, addrs)) // in a VRF the loopback interface holds no route
	}
	all, err := facts.AddressMessages(unix.AF_INET)
	if err != nil {
		return err
	}
	a := &aside{primary: l.told.Primary}
	for _, m := range all {
		info, err := facts.ParseAddress(m)
		if err != nil || info.Index != l.index || info.Proto == facts.Protocol {
			continue
		}
		if m[2]&unix.IFA_F_PERMANENT == 0 {
			d.log.Info("the interface's own addresses stay, for one has a lifetime", "link", l.name, "address", info.Prefix)
			return d.lay(s, addrs)
		}
		a.addrs, a.prefixes = append(a.addrs, m), append(a.prefixes, info.Prefix)
	}
	if !slices.ContainsFunc(a.prefixes, func(p netip.Prefix) bool { return p.Addr() == a.primary }) {
		return d.lay(s, addrs) // somebody has just removed the first
	}
	l.aside = a
	if err := d.record(l.name); err != nil {
		l.aside = nil
		return err
	}
	d.log.Info("the interface's own addresses are put aside", "link", l.name, "addresses", a.prefixes)
	err = d.kernel.Acquire(kernel.Placement{Device: l.index, Addresses: []vaddr{anchor}}, kernel.Placement{Device: loopback, Addresses: a.copies()})
	if err != nil {
		return err
	}
	d.giveBack(d.collect(), nil)
	d.monitor.theirs.armed = true // what the kernel takes along is not ours to take
	for _, other := range d.laidOn(l, s) {
		err = errors.Join(err, d.kernel.Release(l.index, false, other.placed)) // or it would have the route of the subnet
	}
	for _, m := range slices.Backward(a.addrs) { // the first of a subnet last
		err = errors.Join(err, d.kernel.Say(unix.RTM_DELADDR, 0, m, unix.EADDRNOTAVAIL))
	}
	lost := d.collect()
	err = errors.Join(err, d.lay(s, addrs))
	d.replant(l, s)
	d.giveBack(lost, func(key placed) bool { return key.index == l.index && slices.Contains(a.prefixes, key.prefix) })
	return err
}

// copies are the addresses as the loopback interface has them meanwhile.
func (a *aside) copies() (all []vaddr) {
	for _, p := range a.prefixes {
		all = append(all, vaddr{Prefix: netip.PrefixFrom(p.Addr(), 32), NoPrefixRoute: true, Host: true})
	}
	return all
}

// laidOn lists the slots whose addresses are on an interface itself, but for one.
func (d *daemon) laidOn(l *link, but *slot) []*slot {
	return slices.DeleteFunc(d.generations(), func(s *slot) bool {
		return s == but || !s.held || s.index != l.index || d.links[s.link] != l
	})
}

// replant puts the virtual addresses of an interface again that may have gone
// with another of their subnet, but for a slot's. What fails is missing at the
// next look at the interfaces.
func (d *daemon) replant(l *link, but *slot) {
	for _, s := range d.laidOn(l, but) {
		if d.lay(s, s.placed) != nil {
			l.lookAt(d.now)
		}
	}
}

// reconsider looks at an interface whose addresses are aside: whether they are
// still to be.
func (d *daemon) reconsider(l *link) error {
	if err := d.moored(l); err != nil || l.aside == nil || l.index == 0 || d.now < l.aside.retry {
		return err
	}
	return d.bringBack(l, nil)
}

// moored forgets what is aside of an interface that has lost its anchor: it is
// gone, or somebody else has taken it over.
func (d *daemon) moored(l *link) error {
	if l.aside == nil || l.index == 0 {
		return nil
	}
	addrs, err := facts.Addresses()
	if err != nil || anchored(addrs, l.index) {
		return err
	}
	d.log.Warn("the interface is gone, or somebody else has flushed it: its own addresses do not come back", "link", l.name, "addresses", l.aside.prefixes)
	err = d.dropCopies(l.aside)
	l.aside = nil
	return errors.Join(err, d.record(l.name))
}

// bringBack puts the interface's own addresses back, if no virtual address but
// a slot's is in their place, or if another virtual router has one of them.
// What cannot be put back stays aside, and is tried again.
func (d *daemon) bringBack(l *link, but *slot) error {
	d.finishChore()
	a := l.aside
	inPlace := func(s *slot) bool { return s.ioctl && around(s.placed, a.primary) }
	if !l.ownedOf(a.prefixes) && slices.ContainsFunc(d.laidOn(l, but), inPlace) {
		return nil
	}
	d.monitor.theirs.armed = true
	for _, s := range d.laidOn(l, but) { // or the interface's would be second in their subnet
		if err := d.kernel.Release(l.index, false, s.placed); err != nil {
			return err
		}
	}
	lost := d.collect()
	err := d.refurnish(l.index, a)
	d.replant(l, but)
	d.giveBack(lost, nil)
	if l.aside = nil; err != nil {
		l.aside, a.retry = a, d.now+attachRetry
		if l.lookAt(a.retry); a.trouble.about(err, d.now) {
			d.log.Error("an address of the interface cannot be put back", "link", l.name, "error", err)
		}
	} else {
		d.log.Info("the interface's own addresses are back", "link", l.name, "addresses", a.prefixes)
	}
	return d.record(l.name)
}

// refurnish puts addresses back, all that the kernel takes.
func (d *daemon) refurnish(index int, a *aside) error {
	var errs []error
	for _, m := range a.addrs {
		errs = append(errs, d.kernel.Say(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m, unix.EEXIST, unix.ENODEV))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return errors.Join(d.dropCopies(a), d.kernel.Release(index, false, []vaddr{anchor}))
}

// dropCopies removes what the loopback interface had of it, but for what an
// operator has put there.
func (d *daemon) dropCopies(a *aside) error {
	addrs, err := facts.Addresses()
	copies := slices.DeleteFunc(a.copies(), func(c vaddr) bool {
		return !slices.ContainsFunc(addrs, func(a facts.Address) bool {
			return a.Index == loopback && a.Prefix == c.Prefix && a.Proto == facts.Protocol
		})
	})
	return errors.Join(err, d.kernel.Release(loopback, false, copies))
}

// What a lock's file says of its interface, a line each.
const (
	macLine     = "mac "
	addressLine = "address "
	settingLine = "setting "
)

// record writes down what an interface is without.
func (d *daemon) record(name string) error {
	f := d.locks[name]
	if f == nil {
		return nil
	}
	var text strings.Builder
	for _, l := range d.links {
		if l.name == name && l.worn != nil {
			text.WriteString(macLine + l.worn.String() + "\n")
		}
		for _, s := range l.hearing {
			if l.name == name {
				fmt.Fprintf(&text, "%s%d %s %s\n", settingLine, l.index, s.name, s.old)
			}
		}
		if l.name == name && l.aside != nil {
			for _, m := range l.aside.addrs {
				text.WriteString(addressLine + hex.EncodeToString(m) + "\n")
			}
		}
	}
	_, err := f.WriteAt([]byte(text.String()), 0)
	return errors.Join(err, f.Truncate(int64(text.Len())))
}

// recordMax bounds a lock's file, in bytes: a few thousand addresses.
const recordMax = 1 << 20

// without is what a lock's file says: what its interface is without.
type without struct {
	mac      net.HardwareAddr
	settings map[int][]setting // by the number of the interface
	aside    *aside
}

// recorded reads a lock's file.
func recorded(f *os.File) (without, error) {
	_, err := f.Seek(0, 0)
	return parseRecord(io.LimitReader(f, recordMax)), err
}

// parseRecord passes over what it does not understand, and over addresses of
// another interface than that of the first.
func parseRecord(r io.Reader) without {
	w := without{settings: make(map[int][]setting), aside: &aside{}}
	a, of := w.aside, 0
	for in := bufio.NewScanner(r); in.Scan(); {
		kind, text, _ := strings.Cut(in.Text(), " ")
		switch kind + " " {
		case macLine:
			if mac, err := net.ParseMAC(text); err == nil && len(mac) == 6 {
				w.mac = mac
			}
		case settingLine:
			var index int
			var name, old string
			if n, _ := fmt.Sscanf(text, "%d %s %s", &index, &name, &old); n == 3 {
				w.settings[index] = append(w.settings[index], remembered(hearSettings, "", name, old)...)
			}
		case addressLine:
			m, err := hex.DecodeString(text)
			info, bad := facts.ParseAddress(m)
			if err != nil || bad != nil || !info.Prefix.IsValid() || !info.Prefix.Addr().Is4() || of != 0 && info.Index != of {
				continue
			}
			of, a.addrs, a.prefixes = info.Index, append(a.addrs, m), append(a.prefixes, info.Prefix)
		}
	}
	if len(a.prefixes) > 0 {
		a.primary = a.prefixes[0].Addr()
	}
	return w
}

// repay gives interfaces back what a daemon that was killed has left them
// without, as the lock's files tell. What is in the place of their addresses has
// been swept.
func (d *daemon) repay(infos []facts.Link, addrs []facts.Address, swept func(string) bool) error {
	pattern, err := lockFile("*")
	if err != nil {
		return err
	}
	paths, err := filepath.Glob(pattern)
	errs := []error{err}
	for _, path := range paths {
		_, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".lock"), ".")
		f := d.locks[name]
		if !swept(name) {
			continue
		}
		if f == nil {
			if f = lockLeft(path, name); f == nil {
				continue
			}
		}
		errs = append(errs, d.repayOne(infos, addrs, name, f))
		if d.locks[name] == nil {
			unlock(f)
		}
	}
	return errors.Join(errs...)
}

func (d *daemon) repayOne(infos []facts.Link, addrs []facts.Address, name string, f *os.File) error {
	w, err := recorded(f)
	for _, i := range infos { // whatever its name is now
		for _, s := range w.settings[i.Index] {
			s.iface = i.Name
			err = errors.Join(err, restoreSettings([]setting{s}))
		}
	}
	if err == nil {
		err = d.repayMAC(infos, name, w.mac)
	}
	if err != nil {
		return err
	}
	if err = d.repayAddresses(addrs, name, w.aside); err == nil {
		return f.Truncate(0)
	}
	d.log.Error("an address of the interface cannot be put back", "link", name, "error", err)
	for _, l := range d.links { // it is tried again
		if l.name == name && l.family == ipc.IPv4 {
			l.aside = w.aside
		}
	}
	return nil
}

func (d *daemon) repayMAC(infos []facts.Link, name string, mac net.HardwareAddr) error {
	i := slices.IndexFunc(infos, func(i facts.Link) bool { return i.Name == name && isVirtualMAC(i.MAC) })
	if mac == nil || i < 0 {
		return nil
	}
	d.log.Warn("sweeping a hardware address left behind", "link", name, "mac", infos[i].MAC)
	return kernel.SetMAC(infos[i].Index, mac)
}

// repayAddresses does so unless somebody else has furnished the interface since.
func (d *daemon) repayAddresses(addrs []facts.Address, name string, a *aside) error {
	if len(a.addrs) == 0 {
		return nil
	}
	first, err := facts.ParseAddress(a.addrs[0])
	if err != nil {
		return err
	}
	if !anchored(addrs, first.Index) {
		return d.dropCopies(a)
	}
	d.log.Warn("putting back addresses that were put aside", "link", name, "addresses", a.prefixes)
	return d.refurnish(first.Index, a)
}

// lockLeft takes the lock of an interface that a dead daemon has left a record
// of, nil if there is none.
func lockLeft(path, name string) *os.File {
	if info, err := os.Lstat(path); err != nil || info.Size() == 0 || locked(path) {
		return nil
	}
	f, err := lockInterface(name)
	if err != nil {
		return nil // it begins just now, and sweeps itself
	}
	return f
}
