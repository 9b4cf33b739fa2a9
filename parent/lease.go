package parent

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

// leases is the dead man's switch in the kernel. All virtual addresses of an
// interface are in a set, those that may answer in another whose elements run
// out unless we renew them, and what is sent to the others is dropped: ARP,
// neighbor discovery and the rest. So nothing of ours answers any more when we
// are dead, or do not run, and a peer has taken over, nor does a device of ours
// forward.
type leases struct {
	tables  *nftables.Conn
	renewal *netlink.Conn
	applied map[string]lasting // by interface
	anew    bool               // elements have to be made anew to live longer
}

// lasting is what stands on an interface as long as the addresses may.
type lasting struct {
	virtual []netip.Addr // silent unless they are alive
	devices []string     // they forward nothing unless they are
	ungated bool         // they forward in any case
	refused []netip.Addr // they accept nothing (rules.refused)
}

// renewsSince is the first kernel in which an element that is added again
// lives longer.
var renewsSince = version{6, 12}

// renewed is an address that may answer for some more time, or a device that
// may forward.
type renewed struct {
	iface  string
	device string
	addr   netip.Addr
	time   time.Duration
}

// key is it as an element of a set.
func (r renewed) key() []byte {
	if r.device != "" {
		return append([]byte(r.device), make([]byte, unix.IFNAMSIZ-len(r.device))...)
	}
	return r.addr.AsSlice()
}

// forwarding is the set of devices that may.
const forwarding = "forwarding"

func openLeases() (*leases, error) {
	tables, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error { return c.SetWriteBuffer(batchBuffer) }))
	if err != nil {
		return nil, fmt.Errorf("nftables (key lease; kernel module nf_tables): %w", err)
	}
	renewal, err := dialRenewal()
	if err != nil {
		return nil, fmt.Errorf("nftables (key lease; kernel module nf_tables): %w", err)
	}
	return &leases{tables: tables, renewal: renewal, applied: make(map[string]lasting), anew: running().before(renewsSince)}, nil
}

// leaseAs has addresses silenced in the way that is configured from now on,
// also those that are held. A way that cannot be had changes nothing.
func (d *daemon) leaseAs(lease string) (err error) {
	d.silences, d.renewing = lease == "auto" || lease == "nftables", d.renewing[:0]
	if d.silences && d.leases == nil {
		d.leases, err = openLeases()
	}
	if d.leases != nil {
		err = d.leases.apply(d.leased())
	}
	d.silences = d.silences && err == nil
	switch {
	case err != nil && lease == "nftables":
		return err
	case err != nil && lease == "auto":
		d.log.Warn("addresses of intervals below a second may answer for 15 s when we are gone", "error", err)
	case err != nil:
		d.log.Error("reload", "error", err)
	}
	d.lease = lease
	for _, s := range d.slots {
		if s != nil && s.held {
			d.reviveSoon(s)
		}
	}
	return nil
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

// apply makes the tables those of the virtual addresses on each interface, of
// which those in alive may answer.
func (l *leases) apply(want map[string]lasting, alive []renewed) error {
	for iface := range l.applied {
		if _, wanted := want[iface]; !wanted {
			if err := l.remove(iface); err != nil {
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
				return fmt.Errorf("nftables (key lease; kernel module nf_tables): %w", err)
			}
		}
		if err := l.tables.Flush(); err != nil {
			return fmt.Errorf("nftables (key lease; kernel module nf_tables): %w", err)
		}
		l.applied[iface] = w
	}
	return nil
}

// remove removes the tables of an interface.
func (l *leases) remove(iface string) error {
	for _, t := range leaseTables(iface) {
		l.tables.AddTable(t)
		l.tables.DelTable(t)
	}
	delete(l.applied, iface)
	if err := l.tables.Flush(); err != nil {
		return fmt.Errorf("nftables (key lease; kernel module nf_tables): %w", err)
	}
	return nil
}

// forget has the next apply make all tables anew.
func (l *leases) forget() { clear(l.applied) }

// left lists the interfaces that there are tables for.
func (l *leases) left() (ifaces []string, err error) {
	all, err := l.tables.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("nftables (key lease; kernel module nf_tables): %w", err)
	}
	for _, t := range all {
		if iface, ours := strings.CutPrefix(t.Name, leasePrefix); ours {
			ifaces = append(ifaces, iface)
		}
	}
	return ifaces, nil
}

// flushed says whether somebody has removed a table of ours, with all others
// perhaps, as the service of nftables does.
func (l *leases) flushed() bool {
	there, err := l.left()
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

// renew lets addresses answer for some more time. The library cannot say when
// an element is to run out; with a timeout alone one that is there already
// would not live longer. Older kernels let none live longer: it is deleted and
// added in one batch, which packets see as one step, and before that added,
// because one that is not there cannot be deleted.
func (l *leases) renew(what []renewed) error {
	if l.renewal == nil {
		return errors.New("nftables (key lease): no socket")
	}
	batch, err := renewal(what, l.anew)
	if err != nil {
		return fmt.Errorf("nftables (key lease; kernel module nf_tables): %w", err)
	}
	n := len(batch) - 1
	if _, err := l.renewal.SendMessages(append(batch, subsystem(unix.NFNL_MSG_BATCH_END, 0))); err != nil {
		return fmt.Errorf("nftables (key lease; kernel module nf_tables): %w", err)
	}
	// Every message is answered, also when one of them spoils the batch.
	var errs []error
	if err := l.renewal.SetReadDeadline(time.Now().Add(renewTime)); err != nil {
		return fmt.Errorf("nftables (key lease; kernel module nf_tables): %w", err)
	}
	for range n {
		_, err := l.renewal.Receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.renewal.Close()
			again, dialled := dialRenewal()
			l.renewal = again
			return fmt.Errorf("nftables (key lease; kernel module nf_tables): %w", errors.Join(err, dialled))
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("nftables (key lease; kernel module nf_tables): %w", err)
	}
	return nil
}

// renewal is the beginning of a batch that renews addresses, all but its end.
func renewal(what []renewed, anew bool) ([]netlink.Message, error) {
	type key struct {
		iface        string
		ipv6, device bool
	}
	by := make(map[key][]renewed)
	for _, r := range what {
		k := key{r.iface, r.addr.Is6(), r.device != ""}
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
func elementsAttributes(table, set string, elements []renewed) ([]byte, error) {
	var list []byte
	for _, r := range elements {
		key, left := r.key(), uint64(r.time.Milliseconds())
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
