// Package records translates a configuration into what a network process is told of it.
package records

import (
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/pace"
)

// Link is what an ipc.Link stands for: an interface, and the family that is spoken on it.
type Link struct {
	Name   string
	Family ipc.Family
}

// Links lists the links of a configuration, and for each of its virtual routers the
// index of its own.
func Links(c *conf.Config) (links []Link, of []ipc.Link) {
	index := make(map[Link]ipc.Link)
	for _, r := range c.Routers {
		on := Link{r.Interface, FamilyOf(&r)}
		l, known := index[on]
		if !known {
			l = ipc.Link(len(links))
			index[on] = l
			links = append(links, on)
		}
		of = append(of, l)
	}
	return links, of
}

// FamilyOf is the family that a virtual router speaks: that of its addresses.
func FamilyOf(r *conf.Router) ipc.Family {
	if r.Addresses[0].Addr.Is6() {
		return ipc.IPv6
	}
	return ipc.IPv4
}

// checksums, auths and modes translate the words of the configuration.
var (
	checksums = map[conf.Checksum]ipc.Checksum{conf.RFC9568: ipc.ChecksumPlain, conf.RFC5798: ipc.ChecksumPseudo, conf.ChecksumAuto: ipc.ChecksumAuto}
	auths     = map[conf.AuthType]ipc.Auth{conf.AuthSimple: ipc.AuthSimple, conf.AuthP0: ipc.AuthP0, conf.AuthP1: ipc.AuthP1, conf.AuthHMAC: ipc.AuthHMAC}
	modes     = map[string]uint8{"receive-only": 0, "permissive": 1, "enforce": 2}
)

// Router is the record of a virtual router on a link.
func Router(r *conf.Router, on ipc.Link) ipc.Router {
	record := ipc.Router{
		Link: on, Family: FamilyOf(r), Version: r.Version, VRID: r.VRID,
		Migration: r.Migration, Priority: r.Priority, AdverInterval: int64(r.AdverInterval), Checksum: checksums[r.Checksum],
		PreemptMode: r.PreemptMode, PreemptDelay: int64(r.PreemptDelay), StartupDelay: int64(r.StartupDelay),
		Auth:           auths[r.Auth],
		AnnounceRepeat: uint8(max(1, r.Announcements.Repeat)), AnnounceDelay: int64(r.Announcements.Delay), AnnounceRefresh: int64(r.Announcements.Refresh), AnnounceInterval: int64(r.Announcements.Interval),
	}
	if record.Auth == ipc.AuthHMAC {
		record.HMAC = ipc.HMAC{ActiveKey: r.HMAC.ActiveKey, Monotonic: r.HMAC.AntiReplay == "monotonic", Window: uint16(r.HMAC.Window.Seconds()), Mode: modes[r.HMAC.Mode]}
	}
	for _, a := range r.Addresses {
		record.Addresses = append(record.Addresses, a.Addr)
	}
	return record
}

// Secrets are those of a virtual router.
func Secrets(r *conf.Router) (secrets []ipc.Secret) {
	switch kind := auths[r.Auth]; {
	case kind == ipc.AuthHMAC:
		for _, k := range r.HMAC.Keys {
			secrets = append(secrets, ipc.Secret{ID: k.ID, Value: k.Value})
		}
	case kind != ipc.AuthNone && len(r.Secret) > 0:
		secrets = []ipc.Secret{{Value: r.Secret}}
	}
	return secrets
}

// Owns says how many of a virtual router's addresses are among those of its link: who
// has to own all of them never owns none. The first does not count where it was derived,
// and not configured.
func Owns(addrs []conf.Address, derived bool, owner conf.Owner, link []netip.Prefix) ipc.Ownership {
	if derived {
		addrs = addrs[1:]
	}
	n := 0
	for _, a := range addrs {
		if Has(link, a.Addr) {
			n++
		}
	}
	switch {
	case n == len(addrs):
		return ipc.OwnsAll
	case n == 0 && owner != conf.OwnerTrue:
		return ipc.OwnsNone
	default:
		return ipc.OwnsSome
	}
}

// Has says whether an address is one of a link's.
func Has(link []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(link, func(p netip.Prefix) bool { return p.Addr() == ip })
}

// LeaseIntervals is the number of Advertisement_Intervals after which a silent network
// process loses a virtual router: then a peer's Active_Down_Timer is about to fire.
const LeaseIntervals = 3

// Limits is what a virtual router may ever cause, whatever the network process asks for,
// beside what its configuration says.
type Limits struct {
	Ceiling uint8   // the highest priority before the interface has the addresses
	MAC     [6]byte // virtual router MAC address
	// Lease is how long the addresses stay after an advertisement.
	Lease time.Duration
	// Advertise is of messages, Announce of announcements of one address, Churn of
	// acquisitions and releases.
	Advertise, Announce, Churn pace.Rate
}

// LimitsOf are those of a virtual router. An Active answers a leaving peer at once and
// may turn Active again and again, but no faster than this.
func LimitsOf(r *conf.Router) Limits {
	l := Limits{
		Ceiling: r.Priority, MAC: VirtualMAC(FamilyOf(r), r.VRID), Lease: LeaseIntervals * r.AdverInterval,
		Advertise: pace.Rate{Period: r.AdverInterval / 10, Burst: 20}, Churn: pace.Rate{Period: 50 * time.Millisecond, Burst: 40},
	}
	// A takeover, or another reason to announce, twice a second, ten at once.
	n := len(r.Addresses) * max(1, r.Announcements.Repeat)
	l.Announce = pace.Rate{Period: 500 * time.Millisecond / time.Duration(n), Burst: int64(10 * n)}
	if r.Migration { // two messages each time
		l.Advertise = pace.Rate{Period: l.Advertise.Period / 2, Burst: 2 * l.Advertise.Burst}
	}
	return l
}

// VirtualMAC is the virtual router MAC address (RFC 9568 §7.3).
func VirtualMAC(family ipc.Family, vrid uint8) [6]byte {
	if family == ipc.IPv6 {
		return [6]byte{0x00, 0x00, 0x5e, 0x00, 0x02, vrid}
	}
	return [6]byte{0x00, 0x00, 0x5e, 0x00, 0x01, vrid}
}
