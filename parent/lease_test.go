package parent

import (
	"net/netip"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/nft"
	"github.com/rvrrpd/rvrrpd/records"
)

// leasingOf is a broker of virtual routers on eth0 and eth1, with an address each of the interface's,
// and of the last numbers those of others, too.
func leasingOf(interval time.Duration, on ...ipc.Link) *broker {
	b := &broker{now: int64(time.Hour)}
	b.silences = true
	wires := []*wire{{linkName: linkName{"eth0", ipc.IPv4}}, {linkName: linkName{"eth1", ipc.IPv4}}}
	var pages []*page
	for i, l := range on {
		at := netip.AddrFrom4([4]byte{10, byte(l), byte(i / 256), byte(i)})
		pages = append(pages, &page{grant: grant{slot: ipc.Slot(i), link: l, family: ipc.IPv4, interval: interval,
			lease: records.LeaseIntervals * interval, addrs: []conf.Address{{Addr: at}}}})
	}
	b.stage(pages, nil, wires)
	return b
}

// spoke notes that an advertisement of a slot has left.
func spoke(b *broker, n int) {
	b.pages[n].held = true
	b.prolong(b.pages[n], b.now)
}

// TestJointLease: virtual routers that have a lease together have it renewed some two times in an
// interval, however many they are; it never ends later than that of any of them, nor runs out while
// all of them advertise.
func TestJointLease(t *testing.T) {
	t.Parallel()
	const interval = 100 * time.Millisecond
	for _, count := range []int{1, 2, 250} {
		b := leasingOf(interval, make([]ipc.Link, count)...)
		j, told, least := b.pages[0].joints[0], 0, never
		for tick := range 10 * int(interval/time.Millisecond) {
			b.now += int64(time.Millisecond)
			for n := range count {
				if tick%100 == n*100/count {
					spoke(b, n)
				}
			}
			due := b.dueLeases()
			if told += len(due); tick < 100 {
				continue // not all have spoken yet
			}
			least = min(least, j.told-b.now)
			for n, s := range b.pages {
				if s.held && j.told > s.expires {
					t.Fatalf("%d routers, %d ms: the lease lasts for %v, that of number %d for %v", count, tick, time.Duration(j.told-b.now), n, time.Duration(s.expires-b.now))
				}
			}
		}
		if most := 10 * (renewals/records.LeaseIntervals + 1); told > most || told < 10 {
			t.Errorf("%d routers: renewed %d times in ten intervals, at most %d wanted", count, told, most)
		}
		if least < int64(interval*7/5) {
			t.Errorf("%d routers: a lease had %v left", count, time.Duration(least))
		}
	}
}

// TestJointLeaseOfOne: one that does not advertise any more has its time, and no more, and what the
// others have is theirs again as soon as it holds nothing.
func TestJointLeaseOfOne(t *testing.T) {
	t.Parallel()
	const interval = 100 * time.Millisecond
	b := leasingOf(interval, 0, 0, 1)
	j, other := b.pages[0].joints[0], b.pages[2].joints[0]
	if b.pages[1].joints[0] != j || other == j {
		t.Fatal("those of an interface have no lease together, or have one with another interface's")
	}
	spoke(b, 0)
	spoke(b, 1)
	silent := b.now
	for range 4 {
		b.dueLeases()
		if j.told > silent+int64(3*interval) {
			t.Errorf("lasts %v after the last advertisement of one", time.Duration(j.told-silent))
		}
		b.now += int64(interval)
		spoke(b, 0)
		spoke(b, 2)
	}
	b.pages[1].held = false
	b.renewSoon(b.pages[1]) // as giving back does
	if due := b.dueLeases(); len(due) != 2 || j.told != b.now+int64(3*interval) {
		t.Errorf("renewed %v, the lease lasts for %v", due, time.Duration(j.told-b.now))
	}
	// Neither what the interface itself has, nor what could not be removed, keeps others from answering.
	for _, change := range []func(*page){func(s *page) { s.ownership = ipc.OwnsAll }, func(s *page) { s.stuck = true }} {
		was := *b.pages[1]
		b.pages[1].held, b.pages[1].expires = true, b.now
		change(b.pages[1])
		if ends := b.ends(j); ends != b.pages[0].expires {
			t.Errorf("ends in %v", time.Duration(ends-b.now))
		}
		*b.pages[1] = was
	}
	b.now += int64(3*interval) - 1
	if ends := b.ends(j); ends != 0 {
		t.Errorf("ends in %v, which the kernel takes for no time at all", time.Duration(ends-b.now))
	}
}

