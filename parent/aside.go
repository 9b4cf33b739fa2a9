package parent

import (
	"bufio"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// With netdrv = "ioctl" the virtual address takes the place of the interface's
// own, as with rVRRPd. Those are put aside meanwhile, in their order and with
// all that the kernel knows of them, and written into the lock's file first:
// the next daemon puts back what one that was killed has put aside. The
// advertisements still come from the address that the interface has lent us.

// aside is what an interface is without while a virtual address is in its place.
type aside struct {
	addrs    []addrMsg
	prefixes []netip.Prefix
	routes   [][]byte   // those that name one of the addresses as their source
	primary  netip.Addr // the interface's, which advertisements come from
}

// anchor is on an interface without its own addresses. Without any address the
// kernel drops all its routes, those to the Internet among them; the order of
// addresses is that of their arrival; and the first loses its label when the
// interface is renamed.
var anchor = vaddr{Prefix: netip.MustParsePrefix("127.112.112.112/32"), NoPrefixRoute: true}

func (k *kernel) setAnchor(index int) error {
	return k.acquire(index, false, []vaddr{anchor})
}

// around says whether addresses are one in the subnet of another.
func around(addrs []vaddr, ip netip.Addr) bool {
	return len(addrs) == 1 && addrs[0].Prefix.Masked().Contains(ip)
}

// displaces says whether a virtual address takes the place of the interface's
// own: if it is of the same subnet, for advertisements from another could not
// be heard (rp_filter), and if another virtual router does not need those.
func (d *daemon) displaces(l *link, addrs []vaddr) bool {
	return l.aside == nil && around(addrs, l.told.Primary) && !slices.ContainsFunc(l.prefixes, func(p netip.Prefix) bool { return l.virtual(p.Addr()) })
}

// displace puts the interface's own addresses aside, and something in their place.
func (d *daemon) displace(l *link, place func() error) error {
	all, err := d.kernel.addressMessages(unix.AF_INET)
	if err != nil {
		return err
	}
	a := &aside{primary: l.told.Primary}
	for _, m := range all {
		if info, err := parseAddress(m); err == nil && info.Index == l.index && info.Proto != protoRVRRPD {
			a.addrs, a.prefixes = append(a.addrs, m), append(a.prefixes, info.Prefix)
		}
	}
	if !slices.ContainsFunc(a.prefixes, func(p netip.Prefix) bool { return p.Addr() == a.primary }) {
		return place() // somebody has just removed it
	}
	if a.routes, err = d.kernel.routesFrom(a.prefixes); err != nil {
		return err
	}
	l.aside = a
	if err := d.record(l.name); err != nil {
		l.aside = nil
		return err
	}
	d.log.Info("the interface's own addresses are put aside", "link", l.name, "addresses", a.prefixes)
	if err := d.kernel.setAnchor(l.index); err != nil {
		return err
	}
	var gone []vaddr
	for _, p := range slices.Backward(a.prefixes) { // the first of a subnet last
		gone = append(gone, vaddr{Prefix: p})
	}
	return errors.Join(d.kernel.release(l.index, false, gone), place(), d.replant(l, nil))
}

// replant puts the virtual addresses of an interface again that may have gone
// with another of their subnet, but for a slot's.
func (d *daemon) replant(l *link, but *slot) error {
	var errs []error
	for _, s := range d.generations() {
		if s != but && s.held && s.index == l.index && d.links[s.link] == l {
			errs = append(errs, d.lay(s, s.placed))
		}
	}
	return errors.Join(errs...)
}

// bringBack puts the interface's own addresses back, if no virtual address but
// a slot's is in their place.
func (d *daemon) bringBack(l *link, but *slot) error {
	a := l.aside
	if slices.ContainsFunc(d.generations(), func(s *slot) bool {
		return s != but && s.held && s.ioctl && d.links[s.link] == l && around(s.placed, a.primary)
	}) {
		return nil
	}
	if err := d.kernel.restore(l.index, a); err != nil {
		return err
	}
	l.aside = nil
	d.log.Info("the interface's own addresses are back", "link", l.name, "addresses", a.prefixes)
	return d.record(l.name)
}

// restore puts addresses back, and the routes that went with them. A route that
// the kernel does not take any more, because the interface is down, say, is
// lost to whoever made it down.
func (k *kernel) restore(index int, a *aside) error {
	message := func(kind int, body []byte) []*nl.NetlinkRequest {
		req := nl.NewNetlinkRequest(kind, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
		req.AddRawData(body)
		return []*nl.NetlinkRequest{req}
	}
	for _, m := range a.addrs {
		if err := k.exchange(message(unix.RTM_NEWADDR, m), unix.EEXIST, unix.ENODEV); err != nil {
			return err
		}
	}
	for _, m := range a.routes {
		_ = k.exchange(message(unix.RTM_NEWROUTE, m), unix.EEXIST)
	}
	return k.release(index, false, []vaddr{anchor})
}

// routesFrom lists the routes that name one of the addresses as their source:
// they go with it. The kernel's own come back with it, too.
func (k *kernel) routesFrom(addrs []netip.Prefix) (out [][]byte, err error) {
	var all [][]byte
	for range dumpTries {
		req := nl.NewNetlinkRequest(unix.RTM_GETROUTE, unix.NLM_F_DUMP)
		req.AddData(nl.NewRtMsg())
		if all, err = req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWROUTE); !errors.Is(err, nl.ErrDumpInterrupted) {
			break
		}
	}
	for _, m := range all {
		msg := nl.DeserializeRtMsg(m)
		attrs, err := nl.ParseRouteAttr(m[msg.Len():])
		if err != nil {
			return nil, err
		}
		for _, attr := range attrs {
			source, _ := netip.AddrFromSlice(attr.Value)
			if attr.Attr.Type == unix.RTA_PREFSRC && msg.Family == unix.AF_INET && msg.Protocol != unix.RTPROT_KERNEL && slices.ContainsFunc(addrs, func(p netip.Prefix) bool { return p.Addr() == source }) {
				msg.Flags &= unix.RTNH_F_ONLINK // the others tell how it is
				out = append(out, slices.Clone(m))
			}
		}
	}
	return out, err
}

// What a lock's file says of its interface, a line each.
const (
	macLine     = "mac "
	addressLine = "address "
	routeLine   = "route "
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
		if l.name == name && l.aside != nil {
			for _, m := range l.aside.addrs {
				text.WriteString(addressLine + hex.EncodeToString(m) + "\n")
			}
			for _, m := range l.aside.routes {
				text.WriteString(routeLine + hex.EncodeToString(m) + "\n")
			}
		}
	}
	err := f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(text.String()), 0)
	}
	return err
}

