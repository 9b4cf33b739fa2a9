package nft

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// leasePrefix begins the names of the tables that hold leases, one for each
// interface in two families. They are nobody's own: they stay when we die.
const leasePrefix = "rvrrpd-lease-"

// Leases is the dead man's switch in the kernel. The virtual addresses of an
// interface that have a lease together are in a set, and what is sent to them is dropped:
// ARP, neighbor discovery and the rest, unless there are elements in another set, which run out
// if we do not renew them. So nothing of ours answers any more when we
// are dead, or do not run, and a peer has taken over, nor does a device of ours
// forward.
type Leases struct {
	tables  *nftables.Conn
	applied map[string]Lasting // by interface
}

// Term is a lease that addresses of an interface have together: those of one family that may
// answer for the same time without an advertisement. One of no time is over.
type Term struct {
	Iface  string
	IPv6   bool
	Length time.Duration
}

// name tells the terms of an interface apart, in the names of their sets.
func (t Term) name() string {
	family := 4
	if t.IPv6 {
		family = 6
	}
	return fmt.Sprintf("%d-%d", family, t.Length.Milliseconds())
}

// Lasting is what stands on an interface as long as the addresses may.
type Lasting struct {
	Terms   map[Term]Together
	Ungated bool         // nothing is silent, and devices forward in any case
	Refused []netip.Addr // they accept nothing (Rules.Refused)
}

// Together is what is silent, and forwards nothing, once its term is over.
type Together struct {
	Virtual []netip.Addr
	Devices []string
}

// Renewed is a term that lasts for some more time.
type Renewed struct {
	Term
	Time time.Duration
}

// Prefixes of the names of sets, with that of a term behind them.
const (
	runningPrefix = "lease"
	virtualPrefix = "virtual"
	devicesPrefix = "devices"
)

// OpenLeases opens the socket, with room for all that the kernel says of a batch.
func OpenLeases() (*Leases, error) {
	tables, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error {
		return errors.Join(c.SetWriteBuffer(batchBuffer), c.SetReadBuffer(batchBuffer))
	}))
	if err != nil {
		return nil, asLease(err)
	}
	return &Leases{tables: tables, applied: make(map[string]Lasting)}, nil
}

// flush has done what has been asked for. After an error each batch has a socket of its own: what is
// still to be read in this one would be taken for later answers.
func (l *Leases) flush() error {
	err := l.tables.Flush()
	if err != nil {
		err = errors.Join(err, l.tables.CloseLasting())
	}
	return asLease(err)
}

// asLease says of an error that leases need what has failed.
func asLease(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("nftables (key lease; kernel module nf_tables): %w", err)
}

func leaseTables(iface string) []*nftables.Table {
	return []*nftables.Table{{Name: leasePrefix + iface, Family: nftables.TableFamilyINet}, {Name: leasePrefix + iface, Family: nftables.TableFamilyARP}}
}

// Apply makes the tables those of the virtual addresses on each interface, of
// which those in alive may answer; and says whether it has made any anew.
func (l *Leases) Apply(want map[string]Lasting, alive []Renewed) (anew bool, err error) {
	for iface := range l.applied {
		if _, wanted := want[iface]; !wanted {
			if err := l.Remove(iface); err != nil {
				return anew, err
			}
		}
	}
	for iface, w := range want {
		if reflect.DeepEqual(w, l.applied[iface]) {
			continue
		}
		for _, t := range leaseTables(iface) {
			l.tables.AddTable(t) // one that is not there cannot be deleted
			l.tables.DelTable(t)
			l.tables.AddTable(t)
			if err := l.fill(t, iface, w, alive); err != nil {
				return anew, asLease(err)
			}
		}
		if err := l.flush(); err != nil {
			return anew, err
		}
		l.applied[iface], anew = w, true
	}
	return anew, nil
}

// Remove removes the tables of an interface.
func (l *Leases) Remove(iface string) error {
	for _, t := range leaseTables(iface) {
		l.tables.AddTable(t)
		l.tables.DelTable(t)
	}
	delete(l.applied, iface)
	return l.flush()
}

// Forget has the next apply make all tables anew.
func (l *Leases) Forget() { clear(l.applied) }

// Left lists the interfaces that there are tables for.
func (l *Leases) Left() (ifaces []string, err error) {
	all, err := l.tables.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, asLease(err)
	}
	for _, t := range all {
		if iface, ours := strings.CutPrefix(t.Name, leasePrefix); ours {
			ifaces = append(ifaces, iface)
		}
	}
	return ifaces, nil
}

// Alive is for how much longer a term lasts; 0 if it is over, or nobody has begun it, or the kernel
// cannot be asked.
func (l *Leases) Alive(term Term) (left time.Duration) {
	running, _ := l.tables.GetSetElements(&nftables.Set{Table: leaseTables(term.Iface)[0], Name: runningPrefix + term.name()})
	for _, e := range running {
		left = e.Expires
	}
	return left
}

// Flushed says whether somebody has removed a table of ours, with all others
// perhaps, as the service of nftables does.
func (l *Leases) Flushed() bool {
	there, err := l.Left()
	for iface := range l.applied {
		if err == nil && !slices.Contains(there, iface) {
			return true
		}
	}
	return false
}

// Renew lets terms last for some more time. With a timeout alone an element that is there already
// would not live longer, and the library cannot say when it is to run out: it is deleted and
// added in one batch, which packets see as one step, and before that added,
// because one that is not there cannot be deleted.
func (l *Leases) Renew(what []Renewed) error {
	for _, r := range what {
		tables, elements := leaseTables(r.Iface), r.elements()
		if _, there := l.applied[r.Iface].Terms[r.Term]; !there { // yet, or any more
			tables = nil
		} else if r.IPv6 {
			tables = tables[:1]
		}
		for _, t := range tables {
			running := &nftables.Set{Table: t, Name: runningPrefix + r.name(), HasTimeout: true}
			err := errors.Join(l.tables.SetAddElements(running, elements), l.tables.SetDeleteElements(running, elements), l.tables.SetAddElements(running, elements))
			if err != nil {
				return asLease(err)
			}
		}
	}
	return l.flush()
}

// elements are those of a term that is not over: the numbers of what the packets may be, for a
// rule needs something of a packet to look for.
func (r Renewed) elements() (all []nftables.SetElement) {
	for _, p := range []byte{unix.NFPROTO_IPV4, unix.NFPROTO_ARP, unix.NFPROTO_IPV6} {
		all = append(all, nftables.SetElement{Key: []byte{p}, Timeout: r.Time})
	}
	return all
}
