package parent

import (
	"log/slog"
	"maps"
	"net/netip"
	"os"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent/frames"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"github.com/rvrrpd/rvrrpd/parent/nft"
)

// The parent is two things, which are to become two processes: a broker, which has the sockets
// and does to the kernel what a grant allows, and beside it what observes and decides, the
// daemon. What the daemon has done it asks the broker for. The other way, the broker knows of
// the daemon only what is below.

// planner is what the broker asks of whoever decides.
type planner interface {
	// equipped hears whether a slot has its device, or why not.
	equipped(s *page, err error)
	// corrected hears of settings of a slot's device that somebody else had changed.
	corrected(s *page, changed []setting)
	// outlived hears that the lifetime of a slot's addresses may have ended.
	outlived(s *page)
	// lookAt has a link looked at at an instant, or before.
	lookAt(l *wire, at int64)
	// wentAlong hears that the kernel has removed an address of ours with another of its subnet.
	wentAlong(a placed)
}

// openKernel opens what the broker reaches the kernel through.
func (b *broker) openKernel() (err error) {
	if b.kernel, err = kernel.Open(); err != nil {
		return err
	}
	b.marks, b.tap = b.kernel.KeepsMarks(), frames.OpenTap
	b.leases, _ = nft.OpenLeases() // to sweep; leaseAs tells what is wrong with it
	return b.openForeign()
}

// dueAt is an instant at which something is to be done, never for 0.
func dueAt(at int64) int64 {
	if at == 0 {
		return never
	}
	return at
}

// next is when the broker has something to do.
func (b *broker) next() int64 {
	next := min(b.leaseCheck, dueAt(b.confirmAt), b.choreDue())
	for _, l := range b.wires {
		next = min(next, dueAt(l.tapUntil))
		if l.tx != nil {
			next = min(next, l.out.due())
		}
	}
	if at, waiting := b.forwarder.Due(); waiting {
		next = min(next, at)
	}
	return next
}

// stage makes pages and wires those of the broker.
func (b *broker) stage(pages, old []*page, wires []*wire) {
	b.pages, b.oldPages, b.wires = pages, old, wires
	b.shared, b.sixes = make(map[netip.Addr][]*page), 0
	for _, s := range present(pages) {
		for _, a := range s.addrs {
			b.shared[a.Addr] = append(b.shared[a.Addr], s)
		}
		if s.family == ipc.IPv6 {
			b.sixes += len(s.addrs)
		}
	}
	maps.DeleteFunc(b.shared, func(_ netip.Addr, of []*page) bool { return len(of) < 2 })
	b.joinAll()
}

// broker holds what needs the kernel, and does with it what it is asked for by number, where a
// grant allows it: it plans nothing.
type broker struct {
	ledger
	leasing
	tidying
	speaking
	conversing
	log              *slog.Logger
	forwarder        frames.Forwarder
	kernel           *kernel.Kernel
	tables           nft.Tables
	correcting       rate // lines about that, about routes, and about leases
	group            uint32
	namespace        uint64
	now              int64            // CLOCK_MONOTONIC in ns, read once a turn
	refused          map[setting]bool // settings that cannot be changed, and are told
	marks            bool             // the kernel remembers whose an address is
	foreignAddresses foreignAddresses
	plan             planner
}

// ledger is what the kernel holds on behalf of virtual routers, and on which links.
type ledger struct {
	pages        []*page      // by number; nil where there is none
	oldPages     []*page      // of the generation before, while the child has not taken over the next
	wires        []*wire      // by number
	acquisitions []*acquiring // of this turn
	generation   uint32
	locks        map[string]*os.File // by interface: the file says what it is without
}

// leasing is what silences addresses that nobody advertises any more.
type leasing struct {
	leases     *nft.Leases            // nil without
	silences   bool                   // they silence addresses
	lease      string                 // how addresses are silenced, as configured
	shared     map[netip.Addr][]*page // who has virtual addresses that several have
	hosts      map[netip.Addr]bool    // addresses that this host has itself, when all were looked at
	sixes      int                    // how many virtual IPv6 addresses there are
	joints     map[nft.Term]*joint    // leases that virtual routers have together
	renewing   []*joint               // those that this turn's advertisements prolong
	leaseCheck int64                  // no lease ends before
	confirmAt  int64                  // when to ask what has left the interfaces, 0 for not
	complaints rate                   // lines about leases
	unwalled   bool                   // and said so
}

// tidying is what the kernel may take its time for.
type tidying struct {
	chores   chores    // what does all that
	lowering []*page   // whose devices are to be set down
	doomed   []int     // devices that are to be deleted
	reviving []revival // addresses to put again
}

// speaking is what leaves the interfaces.
type speaking struct {
	frame []byte
	part  []byte // a fragment of it
	ident uint32 // of the last packet that was cut into fragments
	tap   func(index int, family ipc.Family) (int, error)
}

// conversing is what there is to the child.
type conversing struct {
	spawner  *children.Spawner
	lost     error // what has become of the spawner: nobody can start, look at or kill a child any more
	child    *child
	stopping bool
	outgoing ipc.Batch // this turn's messages for the child
	unheard  int64     // since when the child has said more than was heard, 0 for not
}