// TestJointLeaseOfSharers: an address that virtual routers on two interfaces have answers by either's
// tables while one of them advertises; and none does whose lease is over and whose address could not be
// removed.
func TestJointLeaseOfSharers(t *testing.T) {
	t.Parallel()
	b := leasingOf(time.Second, 0, 1, 1)
	b.pages[1].addrs = b.pages[0].addrs
	b.stage(b.pages, nil, b.wires)
	spoke(b, 1)
	ifaces := make(map[string]bool)
	for _, r := range b.dueLeases() {
		ifaces[r.Iface] = true
	}
	if len(ifaces) != 2 {
		t.Errorf("renewed on %v", ifaces)
	}
	b.pages[2].stuck = true
	all, alive := b.leased()
	over := nft.Term{Iface: "eth1", Length: 0}
	if with := all["eth1"].Terms[over]; len(with.Virtual) != 1 || with.Virtual[0] != b.pages[2].addrs[0].Addr {
		t.Errorf("for ever silent: %v of %v", with, all["eth1"])
	}
	for _, r := range alive {
		if r.Term == over || r.Time != 3*time.Second {
			t.Errorf("alive for %v: %v", r.Time, r.Term)
		}
	}
}

// TestJointLeaseIsTold: a look at what there is to last takes nothing for told, and what was not told
// is, at the end of the turn; that of virtual routers that a reload leaves as they were, too.
func TestJointLeaseIsTold(t *testing.T) {
	t.Parallel()
	b := leasingOf(time.Second, 0, 0, 1)
	for n := range b.pages {
		spoke(b, n)
	}
	for range 2 {
		if _, alive := b.leased(); len(alive) != 2 {
			t.Errorf("alive: %v", alive)
		}
	}
	if due := b.dueLeases(); len(due) != 2 {
		t.Errorf("told of %v", due)
	}
	b.now += int64(time.Second)
	b.stage(b.pages, b.pages, b.wires) // as a reload begins
	for n, s := range b.pages {
		if len(s.joints) != 1 || s.joints[0] != b.joints[b.term(s)] {
			t.Errorf("number %d has part in %d leases", n, len(s.joints))
		}
		spoke(b, n)
	}
	if due := b.dueLeases(); len(due) != 2 {
		t.Errorf("in a reload told of %v", due)
	}
	stale := b.pages[2].joints[0]
	b.stage(b.pages, nil, b.wires)
	stale.renewing, b.renewing = true, append(b.renewing, stale)
	if due := b.dueLeases(); len(due) > 2 {
		t.Errorf("told of a lease that is no more: %v", due)
	}
}

// TestStuckNoLonger: addresses that could not be removed are silent no longer than until they are
// advertised again, or gone.
func TestStuckNoLonger(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *broker, s *page){
		"advertised": func(b *broker, s *page) { b.prolong(s, b.now) },
		"released":   func(b *broker, s *page) { b.unstick(s) },
		"forgotten":  func(b *broker, s *page) { s.forget() },
	} {
		b := leasingOf(time.Second, 0)
		s, looked := b.pages[0], false
		b.plan = looks(func() { looked = true })
		s.held, s.stuck = true, true
		end(b, s)
		if s.stuck || !looked && name != "forgotten" {
			t.Errorf("%s: stuck %v, looked at again %v", name, s.stuck, looked)
		}
	}
}

// looks is a planner that is only asked to look again.
type looks func()

func (f looks) lookAt(*wire, int64)        { f() }
func (f looks) equipped(*page, error)      {}
func (f looks) corrected(*page, []setting) {}
func (f looks) outlived(*page)             {}
func (f looks) wentAlong(placed)           {}
