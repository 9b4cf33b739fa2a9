package parent

import (
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"github.com/rvrrpd/rvrrpd/records"
)

// Virtual addresses have a lifetime: the kernel removes those that are not put
// again. Where there are leases in nftables, which silence them sooner, this is
// the second line, that no "nft flush ruleset" takes away; without nftables it
// is the only one. Only there addresses are put with it: a takeover does not wait
// for a second line.

// Implementation constants.
const (
	// afterlifeIntervals and afterlifeMin are how long the second line takes, in
	// Advertisement_Intervals and at the least: an address is put again when half
	// of it is over, which is seldom, and a lease of three intervals later it is
	// still there. Every program that follows addresses hears of it.
	afterlifeIntervals, afterlifeMin = 10, 15 * time.Second
	// ipv6Square: over IPv6 the kernel looks at all addresses for each that is put
	// again, some 0.15 us each. So the square of their number by this are seconds
	// more, for it to take less than a hundredth of a processor.
	ipv6Square = 40000
	// removedEarly is how much earlier than told the kernel may remove an address, ns.
	removedEarly = int64(100 * time.Millisecond)
)

// revival is what remains to be put again of a slot's addresses.
type revival struct {
	slot *page
	from int
}

// life is how long the kernel is to leave the addresses of a slot alone, in
// seconds; 0 for ever. One that ioctl(2) has put in place of the interface's own
// stays: with it all routes of the interface would go.
func (b *broker) life(s *page) uint32 {
	switch {
	case b.lease == "off" || s.ioctl:
		return 0
	case b.soleLifetime(s):
		// The kernel is up to a second late, and then a peer is about to take over.
		return uint32((records.LeaseIntervals*s.interval - time.Second) / time.Second)
	}
	life := uint32(max(afterlifeIntervals*s.interval, afterlifeMin) / time.Second)
	if s.family == ipc.IPv6 {
		life += uint32(b.sixes * b.sixes / ipv6Square)
	}
	return life
}

// soleLifetime says whether nothing else silences a slot's addresses. The kernel
// counts seconds, so that it cannot serve shorter intervals.
func (b *broker) soleLifetime(s *page) bool {
	return (b.lease == "lifetime" || b.lease == "auto" && !b.silences) && s.interval >= time.Second
}

// placement is how addresses are put on a slot's device: for their lifetime if
// nothing else would silence them, so that nobody finds them without; where there
// are leases as well it waits for the next advertisement, when a takeover of many
// is over.
func (b *broker) placement(s *page, addrs []vaddr) kernel.Placement {
	p := kernel.Placement{Device: s.index, Own: s.own, Addresses: addrs}
	s.aged = 0
	if b.soleLifetime(s) {
		p.Lifetime, s.aged = b.life(s), b.now
	}
	return p
}

// ages says whether a slot's addresses are to be put again with this advertisement.
func (b *broker) ages(s *page) bool {
	life := int64(b.life(s)) * int64(time.Second)
	return life > 0 && (s.aged == 0 || b.soleLifetime(s) || b.now-s.aged >= life/2)
}

// reviveSoon has a slot's addresses put again, for their lifetime to begin anew,
// or to end. If it has ended, because we did not run, the next look at the
// addresses comes first: it puts back what is gone, announces it and says so.
func (b *broker) reviveSoon(s *page) {
	if s.aged > 0 && b.now-s.aged >= int64(b.life(s))*int64(time.Second)-removedEarly {
		b.plan.outlived(s)
	}
	s.aged = b.now
	if !s.reviving {
		s.reviving = true
		b.reviving = append(b.reviving, revival{slot: s})
	}
}

// reput puts addresses of a slot again, for their lifetime to begin anew.
func (b *broker) reput(s *page, addrs []vaddr, life uint32) error {
	b.finishChoreOf(s)
	b.foreignAddresses.armed = b.foreignAddresses.armed || !s.own
	return b.kernel.Revive(kernel.Placement{Device: s.index, Lifetime: life, Addresses: addrs})
}
