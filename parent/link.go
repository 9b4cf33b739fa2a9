package parent

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/parent/frames"
	"github.com/rvrrpd/rvrrpd/parent/nft"
)

// link is it as the parent sees it.
type link struct {
	wire
	left      []vaddr      // virtual ones that were left on it
	clearNext int64        // they are not removed before
	outside   []netip.Addr // virtual ones in no subnet of it, as told
	elsewhere []netip.Addr // and those that another interface of this host has itself
	narrow    bool         // its MTU cannot carry the family
	again     int64        // no attempt to attach before; then another look at it
	cause     string       // why it is not usable, "" while it is
	trouble   complaint    // about attaching it
	upSince   int64        // it has been up since then, 0 while it is down
	wasUp     bool         // it was up once
	slots     []*slot
}

// attachRetry is the time between two attempts to prepare an interface, ns.
const attachRetry = int64(time.Second)

// resync compares the interfaces with what we last saw of them, and acts on
// the difference. It runs at start and after every change the kernel reports;
// a full dump each time, so that a lost report loses nothing. After an error
// it is tried again.
func (d *daemon) resync() error {
	d.resyncAgain = 0
	err := d.compare()
	if err != nil && d.resyncAgain == 0 {
		d.resyncAgain = d.now + attachRetry
	}
	return err
}

func (d *daemon) compare() error {
	var errs []error
	for _, l := range d.links {
		errs = append(errs, d.reconsider(l))
	}
	infos, addrs, err := d.dump()
	d.now = max(d.now, ipc.Monotonic()) // a wait that begins with this look does not begin before it
	if err != nil {
		return err
	}
	byName := make(map[string]facts.Link, len(infos))
	d.called = make(map[int]string, len(infos))
	for _, i := range infos {
		byName[i.Name], d.called[i.Index] = i, i.Name
	}
	for _, l := range d.links {
		info := d.wideEnough(l, byName[l.name])
		d.measure(&l.wire, info.MTU)
		if was := l.index; was != info.Index {
			errs = append(errs, d.detach(l))
			l.upSince = 0
			if was != 0 {
				d.lose(&l.wire) // as far as that one is there, it has its own again
				// Another interface, even if it is as usable as the one before: what
				// the child had on that one is gone.
				d.tell(l, ipc.LinkState{Link: l.id}, l.unusable(info, false))
			}
			if info.Index != 0 && !info.Port && len(l.slots) > 0 && d.now >= l.again {
				errs = append(errs, d.attachOrWait(l, info))
			}
		}
		if l.index != 0 && len(info.MAC) == 6 {
			d.readdress(&l.wire, [6]byte(info.MAC), nil)
		}
		state, own := l.facts(info, addrs)
		d.subnets(&l.wire, own)
		cause := l.unusable(info, state.Up)
		if !d.upLongEnough(l, state.Up) {
			state = ipc.LinkState{Link: l.id}
		}
		if cause == "" && !state.Up {
			cause = "link_up_delay"
		}
		l.concede()
		errs = append(errs, d.clear(l))
		if state.Up { // one that is down has nothing to say, and loses IPv6 addresses
			d.own(l)
			errs = append(errs, d.deprecate(&l.wire))
			d.tellOutside(l)
		}
		d.tell(l, state, cause)
	}
	d.note(infos, addrs)
	d.begin()
	d.reassert(infos, addrs)
	for _, l := range d.links {
		d.tellElsewhere(l)
		if d.old == nil {
			errs = append(errs, d.relax(l))
		}
	}
	return errors.Join(append(errs, d.enforce())...)
}

// unusable says why nothing can be sent or received on a link, "" if it can.
func (l *link) unusable(info facts.Link, up bool) string {
	switch {
	case l.narrow:
		return "its MTU is too small for IPv6"
	case info.Index == 0:
		return "there is no such interface"
	case !info.Ethernet():
		return "it is not an Ethernet interface"
	case info.Port:
		return "it is a port of " + info.Master
	case l.index != info.Index:
		return "it is another interface"
	case !info.AdminUp:
		return "it is set down"
	case !info.Up:
		return "it has no carrier"
	case !up && len(l.left) > 0:
		return "it has no address but virtual ones that were left on it"
	case !up:
		return "it has no address to speak from"
	}
	return ""
}

// lookAt has a link looked at again at an instant, or before.
func (l *link) lookAt(at int64) {
	if l.again == 0 || at < l.again {
		l.again = at
	}
}

// upDelay is how long a link must have been up again: the longest of its
// virtual routers'.
func (l *link) upDelay() (d time.Duration) {
	for _, s := range l.slots {
		d = max(d, s.linkUpDelay)
	}
	return d
}

// upLongEnough says whether a link has been up for as long as its virtual routers
// want it to be before they start on it again.
func (d *daemon) upLongEnough(l *link, up bool) bool {
	switch {
	case !up || l.out.choked:
		l.upSince = 0
		return false
	case l.told.Up || !l.wasUp:
		l.wasUp = true
		return true
	case l.upSince == 0:
		l.upSince = d.now
	}
	if due := l.upSince + int64(l.upDelay()); due > d.now {
		l.lookAt(due)
		return false
	}
	return true
}

