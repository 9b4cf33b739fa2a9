package parent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
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

// fill fills a new table.
func (l *leases) fill(t *nftables.Table, iface string, w lasting, alive []renewed) error {
	hook := nftables.ChainHookInput
	if t.Family == nftables.TableFamilyARP {
		hook = nftables.ChainHookRef(0) // NF_ARP_IN
	}
	in := l.tables.AddChain(&nftables.Chain{Name: "input", Table: t, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter})
	if t.Family == nftables.TableFamilyARP {
		if err := l.hear(t, in, w.virtual); err != nil {
			return err
		}
	} else if slices.ContainsFunc(slices.Concat(w.virtual, w.refused), ofLink) {
		if err := l.keepToLink(t, in, append([]string{iface}, w.devices...)); err != nil {
			return err
		}
	}
	for _, f := range families(t) {
		all := &nftables.Set{Table: t, Name: "virtual" + f.suffix, KeyType: f.key}
		may := &nftables.Set{Table: t, Name: "alive" + f.suffix, KeyType: f.key, HasTimeout: true}
		var virtual, living []nftables.SetElement
		for _, a := range w.virtual {
			if a.Is6() == f.ipv6 {
				virtual = append(virtual, nftables.SetElement{Key: a.AsSlice()})
			}
		}
		for _, r := range alive {
			if r.iface == iface && r.device == "" && r.addr.Is6() == f.ipv6 {
				living = append(living, nftables.SetElement{Key: r.key(), Timeout: r.time})
			}
		}
		if err := l.dropBut(in, all, may, virtual, living, f.matches...); err != nil {
			return err
		}
	}
	if t.Family == nftables.TableFamilyARP {
		return nil
	}
	if len(w.devices) > 0 && !w.ungated {
		if err := l.gate(t, iface, w.devices, alive); err != nil {
			return err
		}
	}
	if len(w.refused) == 0 {
		return nil
	}
	return (&wall{conn: l.tables}).refuse(in, w.refused)
}

// keepToLink lets everything in that is for a link-local address of IPv6 on another
// interface than these: it is another address there. All others are the host's on
// whatever interface a packet comes in (a second one in the same LAN, a VRF), so
// that those of the rules that follow do not ask for it.
func (l *leases) keepToLink(t *nftables.Table, in *nftables.Chain, names []string) error {
	here := &nftables.Set{Table: t, Name: "here", KeyType: nftables.TypeIFName, KeyByteOrder: binaryutil.NativeEndian}
	var elements []nftables.SetElement
	for _, name := range names {
		elements = append(elements, nftables.SetElement{Key: renewed{device: name}.key()})
	}
	err := errors.Join(l.tables.AddSet(here, nil), l.add(here, elements))
	for _, match := range families(t)[1].matches {
		l.tables.AddRule(&nftables.Rule{Table: t, Chain: in, Exprs: append(match,
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 16, Mask: net.CIDRMask(10, 128), Xor: make([]byte, 16)},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: netip.MustParseAddr("fe80::").AsSlice()},
			&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
			&expr.Lookup{SourceRegister: 1, SetName: here.Name, SetID: here.ID, Invert: true},
			&expr.Verdict{Kind: expr.VerdictAccept})})
	}
	return err
}

// gate has devices forward what is sent to their virtual MAC only as long as
// they are in a set whose elements run out.
func (l *leases) gate(t *nftables.Table, iface string, devices []string, alive []renewed) error {
	// The byte order is for nft(8) to show them right.
	of := &nftables.Set{Table: t, Name: "devices", KeyType: nftables.TypeIFName, KeyByteOrder: binaryutil.NativeEndian}
	may := &nftables.Set{Table: t, Name: forwarding, KeyType: nftables.TypeIFName, KeyByteOrder: binaryutil.NativeEndian, HasTimeout: true}
	var all, living []nftables.SetElement
	for _, name := range devices {
		all = append(all, nftables.SetElement{Key: renewed{device: name}.key()})
	}
	for _, r := range alive {
		if r.iface == iface && r.device != "" {
			living = append(living, nftables.SetElement{Key: r.key(), Timeout: r.time})
		}
	}
	through := l.tables.AddChain(&nftables.Chain{Name: "forward", Table: t, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter})
	return l.dropBut(through, of, may, all, living, []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}})
}

