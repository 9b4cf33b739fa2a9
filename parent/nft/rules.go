package nft

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// AddressOn is an address on an interface.
type AddressOn struct {
	Index int
	Addr  netip.Addr
}

// Rules is what our nftables tables enforce, and no setting of the kernel does.
type Rules struct {
	// Refused: packets to these addresses are not accepted, but for neighbor
	// discovery (Accept_Mode false, RFC 9568 §6.1), nor, being ours, forwarded.
	Refused []netip.Addr
	// RefusedOn are link-local ones of IPv6, each on its interface.
	RefusedOn []AddressOn
	// Quiet interfaces send no ICMP redirects: theirs would come from another
	// address than the host used (RFC 9568 §8.2.1).
	Quiet []int
	// Owned addresses are answered for by the macvlan above their interface
	// alone, with the virtual MAC (RFC 9568 §8.1.2, §8.2.2).
	Owned []AddressOn
}

// Equal says whether two are the same.
func (r Rules) Equal(o Rules) bool {
	return slices.Equal(r.Refused, o.Refused) && slices.Equal(r.RefusedOn, o.RefusedOn) && slices.Equal(r.Quiet, o.Quiet) && slices.Equal(r.Owned, o.Owned)
}

// Tables keep the rules in two tables that the kernel removes with our socket,
// however we end, and lets nobody else change.
type Tables struct {
	conn      *nftables.Conn
	inet, arp *nftables.Table
	applied   Rules
	chains    []*nftables.Chain
	sets      []*nftables.Set
}

// tableOwner is NFT_TABLE_F_OWNER.
const tableOwner = 2

// open opens the socket and makes the tables: the library cannot make them
// its socket's own, but lets us use that socket.
func (w *Tables) open() (err error) {
	name := fmt.Sprintf("rvrrpd-%d", os.Getpid())
	w.inet = &nftables.Table{Name: name, Family: nftables.TableFamilyINet}
	w.arp = &nftables.Table{Name: name, Family: nftables.TableFamilyARP}
	w.conn, err = nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error {
		if err := c.SetWriteBuffer(batchBuffer); err != nil {
			return err
		}
		batch := []netlink.Message{subsystem(unix.NFNL_MSG_BATCH_BEGIN, 0)}
		for _, t := range []*nftables.Table{w.inet, w.arp} {
			m := subsystem(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWTABLE, byte(t.Family))
			m.Header.Flags |= netlink.Create | netlink.Excl | netlink.Acknowledge
			attrs, err := netlink.MarshalAttributes([]netlink.Attribute{
				{Type: unix.NFTA_TABLE_NAME, Data: []byte(name + "\x00")},
				{Type: unix.NFTA_TABLE_FLAGS, Data: []byte{0, 0, 0, tableOwner}}})
			if err != nil {
				return err
			}
			m.Data = append(m.Data, attrs...)
			batch = append(batch, m)
		}
		if _, err := c.SendMessages(append(batch, subsystem(unix.NFNL_MSG_BATCH_END, 0))); err != nil {
			return err
		}
		for range 2 {
			if _, err := c.Receive(); err != nil {
				return err
			}
		}
		return nil
	}))
	return err
}

// subsystem is an empty message of nfnetlink for nftables.
func subsystem(kind uint16, family byte) netlink.Message {
	return netlink.Message{Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request},
		Data: []byte{family, unix.NFNETLINK_V0, 0, unix.NFNL_SUBSYS_NFTABLES}}
}

// elementsChunk is the number of elements of a set in one message.
const elementsChunk = 500

// batchBuffer is the room for one batch of messages, in bytes: all addresses
// of some ten thousand virtual routers.
const batchBuffer = 16 << 20

// Apply makes the rules what is wanted, all at once.
func (w *Tables) Apply(want Rules) (err error) {
	if want.Equal(w.applied) {
		return nil
	}
	if w.conn == nil {
		if err := w.open(); err != nil {
			w.conn = nil
			return fmt.Errorf("nftables (accept_mode = false, owners of addresses; kernel module nf_tables): %w", err)
		}
	}
	w.conn.FlushTable(w.inet)
	w.conn.FlushTable(w.arp)
	chains, sets := w.chains, w.sets
	for _, c := range chains {
		w.conn.DelChain(c)
	}
	for _, s := range sets {
		w.conn.DelSet(s)
	}
	w.chains, w.sets = nil, nil
	w.fillARP(want)
	if err = w.fillINet(want); err == nil {
		err = w.conn.Flush()
	}
	if err != nil {
		w.chains, w.sets = chains, sets
		return fmt.Errorf("nftables (accept_mode = false, owners of addresses; kernel module nf_tables): %w", err)
	}
	w.applied = want
	return nil
}

// addressType is an element of a set: an interface, and an address on it.
var addressType = nftables.MustConcatSetType(nftables.TypeIFIndex, nftables.TypeIP6Addr)

