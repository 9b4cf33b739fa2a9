package parent

import (
	"errors"
	"net/netip"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/nft"
	"github.com/rvrrpd/rvrrpd/records"
)

// joint is a lease that pages have together: those of one family and one length on an
// interface, and others that share an address with one of them.
type joint struct {
	nft.Term
	of       []*page
	told     int64 // its end as the kernel has it, CLOCK_MONOTONIC in ns
	renewing bool  // one of them has been prolonged in this turn
}

// renewals is how often a joint lease is renewed in its life, at the most.
const renewals = 2 * records.LeaseIntervals

// ends is when a lease ends: with that of the first that is held, for whatever becomes of us, none
// answers for longer than it may. 0: it has ended, or nothing is silenced.
func (b *broker) ends(j *joint) int64 {
	at := never
	for _, s := range j.of {
		if s.held && !s.stuck && s.ownership != ipc.OwnsAll {
			at = min(at, s.expires)
		}
	}
	if !b.silences || at == never || at-b.now < int64(10*time.Millisecond) { // of less than a tick the kernel may make for ever
		return 0
	}
	return at
}

// term is the lease of a page.
func (b *broker) term(s *page) nft.Term {
	return nft.Term{Iface: b.wires[s.link].name, IPv6: s.family == ipc.IPv6, Length: s.lease}
}

// join has a page share the lease of another, or begin it.
func (b *broker) join(s, o *page) {
	term := b.term(o)
	j := b.joints[term]
	if j == nil {
		j = &joint{Term: term}
		b.joints[term] = j
	}
	if n := len(j.of); n == 0 || j.of[n-1] != s {
		j.of, s.joints = append(j.of, s), append(s.joints, j)
	}
}

// joinAll finds out who has a lease with whom.
func (b *broker) joinAll() {
	b.joints, b.renewing = make(map[nft.Term]*joint), nil
	for _, s := range b.generations() {
		s.joints = nil
	}
	for _, s := range b.generations() {
		if s.joints != nil {
			continue // it is of both
		}
		b.join(s, s)
		for _, a := range s.addrs {
			for _, o := range b.shared[a.Addr] {
				b.join(s, o)
			}
		}
		b.renewSoon(s)
	}
}

// renewSoon has what a page has changed of its leases told at the end of the turn.
func (b *broker) renewSoon(s *page) {
	for _, j := range s.joints {
		if !j.renewing {
			j.renewing, b.renewing = true, append(b.renewing, j)
		}
	}
}

// dueLeases lists which of the leases that this turn has prolonged the kernel is to be told of.
func (b *broker) dueLeases() (due []nft.Renewed) {
	for _, j := range b.renewing {
		j.renewing = false
		if ends := b.ends(j); ends != 0 && b.joints[j.Term] == j && (ends < j.told || ends-j.told >= int64(j.Length)/renewals) {
			j.told = ends
			due = append(due, nft.Renewed{Term: j.Term, Time: time.Duration(ends - b.now)})
		}
	}
	b.renewing = b.renewing[:0]
	return due
}

// renew tells it.
func (b *broker) renew() {
	var err error
	if due := b.dueLeases(); len(due) > 0 {
		err = b.leases.Renew(due)
	}
	if err == nil {
		return
	}
	flushed := b.leases.Flushed()
	b.leases.Forget()
	again := b.applyLeases(false)
	if again != nil && b.complaints.Take(b.now) {
		b.log.Error("lease not renewed in the kernel", "error", errors.Join(err, again))
	}
	if again == nil && flushed && b.correcting.Take(b.now) {
		b.log.Warn("put back what somebody else has removed", "leases", len(b.joints), "error", err)
	}
}

// leased lists what is to last on each interface, but for addresses that this
// host has itself, and which leases have some time left.
func (b *broker) leased() (all map[string]nft.Lasting, alive []nft.Renewed) {
	all = make(map[string]nft.Lasting)
	for _, s := range present(b.pages) {
		if s.ownership == ipc.OwnsAll || s.accept && !b.silences {
			continue
		}
		l, term := b.wires[s.link], b.term(s)
		name, w := l.name, all[l.name]
		if w.Terms == nil {
			w.Terms, w.Ungated = make(map[nft.Term]nft.Together), !b.silences
		}
		if s.stuck {
			term.Length = 0
		}
		with := w.Terms[term]
		if s.device != "" {
			with.Devices = append(with.Devices, s.device)
		}
		for _, a := range s.addrs {
			switch {
			case b.hasItself(l, a.Addr): // which answers whatever becomes of us
				continue
			case b.silences:
				with.Virtual = append(with.Virtual, a.Addr)
			}
			if !s.accept {
				w.Refused = append(w.Refused, a.Addr)
			}
		}
		w.Terms[term], all[name] = with, w
	}
	for _, j := range b.joints {
		if ends := b.ends(j); ends != 0 {
			alive = append(alive, nft.Renewed{Term: j.Term, Time: time.Duration(ends - b.now)})
		}
	}
	return all, alive
}

// leaseAs has addresses silenced in the way that is configured from now on,
// also those that are held. A way that cannot be had changes nothing.
func (b *broker) leaseAs(lease string) (err error) {
	b.silences = lease == "auto" || lease == "nftables"
	err = b.applyLeases(b.silences)
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
// they are needed. What fails is tried again with the next look at the interfaces.
func (b *broker) applyLeases(needed bool) (err error) {
	all, alive := b.leased()
	if b.leases == nil && (needed || len(all) > 0) {
		b.leases, err = nft.OpenLeases()
	}
	if b.leases == nil {
		return err
	}
	anew, err := b.leases.Apply(all, alive)
	if anew || err != nil {
		for _, j := range b.joints { // what was told of them may be gone
			j.told, b.renewing = 0, append(b.renewing, j)
		}
	}
	if err != nil && len(b.wires) > 0 {
		b.plan.lookAt(b.wires[0], b.now+attachRetry)
	}
	return err
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
				s.expires, s.stuck = b.now+int64(s.lease), true // try again, and silence it meanwhile
				_ = b.applyLeases(false)                        // which is tried again, and told of then
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