// dropBut makes two sets, and drops what a match finds in the first and not in
// the second, whose elements run out.
func (l *leases) dropBut(chain *nftables.Chain, of, may *nftables.Set, all, living []nftables.SetElement, matches ...[]expr.Any) error {
	err := errors.Join(l.tables.AddSet(of, nil), l.tables.AddSet(may, nil), l.add(of, all), l.add(may, living))
	for _, match := range matches {
		l.tables.AddRule(&nftables.Rule{Table: chain.Table, Chain: chain, Exprs: append(match,
			&expr.Lookup{SourceRegister: 1, SetName: of.Name, SetID: of.ID},
			&expr.Lookup{SourceRegister: 1, SetName: may.Name, SetID: may.ID, Invert: true},
			&expr.Verdict{Kind: expr.VerdictDrop})})
	}
	return err
}

// add adds elements to a set, in messages of a size that the kernel takes.
func (l *leases) add(set *nftables.Set, elements []nftables.SetElement) error {
	for chunk := range slices.Chunk(elements, elementsChunk) {
		if err := l.tables.SetAddElements(set, chunk); err != nil {
			return err
		}
	}
	return nil
}

// hear lets gratuitous ARP in, which names an address twice: it is not a
// question, and without it a Backup that talks to a virtual address would go
// on talking to the former Active. That it comes from an address of ours the
// kernel does not mind (hearSettings), and would answer it with our own: that
// answer names the address twice, too, and does not get out.
func (l *leases) hear(t *nftables.Table, in *nftables.Chain, addrs []netip.Addr) error {
	key := nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeIPAddr)
	twice := &nftables.Set{Table: t, Name: "gratuitous", KeyType: key, Concatenation: true}
	if err := l.tables.AddSet(twice, nil); err != nil {
		return err
	}
	var elements []nftables.SetElement
	for _, a := range addrs {
		if a.Is4() {
			elements = append(elements, nftables.SetElement{Key: append(a.AsSlice(), a.AsSlice()...)})
		}
	}
	if err := l.add(twice, elements); err != nil {
		return err
	}
	named := []expr.Any{
		&expr.Payload{DestRegister: unix.NFT_REG_1, Base: expr.PayloadBaseNetworkHeader, Offset: 14, Len: 4},    // sender
		&expr.Payload{DestRegister: unix.NFT_REG32_01, Base: expr.PayloadBaseNetworkHeader, Offset: 24, Len: 4}, // target
		&expr.Lookup{SourceRegister: unix.NFT_REG_1, SetName: twice.Name, SetID: twice.ID},
	}
	out := l.tables.AddChain(&nftables.Chain{Name: "output", Table: t, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookRef(1), Priority: nftables.ChainPriorityFilter}) // NF_ARP_OUT
	for chain, verdict := range map[*nftables.Chain]expr.VerdictKind{in: expr.VerdictAccept, out: expr.VerdictDrop} {
		l.tables.AddRule(&nftables.Rule{Table: t, Chain: chain, Exprs: append(slices.Clone(named), &expr.Verdict{Kind: verdict})})
	}
	return nil
}

// leaseFamily is what a table looks at: each match leaves an address in
// register 1.
type leaseFamily struct {
	suffix  string
	ipv6    bool
	key     nftables.SetDatatype
	matches [][]expr.Any
}

func families(t *nftables.Table) []leaseFamily {
	address := func(base expr.PayloadBase, offset, n uint32) *expr.Payload {
		return &expr.Payload{DestRegister: 1, Base: base, Offset: offset, Len: n}
	}
	if t.Family == nftables.TableFamilyARP {
		return []leaseFamily{{"4", false, nftables.TypeIPAddr, [][]expr.Any{{address(expr.PayloadBaseNetworkHeader, 24, 4)}}}}
	}
	return []leaseFamily{
		{"4", false, nftables.TypeIPAddr, [][]expr.Any{append(family(unix.NFPROTO_IPV4), address(expr.PayloadBaseNetworkHeader, 16, 4))}},
		{"6", true, nftables.TypeIP6Addr, [][]expr.Any{
			append(family(unix.NFPROTO_IPV6), address(expr.PayloadBaseNetworkHeader, 24, 16)),
			append(icmp(unix.IPPROTO_ICMPV6, 135), address(expr.PayloadBaseTransportHeader, 8, 16)),
		}},
	}
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