// fillINet fills the table of IPv4 and IPv6.
func (w *Tables) fillINet(want Rules) error {
	var quiet []nftables.SetElement
	for _, i := range want.Quiet {
		quiet = append(quiet, nftables.SetElement{Key: native(i)})
	}
	in := w.chain(w.inet, "input", nftables.ChainHookInput)
	for _, o := range want.Owned {
		if o.Addr.Is6() { // a neighbor solicitation for the address
			w.drop(in, slices.Concat(icmp(unix.IPPROTO_ICMPV6, 135), ifIs(expr.MetaKeyIIF, o.Index),
				is(expr.PayloadBaseTransportHeader, 8, o.Addr.AsSlice())))
		}
	}
	if err := w.refuse(in, want.Refused); err != nil {
		return err
	}
	var on []nftables.SetElement
	for _, o := range want.RefusedOn {
		on = append(on, nftables.SetElement{Key: append(native(o.Index), o.Addr.AsSlice()...)})
	}
	if err := w.dropTo(in, "refusedon6", addressType, on, append(family(unix.NFPROTO_IPV6), &expr.Meta{Key: expr.MetaKeyIIF, Register: unix.NFT_REG32_00},
		&expr.Payload{DestRegister: unix.NFT_REG32_01, Base: expr.PayloadBaseNetworkHeader, Offset: 24, Len: 16})); err != nil {
		return err
	}
	out := w.chain(w.inet, "output", nftables.ChainHookOutput)
	oif := &expr.Meta{Key: expr.MetaKeyOIF, Register: 1}
	if err := w.dropTo(out, "quiet4", nftables.TypeIFIndex, quiet, append(icmp(unix.IPPROTO_ICMP, 5), oif)); err != nil {
		return err
	}
	return w.dropTo(out, "quiet6", nftables.TypeIFIndex, quiet, append(icmp(unix.IPPROTO_ICMPV6, 137), oif))
}

// refuse has addresses accept nothing but neighbor discovery.
func (w *Tables) refuse(in *nftables.Chain, addrs []netip.Addr) error {
	var four, six []nftables.SetElement
	for _, a := range addrs {
		if e := (nftables.SetElement{Key: a.AsSlice()}); a.Is4() {
			four = append(four, e)
		} else {
			six = append(six, e)
		}
	}
	notLoopback := []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFTYPE, Register: 1},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: binary.NativeEndian.AppendUint16(nil, unix.ARPHRD_LOOPBACK)}}
	if err := w.dropTo(in, "refused4", nftables.TypeIPAddr, four, slices.Concat(notLoopback, family(unix.NFPROTO_IPV4),
		[]expr.Any{&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}})); err != nil {
		return err
	}
	for _, kind := range []byte{135, 136} { // neighbor solicitation and advertisement
		w.conn.AddRule(&nftables.Rule{Table: in.Table, Chain: in, Exprs: append(icmp(unix.IPPROTO_ICMPV6, kind), &expr.Verdict{Kind: expr.VerdictAccept})})
	}
	return w.dropTo(in, "refused6", nftables.TypeIP6Addr, six, slices.Concat(notLoopback, family(unix.NFPROTO_IPV6),
		[]expr.Any{&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 24, Len: 16}}))
}

// fillARP fills the table of ARP: requests for an owned address are heard by
// the macvlan alone.
func (w *Tables) fillARP(want Rules) {
	const request, operation, target = 1, 6, 24
	in := w.chain(w.arp, "input", nftables.ChainHookRef(0)) // NF_ARP_IN
	for _, o := range want.Owned {
		if o.Addr.Is4() {
			w.drop(in, slices.Concat(ifIs(expr.MetaKeyIIF, o.Index), is(expr.PayloadBaseNetworkHeader, operation, []byte{0, request}),
				is(expr.PayloadBaseNetworkHeader, target, o.Addr.AsSlice())))
		}
	}
}

func (w *Tables) chain(t *nftables.Table, name string, hook *nftables.ChainHook) *nftables.Chain {
	c := &nftables.Chain{Name: name, Table: t, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter}
	w.chains = append(w.chains, c)
	return w.conn.AddChain(c)
}

func (w *Tables) drop(c *nftables.Chain, match []expr.Any) {
	w.conn.AddRule(&nftables.Rule{Table: c.Table, Chain: c, Exprs: append(match, &expr.Verdict{Kind: expr.VerdictDrop})})
}

// dropTo drops what matches and has an element of a set in register 1; an
// empty set costs no rule.
func (w *Tables) dropTo(c *nftables.Chain, name string, of nftables.SetDatatype, elements []nftables.SetElement, match []expr.Any) error {
	if len(elements) == 0 {
		return nil
	}
	set := &nftables.Set{Table: c.Table, Name: name, KeyType: of, Concatenation: of == addressType}
	if of == nftables.TypeIFIndex {
		set.KeyByteOrder = binaryutil.NativeEndian // for nft(8) to show it right
	}
	w.sets = append(w.sets, set)
	if err := w.conn.AddSet(set, nil); err != nil {
		return err
	}
	for chunk := range slices.Chunk(elements, elementsChunk) {
		if err := w.conn.SetAddElements(set, chunk); err != nil {
			return err
		}
	}
	w.drop(c, append(match, &expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID}))
	return nil
}

func native(i int) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(i)) }

func ifIs(key expr.MetaKey, index int) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: native(index)}}
}

func family(f byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{f}}}
}

func is(base expr.PayloadBase, offset uint32, data []byte) []expr.Any {
	return []expr.Any{&expr.Payload{DestRegister: 1, Base: base, Offset: offset, Len: uint32(len(data))}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data}}
}

// icmp matches a type of ICMP or ICMPv6.
func icmp(protocol, kind byte) []expr.Any {
	return slices.Concat([]expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}}},
		is(expr.PayloadBaseTransportHeader, 0, []byte{kind}))
}

// LinkLocal says whether an address is another one on each interface.
func LinkLocal(ip netip.Addr) bool { return ip.Is6() && ip.IsLinkLocalUnicast() }
