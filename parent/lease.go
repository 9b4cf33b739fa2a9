package parent

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"github.com/rvrrpd/rvrrpd/parent/nft"
	"github.com/rvrrpd/rvrrpd/records"
)

// renew tells the kernel what this turn has prolonged.
func (b *broker) renew() {
	if len(b.renewing) > 0 {
		err := b.leases.Renew(b.renewing)
		if err != nil {
			flushed := b.leases.Flushed()
			b.leases.Forget()
			all, alive := b.leased()
			again := b.leases.Apply(all, alive)
			if again != nil && b.complaints.Take(b.now) {
				b.log.Error("lease not renewed in the kernel", "error", errors.Join(err, again))
			}
			if again == nil && flushed && b.correcting.Take(b.now) {
				b.log.Warn("put back what somebody else has removed", "leases", len(all), "error", err)
			}
		}
		b.renewing = b.renewing[:0]
	}
}

// leased lists what is to last on each interface, but for addresses that this
// host has itself, and which of the virtual addresses may answer now.
func (b *broker) leased() (all map[string]nft.Lasting, alive []nft.Renewed) {
	all = make(map[string]nft.Lasting)
	for _, s := range present(b.pages) {
		if s.ownership == ipc.OwnsAll || s.accept && !b.silences {
			continue
		}
		l := b.wires[s.link]
		name, w := l.name, all[l.name]
		if w.Ungated = !b.silences; s.device != "" {
			w.Devices = append(w.Devices, s.device)
		}
		for _, a := range s.addrs {
			switch {
			case b.hasItself(l, a.Addr): // which answers whatever becomes of us
				continue
			case b.silences:
				w.Virtual = append(w.Virtual, a.Addr)
			}
			if !s.accept {
				w.Refused = append(w.Refused, a.Addr)
			}
		}
		all[name] = w
		if b.silences && s.held && s.expires > b.now {
			alive = b.answering(alive, s)
		}
	}
	for _, w := range all {
		slices.Sort(w.Devices)
		slices.SortFunc(w.Virtual, netip.Addr.Compare)
		slices.SortFunc(w.Refused, netip.Addr.Compare)
	}
	return all, alive
}

// renewsSince is the first kernel in which an element that is added again
// lives longer.
var renewsSince = kernel.Version{Major: 6, Minor: 12}

// leaseAs has addresses silenced in the way that is configured from now on,
// also those that are held. A way that cannot be had changes nothing.
func (b *broker) leaseAs(lease string) (err error) {
	b.silences, b.renewing = lease == "auto" || lease == "nftables", b.renewing[:0]
	all, alive := b.leased()
	err = b.applyLeases(b.silences, all, alive)
	b.silences = b.silences && err == nil
	switch {
	case err != nil && lease == "nftables":
		return err
	case err != nil && lease == "auto":
		b.log.Warn("addresses of intervals below a second may answer for 15 s when we are gone", "error", err)
	case err != nil:
		b.log.Error("reload", "error", err)
	}
	b.lease = lease
	for _, s := range b.pages {
		if s != nil && s.held {
			b.reviveSoon(s)
		}
	}
	return nil
}

// applyLeases brings the leases up to date, where there are any, and opens them before where
// they are needed.
func (b *broker) applyLeases(needed bool, all map[string]nft.Lasting, alive []nft.Renewed) (err error) {
	if b.leases == nil && needed {
		b.leases, err = nft.OpenLeases(kernel.Running().Before(renewsSince))
	}
	if b.leases != nil {
		err = b.leases.Apply(all, alive)
	}
	return err
}

// answering adds the addresses of a slot to those that may answer for the rest
// of its lease, on every interface that has them: its tables see the packets
// of all; and its device to those that may forward.
func (b *broker) answering(to []nft.Renewed, s *page) []nft.Renewed {
	name, left := b.wires[s.link].name, time.Duration(s.expires-b.now)
	for _, a := range s.addrs {
		to = append(to, nft.Renewed{Iface: name, Addr: a.Addr, Time: left})
		for _, o := range b.shared[a.Addr] {
			if also := b.wires[o.link].name; also != name && o.ownership != ipc.OwnsAll {
				to = append(to, nft.Renewed{Iface: also, Addr: a.Addr, Time: left})
			}
		}
	}
	if s.device != "" {
		to = append(to, nft.Renewed{Iface: name, Device: s.device, Time: left})
	}
	return to
}

// guard has the addresses that this host has itself left alone.
func (b *broker) guard(hosts map[netip.Addr]bool) { b.hosts = hosts }

// hasItself says whether this host has an address without us: a link on it, or
// any interface. It answers whatever becomes of us.
func (b *broker) hasItself(l *wire, ip netip.Addr) bool {
	return b.hosts[ip] || records.Has(l.prefixes, ip)
}

// expireLeases takes back the addresses of slots that the child has not
// advertised for as long as their lease.
func (b *broker) expireLeases() {
	b.leaseCheck = never
	for _, s := range b.generations() {
		if s.held && s.expires <= b.now {
			b.log.ErrorContext(hearsay, "lease lost", "vr", s.name, "because", b.blame(s))
			if err := b.give(s); err != nil {
				b.log.ErrorContext(hearsay, "release failed", "vr", s.name, "error", err)
				s.expires = b.now + int64(s.lease) // try again
			} else if b.find(s.link, s.vrid) != nil {
				b.answer(ipc.Header{Slot: s.slot}, ipc.TypeRelease, ipc.CodeNotHeld)
			}
		}
		if s.held {
			b.leaseCheck = min(b.leaseCheck, s.expires)
		}
	}
}

// blame says why a slot's lease has ended. A link that keeps advertisements is
// given up.
func (b *broker) blame(s *page) string {
	l := b.wires[s.link]
	if !b.holdsBack(s) {
		return "the network process did not advertise"
	}
	b.choke(l)
	return "the interface did not take its advertisements"
}

// hears says whether the child may have said what we do not know yet, and have time for.
func (b *broker) hears() bool {
	return b.child != nil && b.unheard != 0 && b.now-b.unheard < hearTime
}

// leasesDue sends what is due, and takes back what has not been advertised in
// time, before anybody puts something back that the kernel has removed meanwhile.
func (b *broker) leasesDue() {
	for _, l := range b.wires {
		if l.tx != nil && l.out.due() <= b.now {
			b.revive(l)
		}
	}
	b.confirm()
	if b.now >= b.leaseCheck && !b.hears() {
		b.expireLeases()
	}
}