// recorded reads what a lock's file says: what the interface is without.
func recorded(f *os.File) (mac net.HardwareAddr, a *aside) {
	a = &aside{}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, a
	}
	for in := bufio.NewScanner(f); in.Scan(); {
		line := in.Text()
		if own, ok := strings.CutPrefix(line, macLine); ok {
			mac, _ = net.ParseMAC(own)
		} else if text, ok := strings.CutPrefix(line, addressLine); ok {
			if m, err := hex.DecodeString(text); err == nil && len(m) >= unix.SizeofIfAddrmsg {
				a.addrs = append(a.addrs, m)
			}
		} else if text, ok := strings.CutPrefix(line, routeLine); ok {
			if m, err := hex.DecodeString(text); err == nil && len(m) >= unix.SizeofRtMsg {
				a.routes = append(a.routes, m)
			}
		}
	}
	return mac, a
}

// lent is what a daemon that was killed has left an interface without.
type lent struct {
	aside
	left []vaddr // ours, in their place
}

// lenders gives interfaces back the hardware address that their lock's file
// tells of, and returns what addresses are to follow, by interface. Until done
// the locks that dead daemons have left with such a file are ours, too.
func (d *daemon) lenders(infos []linkInfo) (all map[int]*lent, done func() error, err error) {
	all = make(map[int]*lent)
	var errs []error
	var dead []string
	for _, i := range infos {
		if d.locks[i.Name] == nil {
			f := lockLeft(i.Name)
			if f == nil {
				continue
			}
			d.locks[i.Name], dead = f, append(dead, i.Name)
		}
		mac, a := recorded(d.locks[i.Name])
		if mac != nil && isVirtualMAC(i.MAC) {
			d.log.Warn("sweeping a hardware address left behind", "link", i.Name, "mac", i.MAC)
			errs = append(errs, setMAC(i.Index, mac))
		}
		a.addrs = slices.DeleteFunc(a.addrs, func(m addrMsg) bool {
			info, err := parseAddress(m)
			return err != nil || info.Index != i.Index
		})
		if len(a.addrs) > 0 {
			all[i.Index] = &lent{aside: *a}
		}
	}
	return all, func() (err error) {
		for _, name := range dead {
			unlock(d.locks[name])
			delete(d.locks, name)
		}
		for name := range d.locks {
			err = errors.Join(err, d.record(name))
		}
		return err
	}, errors.Join(errs...)
}

// lockLeft takes the lock of an interface that a dead daemon has left a record
// of, nil if there is none.
func lockLeft(name string) *os.File {
	path, err := lockFile(name)
	if err != nil {
		return nil
	}
	if info, err := os.Lstat(path); err != nil || info.Size() == 0 || locked(path) {
		return nil
	}
	f, err := lockInterface(name)
	if err != nil {
		return nil // it begins just now, and sweeps itself
	}
	return f
}
