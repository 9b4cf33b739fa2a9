package parent

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"github.com/rvrrpd/rvrrpd/records"
)

// priorityOwner is the priority of the owner of the addresses (RFC 9568
// §5.2.4).
const priorityOwner = 255

// grant is everything that one slot may ever cause. It is computed from the
// configuration before the child exists, and no request can widen it.
type grant struct {
	rates
	wishes
	slot      ipc.Slot
	told      ipc.Router // what the child is told of it, but for the link
	name      string     // for the log: interface/VRID/family
	link      ipc.Link
	family    ipc.Family
	version   uint8
	migration bool // version 2, too
	vrid      uint8
	ceiling   uint8 // highest priority that may be advertised: 255 once it owned the addresses
	accept    bool  // Accept_Mode
	interval  time.Duration
	mac       [6]byte        // virtual router MAC address (RFC 9568 §7.3)
	ioctl     bool           // addresses go through ioctl(2)
	etherMAC  bool           // the interface takes the virtual MAC while Active
	device    string         // macvlan to hold the addresses; "" is the link itself
	addrs     []conf.Address // in the order they are advertised
	lease     time.Duration  // how long the addresses stay without an advertisement
}

// rates bound what the child may ask for.
type rates struct {
	advert   rate // advertisements
	announce rate // announcements of one address
	churn    rate // acquisitions and releases
	look     rate // looks at the link
}

// wishes are what the daemon wants of a slot beside that. Whose the addresses are
// follows from owner and derived; the others allow nothing.
type wishes struct {
	priority     uint8 // as configured
	owner        conf.Owner
	startupDelay time.Duration // how long it waits in Initialize
	linkUpDelay  time.Duration // how long the link must have been up again
	secrets      []ipc.Secret
	defaulted    bool // the name of its device is not in the file
	derived      bool // the first of its addresses is derived from the VRID
}

// linkName is what an ipc.Link stands for: an interface, and the family that
// is spoken on it.
type linkName struct {
	name   string
	family ipc.Family
}

func (l linkName) String() string { return fmt.Sprintf("%s/ipv%d", l.name, l.family) }

// grants computes the grants of a configuration and the links they are on; a
// grant's link is an index into them.
func grants(c *conf.Config) (gs []grant, links []linkName) {
	names, of := records.Links(c)
	for _, n := range names {
		links = append(links, linkName{n.Name, n.Family})
	}
	for i, r := range c.Routers {
		told, limits := records.Router(&r, of[i]), records.LimitsOf(&r)
		g := grant{
			slot: ipc.Slot(i), link: of[i], name: r.Name(), family: told.Family, version: r.Version, migration: r.Migration,
			vrid: r.VRID, told: told, ceiling: limits.Ceiling, interval: r.AdverInterval, lease: limits.Lease,
			accept: r.AcceptMode || r.Priority == priorityOwner, mac: limits.MAC, addrs: r.Addresses,
			ioctl: r.IOCTL, etherMAC: r.EtherMAC,
			rates: rates{
				advert: limits.Advertise, announce: limits.Announce, churn: limits.Churn,
				look: rate{Period: 10 * time.Second, Burst: 6},
			},
			wishes: wishes{
				priority: r.Priority, owner: r.Owner, startupDelay: r.StartupDelay, linkUpDelay: r.LinkUpDelay,
				secrets: records.Secrets(&r), derived: r.DerivedLinkLocal,
			},
		}
		if r.InterfaceType == conf.MACVLAN {
			g.device, g.defaulted = r.DeviceName, r.DefaultDevice
		}
		gs = append(gs, g)
	}
	return gs, links
}

// record is what the child is told of the grant.
func (g *grant) record() ipc.Router {
	r := g.told
	r.Link = g.link
	return r
}

// place says with which prefix lengths the addresses are put on the device,
// given the prefixes of the link they belong to. Without a length of its own
// an address takes that of the link's prefix around it. A prefix the link
// has is not routed a second time through the device: replies and the
// kernel's own ARP requests keep leaving from the link. What the link itself
// has is never put on it a second time, and so never taken off.
func (g *grant) place(link []netip.Prefix) []vaddr {
	out := make([]vaddr, 0, len(g.addrs))
	for _, a := range g.addrs {
		if g.device == "" && records.Has(link, a.Addr) {
			continue
		}
		bits, covered := a.Bits, false
		if a.Addr.IsLinkLocalUnicast() && a.Addr.Is6() {
			// Answers to it leave where they came in, and need its route there.
			out = append(out, vaddr{Prefix: netip.PrefixFrom(a.Addr, max(bits, 64)), Deprecated: g.device == "" && replaceable(a.Addr, link)})
			continue
		}
		for _, p := range link {
			if p.Contains(a.Addr) {
				covered = true
				if bits == 0 {
					bits = p.Bits()
				}
				break
			}
		}
		if bits == 0 {
			bits = a.Addr.BitLen()
		}
		out = append(out, vaddr{Prefix: netip.PrefixFrom(a.Addr, bits), NoPrefixRoute: covered, Deprecated: g.device == "" && replaceable(a.Addr, link)})
	}
	return out
}

// replaceable says whether an interface has an address of its own that can do
// what a virtual one could as the source of what the host itself sends: another
// IPv6 one of its kind, link-local, unique local or global. Of IPv4 the kernel
// prefers the interface's own, which was there first.
func replaceable(a netip.Addr, own []netip.Prefix) bool {
	return a.Is6() && slices.ContainsFunc(own, func(p netip.Prefix) bool {
		o := p.Addr()
		return o.IsLinkLocalUnicast() == a.IsLinkLocalUnicast() && o.IsPrivate() == a.IsPrivate()
	})
}

// owns says how many of the grant's addresses are the link's own.
func (g *grant) owns(link []netip.Prefix) ipc.Ownership {
	return records.Owns(g.addrs, g.derived, g.owner, link)
}

// vaddr is a virtual address as it is put on a device.
type vaddr = kernel.Address

// advertises says whether an address is one of the grant's.
func (g *grant) advertises(ip netip.Addr) bool {
	return slices.ContainsFunc(g.addrs, func(a conf.Address) bool { return a.Addr == ip })
}
