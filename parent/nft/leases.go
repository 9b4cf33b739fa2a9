package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
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

// Leases is the dead man's switch in the kernel. All virtual addresses of an
// interface are in a set, those that may answer in another whose elements run
// out unless we renew them, and what is sent to the others is dropped: ARP,
// neighbor discovery and the rest. So nothing of ours answers any more when we
// are dead, or do not run, and a peer has taken over, nor does a device of ours
// forward.
type Leases struct {
	tables  *nftables.Conn
	renewal *netlink.Conn
	applied map[string]Lasting // by interface
	anew    bool               // elements have to be made anew to live longer
}

// Lasting is what stands on an interface as long as the addresses may.
type Lasting struct {
	Virtual []netip.Addr // silent unless they are alive
	Devices []string     // they forward nothing unless they are
	Ungated bool         // they forward in any case
	Refused []netip.Addr // they accept nothing (Rules.Refused)
}

// Renewed is an address that may answer for some more time, or a device that
// may forward.
type Renewed struct {
	Iface  string
	Device string // or
	Addr   netip.Addr
	Time   time.Duration
}

// key is it as an element of a set.
func (r Renewed) key() []byte {
	if r.Device != "" {
		return append([]byte(r.Device), make([]byte, unix.IFNAMSIZ-len(r.Device))...)
	}
	return r.Addr.AsSlice()
}

// forwarding is the set of devices that may.
const forwarding = "forwarding"

// OpenLeases opens the sockets. Where an element that is added again does not live
// longer, renewals make it anew: before Linux 6.12.
func OpenLeases(anew bool) (*Leases, error) {
	tables, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error { return c.SetWriteBuffer(batchBuffer) }))
	if err != nil {
		return nil, asLease(err)
	}
	renewal, err := dialRenewal()
	if err != nil {
		return nil, asLease(err)
	}
	return &Leases{tables: tables, renewal: renewal, applied: make(map[string]Lasting), anew: anew}, nil
}

// asLease says of an error that leases need what has failed.
func asLease(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("nftables (key lease; kernel module nf_tables): %w", err)
}

// renewTime is how long the kernel has to answer a renewal; it takes less than
// a millisecond.
const renewTime = time.Second

func dialRenewal() (*netlink.Conn, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, err
	}
	return c, c.SetWriteBuffer(batchBuffer)
}

func leaseTables(iface string) []*nftables.Table {
	return []*nftables.Table{{Name: leasePrefix + iface, Family: nftables.TableFamilyINet}, {Name: leasePrefix + iface, Family: nftables.TableFamilyARP}}
}

// Apply makes the tables those of the virtual addresses on each interface, of
// which those in alive may answer.
func (l *Leases) Apply(want map[string]Lasting, alive []Renewed) error {
	for iface := range l.applied {
		if _, wanted := want[iface]; !wanted {
			if err := l.Remove(iface); err != nil {
				return err
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
				return asLease(err)
			}
		}
		if err := l.tables.Flush(); err != nil {
			return asLease(err)
		}
		l.applied[iface] = w
	}
	return nil
}

