package nft

import (
	"cmp"
	"errors"
	"maps"
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
	hook, virtual, devices := nftables.ChainHookInput, []netip.Addr(nil), []string(nil)
	for _, all := range w.Terms {
		virtual, devices = append(virtual, all.Virtual...), append(devices, all.Devices...)
	}
	if t.Family == nftables.TableFamilyARP {
		hook = nftables.ChainHookRef(0) // NF_ARP_IN
	}
	in := l.tables.AddChain(&nftables.Chain{Name: "input", Table: t, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter})
	if t.Family == nftables.TableFamilyARP {
		if err := l.hear(t, in, virtual); err != nil {
			return err
		}
	} else if slices.ContainsFunc(slices.Concat(virtual, w.Refused), LinkLocal) {
		if err := l.keepToLink(t, in, append([]string{iface}, devices...)); err != nil {
			return err
		}
	}
	var through *nftables.Chain
	if t.Family != nftables.TableFamilyARP && len(devices) > 0 && !w.Ungated {
		through = l.tables.AddChain(&nftables.Chain{Name: "forward", Table: t, Type: nftables.ChainTypeFilter,
			Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter})
	}
	for _, f := range families(t) {
		for _, term := range slices.SortedFunc(maps.Keys(w.Terms), func(a, b Term) int { return cmp.Compare(a.Length, b.Length) }) {
			if term.IPv6 != f.ipv6 || w.Ungated {
				continue
			}
			if err := l.silence(in, through, term, w.Terms[term], f, alive); err != nil {
				return err
			}
		}
	}
	if t.Family == nftables.TableFamilyARP || len(w.Refused) == 0 {
		return nil
	}
	return (&Tables{conn: l.tables}).refuse(in, w.Refused)
}

// silence drops what is sent to the addresses of a term once that is over, and what their devices
// would forward of what is sent to their virtual MAC, if there is a chain for that.
func (l *Leases) silence(in, through *nftables.Chain, term Term, all Together, f leaseFamily, alive []Renewed) error {
	running := &nftables.Set{Table: in.Table, Name: runningPrefix + term.name(), KeyType: nftables.TypeNFProto, HasTimeout: true}
	virtual := &nftables.Set{Table: in.Table, Name: virtualPrefix + term.name(), KeyType: f.key}
	var addrs, living []nftables.SetElement
	for _, a := range all.Virtual {
		addrs = append(addrs, nftables.SetElement{Key: a.AsSlice()})
	}
	for _, r := range alive {
		if r.Term == term {
			living = r.elements()
		}
	}
	err := errors.Join(l.tables.AddSet(running, nil), l.add(running, living), l.tables.AddSet(virtual, nil), l.add(virtual, addrs))
	l.dropBut(in, virtual, running, f.matches...)
	if through == nil || len(all.Devices) == 0 {
		return err
	}
	// The byte order is for nft(8) to show them right.
	devices := &nftables.Set{Table: in.Table, Name: devicesPrefix + term.name(), KeyType: nftables.TypeIFName, KeyByteOrder: binaryutil.NativeEndian}
	err = errors.Join(err, l.tables.AddSet(devices, nil), l.add(devices, called(all.Devices)))
	l.dropBut(through, devices, running, []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}})
	return err
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

// called are interfaces as elements of a set of their names.
func called(names []string) (elements []nftables.SetElement) {
	for _, name := range names {
		elements = append(elements, nftables.SetElement{Key: append([]byte(name), make([]byte, unix.IFNAMSIZ-len(name))...)})
	}
	return elements
}

// dropBut drops what a match finds in a set, unless a term is running.
func (l *Leases) dropBut(chain *nftables.Chain, of, running *nftables.Set, matches ...[]expr.Any) {
	for _, match := range matches {
		l.tables.AddRule(&nftables.Rule{Table: chain.Table, Chain: chain, Exprs: append(match,
			&expr.Lookup{SourceRegister: 1, SetName: of.Name, SetID: of.ID},
			&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
			&expr.Lookup{SourceRegister: 1, SetName: running.Name, SetID: running.ID, Invert: true},
			&expr.Verdict{Kind: expr.VerdictDrop})})
	}
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
