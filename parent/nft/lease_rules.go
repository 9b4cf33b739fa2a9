package nft

import (
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// fill fills a new table.
func (l *Leases) fill(t *nftables.Table, iface string, w Lasting, alive []Renewed) error {
	hook := nftables.ChainHookInput
	if t.Family == nftables.TableFamilyARP {
		hook = nftables.ChainHookRef(0) // NF_ARP_IN
	}
	in := l.tables.AddChain(&nftables.Chain{Name: "input", Table: t, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter})
	if t.Family == nftables.TableFamilyARP {
		if err := l.hear(t, in, w.Virtual); err != nil {
			return err
		}
	} else if slices.ContainsFunc(slices.Concat(w.Virtual, w.Refused), LinkLocal) {
		if err := l.keepToLink(t, in, append([]string{iface}, w.Devices...)); err != nil {
			return err
		}
	}
	for _, f := range families(t) {
		all := &nftables.Set{Table: t, Name: "virtual" + f.suffix, KeyType: f.key}
		may := &nftables.Set{Table: t, Name: "alive" + f.suffix, KeyType: f.key, HasTimeout: true}
		var virtual, living []nftables.SetElement
		for _, a := range w.Virtual {
			if a.Is6() == f.ipv6 {
				virtual = append(virtual, nftables.SetElement{Key: a.AsSlice()})
			}
		}
		for _, r := range alive {
			if r.Iface == iface && r.Device == "" && r.Addr.Is6() == f.ipv6 {
				living = append(living, nftables.SetElement{Key: r.key(), Timeout: r.Time})
			}
		}
		if err := l.dropBut(in, all, may, virtual, living, f.matches...); err != nil {
			return err
		}
	}
	if t.Family == nftables.TableFamilyARP {
		return nil
	}
	if len(w.Devices) > 0 && !w.Ungated {
		if err := l.gate(t, iface, w.Devices, alive); err != nil {
			return err
		}
	}
	if len(w.Refused) == 0 {
		return nil
	}
	return (&Tables{conn: l.tables}).refuse(in, w.Refused)
}

// keepToLink lets everything in that is for a link-local address of IPv6 on another
// interface than these: it is another address there. All others are the host's on
// whatever interface a packet comes in (a second one in the same LAN, a VRF), so
// that those of the rules that follow do not ask for it.
func (l *Leases) keepToLink(t *nftables.Table, in *nftables.Chain, names []string) error {
	here := &nftables.Set{Table: t, Name: "here", KeyType: nftables.TypeIFName, KeyByteOrder: binaryutil.NativeEndian}
	err := errors.Join(l.tables.AddSet(here, nil), l.add(here, called(names)))
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
func (l *Leases) gate(t *nftables.Table, iface string, devices []string, alive []Renewed) error {
	// The byte order is for nft(8) to show them right.
	of := &nftables.Set{Table: t, Name: "devices", KeyType: nftables.TypeIFName, KeyByteOrder: binaryutil.NativeEndian}
	may := &nftables.Set{Table: t, Name: forwarding, KeyType: nftables.TypeIFName, KeyByteOrder: binaryutil.NativeEndian, HasTimeout: true}
	var living []nftables.SetElement
	for _, r := range alive {
		if r.Iface == iface && r.Device != "" {
			living = append(living, nftables.SetElement{Key: r.key(), Timeout: r.Time})
		}
	}
	through := l.tables.AddChain(&nftables.Chain{Name: "forward", Table: t, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter})
	return l.dropBut(through, of, may, called(devices), living, []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}})
}

// called are interfaces as elements of a set of their names.
func called(names []string) (elements []nftables.SetElement) {
	for _, name := range names {
		elements = append(elements, nftables.SetElement{Key: Renewed{Device: name}.key()})
	}
	return elements
}

// dropBut makes two sets, and drops what a match finds in the first and not in
// the second, whose elements run out.
func (l *Leases) dropBut(chain *nftables.Chain, of, may *nftables.Set, all, living []nftables.SetElement, matches ...[]expr.Any) error {
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
func (l *Leases) add(set *nftables.Set, elements []nftables.SetElement) error {
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
func (l *Leases) hear(t *nftables.Table, in *nftables.Chain, addrs []netip.Addr) error {
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