// Remove removes the tables of an interface.
func (l *Leases) Remove(iface string) error {
	for _, t := range leaseTables(iface) {
		l.tables.AddTable(t)
		l.tables.DelTable(t)
	}
	delete(l.applied, iface)
	return asLease(l.tables.Flush())
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

// Alive says of addresses on an interface for how long the kernel does not silence them yet. Those
// of no lease are not among them, nor any where it cannot be asked.
func (l *Leases) Alive(iface string) map[netip.Addr]time.Duration {
	alive := make(map[netip.Addr]time.Duration)
	t := leaseTables(iface)[0]
	for _, f := range families(t) {
		elements, _ := l.tables.GetSetElements(&nftables.Set{Table: t, Name: "alive" + f.suffix})
		for _, e := range elements {
			a, _ := netip.AddrFromSlice(e.Key)
			alive[a] = e.Expires
		}
	}
	return alive
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

// Attributes of set elements (linux/netfilter/nf_tables.h).
const (
	elementsTable, elementsSet, elementsList = 1, 2, 3
	listElement                              = 1
	elementKey, elementTimeout, elementEnd   = 1, 4, 5
	dataValue                                = 1
)

// Renew lets addresses answer for some more time. The library cannot say when
// an element is to run out; with a timeout alone one that is there already
// would not live longer. Older kernels let none live longer: it is deleted and
// added in one batch, which packets see as one step, and before that added,
// because one that is not there cannot be deleted.
func (l *Leases) Renew(what []Renewed) error {
	if l.renewal == nil {
		return errors.New("nftables (key lease): no socket")
	}
	batch, err := renewal(what, l.anew)
	if err != nil {
		return asLease(err)
	}
	n := len(batch) - 1
	if _, err := l.renewal.SendMessages(append(batch, subsystem(unix.NFNL_MSG_BATCH_END, 0))); err != nil {
		return asLease(err)
	}
	// Every message is answered, also when one of them spoils the batch.
	var errs []error
	if err := l.renewal.SetReadDeadline(time.Now().Add(renewTime)); err != nil {
		return asLease(err)
	}
	for range n {
		_, err := l.renewal.Receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.renewal.Close()
			again, dialled := dialRenewal()
			l.renewal = again
			return asLease(errors.Join(err, dialled))
		}
		errs = append(errs, err)
	}
	return asLease(errors.Join(errs...))
}

// renewal is the beginning of a batch that renews addresses, all but its end.
func renewal(what []Renewed, anew bool) ([]netlink.Message, error) {
	type key struct {
		iface        string
		ipv6, device bool
	}
	by := make(map[key][]Renewed)
	for _, r := range what {
		k := key{r.Iface, r.Addr.Is6(), r.Device != ""}
		by[k] = append(by[k], r)
	}
	batch := []netlink.Message{subsystem(unix.NFNL_MSG_BATCH_BEGIN, 0)}
	for k, elements := range by {
		for chunk := range slices.Chunk(elements, elementsChunk) {
			set, families := "alive4", []byte{unix.NFPROTO_INET, unix.NFPROTO_ARP}
			if k.ipv6 {
				set, families = "alive6", families[:1]
			} else if k.device {
				set, families = forwarding, families[:1]
			}
			attrs, err := elementsAttributes(leasePrefix+k.iface, set, chunk)
			if err != nil {
				return nil, err
			}
			for _, f := range families {
				add := elementsMessage(unix.NFT_MSG_NEWSETELEM, f, attrs)
				if batch = append(batch, add); anew {
					batch = append(batch, elementsMessage(unix.NFT_MSG_DELSETELEM, f, attrs), add)
				}
			}
		}
	}
	return batch, nil
}

// elementsMessage adds elements, or renews or deletes them.
func elementsMessage(kind uint16, family byte, attrs []byte) netlink.Message {
	m := subsystem(unix.NFNL_SUBSYS_NFTABLES<<8|kind, family)
	m.Header.Flags |= netlink.Create | netlink.Acknowledge
	m.Data = append(m.Data, attrs...)
	return m
}

// elementsAttributes are elements of a set that run out in their time, as
// messages have them. The library's encoder would take most of the time of a
// renewal: eleven allocations for each.
func elementsAttributes(table, set string, elements []Renewed) ([]byte, error) {
	var list []byte
	for _, r := range elements {
		key, left := r.key(), uint64(r.Time.Milliseconds())
		list = appendAttribute(list, listElement|unix.NLA_F_NESTED, 8+len(key)+12+12)
		list = appendAttribute(list, elementKey|unix.NLA_F_NESTED, 4+len(key))
		list = append(appendAttribute(list, dataValue, len(key)), key...)
		list = binary.BigEndian.AppendUint64(appendAttribute(list, elementTimeout, 8), left)
		list = binary.BigEndian.AppendUint64(appendAttribute(list, elementEnd, 8), left)
	}
	e := netlink.NewAttributeEncoder()
	e.String(elementsTable, table)
	e.String(elementsSet, set)
	e.Bytes(elementsList|unix.NLA_F_NESTED, list)
	return e.Encode()
}

// appendAttribute begins an attribute of so many bytes, a multiple of four.
func appendAttribute(b []byte, kind uint16, size int) []byte {
	return binary.NativeEndian.AppendUint16(binary.NativeEndian.AppendUint16(b, uint16(4+size)), kind)
}