// facts returns the interface's prefixes, and says what the child may know:
// whether the link is usable, the networks on it, that of the address to speak from at
// the front, and that address: its first, but a
// virtual one that it owns only if it has no other.
func (l *link) facts(info facts.Link, addrs []facts.Address) (ipc.LinkState, []netip.Prefix) {
	own := facts.Usable{}
	l.left = l.left[:0]
	if l.displaced != nil && l.index != 0 { // they are its own, though not there
		own.Prefixes = append(own.Prefixes, l.displaced.prefixes...)
		for _, m := range l.displaced.addrs {
			info, _ := facts.ParseAddress(m) // which has been read when it was put aside
			own.Networks = append(own.Networks, info.Network)
		}
		if info.Up {
			own.Up, own.Primary = true, l.displaced.primary
		}
	}
	for _, a := range addrs {
		if l.index == 0 || a.Index != l.index || a.Proto == facts.Protocol || a.Prefix.Addr().Is4() != (l.family == ipc.IPv4) {
			continue
		}
		if l.leftover(a) {
			l.left = append(l.left, vaddr{Prefix: a.Prefix})
			continue
		}
		own.Take(a, info.Up, l.virtual)
	}
	return own.State(l.id, l.family), own.Prefixes
}

// tell passes on what changed, and says why a link is not usable.
func (d *daemon) tell(l *link, state ipc.LinkState, cause string) {
	known := l.told
	known.Networks = state.Networks // of which nobody is told but the child
	if changed := state != known; changed && state.Up {
		d.log.Info("link up", "link", l.linkName, "primary", state.Primary)
	} else if changed || !state.Up && cause != l.cause && l.cause != "" {
		d.log.Info("link down", "link", l.linkName, "cause", cause)
	}
	l.cause = cause
	d.speak(&l.wire, state)
}

// attachOrWait attaches a link, or tells why not and waits for the next attempt.
func (d *daemon) attachOrWait(l *link, info facts.Link) error {
	err := d.attach(l, info)
	if l.trouble.About(err, d.now) {
		d.log.Error("interface not usable", "link", l.linkName, "error", err)
	}
	if err == nil {
		return nil
	}
	l.lookAt(d.now + attachRetry)
	return d.detach(l)
}

// attach prepares an interface that has appeared: a socket to send through,
// membership of the group, and the devices of its virtual routers, down
// until they are needed.
func (d *daemon) attach(l *link, info facts.Link) (err error) {
	if !info.Ethernet() { // made since the start
		return fmt.Errorf("%s: not an Ethernet interface", l.name)
	}
	d.tellConflicts(l.family)
	if err := d.plug(&l.wire, info.Index, [6]byte(info.MAC)); err != nil {
		return err
	}
	if isVirtualMAC(info.MAC) {
		d.log.Warn("the interface itself has a virtual hardware address, left behind perhaps", "link", l.linkName, "mac", info.MAC)
	}
	d.hear(&l.wire)
	for _, s := range l.slots {
		d.equipSoon(l, s)
	}
	return nil
}

// detach undoes attach, also for an interface that is gone, or has another
// name now.
func (d *daemon) detach(l *link) error {
	if l.index == 0 {
		return nil
	}
	var errs []error
	for _, s := range l.slots {
		errs = append(errs, d.give(&s.page))
	}
	errs = append(errs, d.restore(&l.wire), d.unhear(&l.wire), d.strip(l.pages...))
	d.unplug(&l.wire)
	return errors.Join(errs...)
}

// wideEnough returns what is known of a link's interface; nothing, as if it
// were not there, while its MTU cannot carry the family: below the least for
// IPv6 the kernel has none on it.
func (d *daemon) wideEnough(l *link, info facts.Link) facts.Link {
	narrow := l.family == ipc.IPv6 && info.Index != 0 && info.MTU < frames.MinMTU6
	if narrow && !l.narrow {
		d.log.Error("MTU too small for IPv6: the link is not usable", "link", l.linkName, "mtu", info.MTU, "least", frames.MinMTU6)
	}
	if l.narrow = narrow; narrow {
		return facts.Link{}
	}
	return info
}

// note remembers which addresses this host has itself, on whatever interface: all
// but those that a daemon like us has put there, which are marked or on a device of
// its; what is put aside (displace.go) it has, too. A link-local one of IPv6 is another one on each interface.
func (d *daemon) note(infos []facts.Link, addrs []facts.Address) {
	hosts, devices := make(map[netip.Addr]bool), make(map[int]bool)
	for _, i := range infos {
		_, _, devices[i.Index] = parseAlias(i.Alias, "")
	}
	for _, a := range addrs {
		left := slices.ContainsFunc(d.links, func(l *link) bool { return l.index == a.Index && slices.Contains(l.left, vaddr{Prefix: a.Prefix}) })
		if ip := a.Prefix.Addr(); (a.Proto != facts.Protocol || a.Host) && !devices[a.Index] && !left && !nft.LinkLocal(ip) {
			hosts[ip] = true
		}
	}
	d.guard(hosts)
}
