// Package facts reads what the kernel says of interfaces and addresses. It needs no
// capability.
package facts

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/attributes"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// DumpTries: a dump that a change interrupted is taken again, so often at the most.
const DumpTries = 10

// Protocol marks the addresses we add (IFA_PROTO): the protocol's own number.
const Protocol = 112

// IFAProto is IFA_PROTO. Older kernels pass over it.
const IFAProto = 11

// OurLabel matches the labels that mark the addresses put with ioctl(2) as ours, as
// IFA_PROTO does for others.
var OurLabel = regexp.MustCompile(`:rvr[0-9]{1,3}$`)

// Anchor is on an interface without its own addresses. Without any address the
// kernel drops all its routes, those to the Internet among them; the order of
// addresses is that of their arrival; and the first loses its label when the
// interface is renamed. Who removes the anchor has taken over the interface.
var Anchor = netip.MustParsePrefix("127.112.112.112/32")

// Link is what we need to know of an interface.
type Link struct {
	Index    int
	Name     string
	Up       bool // administratively up, with carrier, and no port of a bridge or bond
	AdminUp  bool
	Port     bool   // of a bridge or bond
	Master   string // the bridge or bond
	MAC      net.HardwareAddr
	MTU      int
	Alias    string
	Kind     string
	Lower    int // interface at the bottom of a macvlan, 0 if in another network namespace
	Group    uint32
	Loopback bool
}

// Ethernet says whether an interface is one that VRRP runs on: no tunnel, and
// not the loopback interface.
func (i Link) Ethernet() bool { return !i.Loopback && len(i.MAC) == 6 }

// Address is an address of an interface.
type Address struct {
	Index int
	// Prefix is the address itself, Network what is on the link: the same, but where
	// there is a peer.
	Prefix, Network netip.Prefix
	Proto           uint8
	Again           bool // it was there before, and put again
	Host            bool // of scope host
	// Primary: an advertisement may come from it (RFC 9568 §7.2): IPv4, the
	// interface's own of a subnet; IPv6, link-local and not tentative.
	Primary bool
}

// Links lists all interfaces.
func Links() (out []Link, err error) {
	var list []netlink.Link
	for range DumpTries {
		if list, err = netlink.LinkList(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	kinds, names := make(map[int]string, len(list)), make(map[int]string, len(list))
	for _, l := range list {
		kinds[l.Attrs().Index], names[l.Attrs().Index] = l.Type(), l.Attrs().Name
	}
	for _, l := range list {
		a := l.Attrs()
		// The IP stack hears nothing on a port of those.
		port := slices.Contains([]string{"bridge", "bond", "team", "openvswitch"}, kinds[a.MasterIndex])
		lower := a.ParentIndex
		if a.NetNsID != -1 {
			lower = 0
		}
		out = append(out, Link{
			Index: a.Index, Name: a.Name, MAC: a.HardwareAddr, MTU: a.MTU, Alias: a.Alias, Kind: l.Type(), Lower: lower, Group: a.Group,
			Up:       !port && a.RawFlags&unix.IFF_UP != 0 && a.RawFlags&unix.IFF_LOWER_UP != 0 && a.OperState != netlink.OperDown,
			Port:     port,
			Master:   names[a.MasterIndex],
			AdminUp:  a.RawFlags&unix.IFF_UP != 0,
			Loopback: a.RawFlags&unix.IFF_LOOPBACK != 0,
		})
	}
	return out, nil
}

// All lists what there is.
func All() ([]Link, []Address, error) {
	links, err := Links()
	if err != nil {
		return nil, nil, fmt.Errorf("interfaces: %w", err)
	}
	addrs, err := Addresses()
	if err != nil {
		return nil, nil, fmt.Errorf("addresses: %w", err)
	}
	return links, addrs, nil
}

// Addresses lists the addresses of all interfaces.
func Addresses() (out []Address, err error) {
	msgs, err := AddressMessages(unix.AF_UNSPEC)
	if err != nil {
		return nil, err
	}
	for _, m := range msgs {
		if a, err := ParseAddress(m); err != nil {
			return nil, err
		} else if a.Prefix.IsValid() {
			out = append(out, a)
		}
	}
	return out, nil
}

// AddressMessages lists them as the kernel does. The library's own listing
// does not show who added an address.
func AddressMessages(family int) (msgs [][]byte, err error) {
	for range DumpTries {
		req := nl.NewNetlinkRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP)
		req.AddData(nl.NewIfAddrmsg(family))
		if msgs, err = req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWADDR); !errors.Is(err, nl.ErrDumpInterrupted) {
			break
		}
	}
	return msgs, err
}

// ParseAddress reads the body of a message about an address, of the kernel's or
// as a lock's file has kept it.
func ParseAddress(m []byte) (a Address, err error) {
	var local, peer netip.Addr
	whole := len(m) >= unix.SizeofIfAddrmsg && attributes.Each(m[unix.SizeofIfAddrmsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(value)
		case unix.IFA_ADDRESS:
			peer, _ = netip.AddrFromSlice(value)
		case unix.IFA_LABEL:
			if OurLabel.Match(bytes.TrimRight(value, "\x00")) {
				a.Proto = Protocol
			}
		case unix.IFA_CACHEINFO: // when it was made, and changed last, behind two lifetimes
			a.Again = len(value) >= 16 && !bytes.Equal(value[8:12], value[12:16])
		case IFAProto:
			if len(value) > 0 {
				a.Proto = value[0]
			}
		}
	})
	if !whole {
		return a, errors.New("netlink: damaged message about an address")
	}
	msg := nl.DeserializeIfAddrmsg(m)
	a.Index, a.Host = int(msg.Index), msg.Scope == unix.RT_SCOPE_HOST
	a.Network = netip.PrefixFrom(peer, int(msg.Prefixlen))
	if !local.IsValid() {
		local = peer
	}
	if a.Prefix = netip.PrefixFrom(local, int(msg.Prefixlen)); a.Prefix == Anchor {
		a.Proto = Protocol
	}
	if local.Is4() {
		a.Primary = msg.Scope == unix.RT_SCOPE_UNIVERSE && msg.Flags&unix.IFA_F_SECONDARY == 0
	} else {
		a.Primary = local.IsLinkLocalUnicast() && msg.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0
	}
	return a, nil
}

// Usable is what an interface is usable as, in one family: of its own addresses, which
// come one by one.
type Usable struct {
	Up      bool // there is an address to speak from
	Primary netip.Addr
	// Prefixes are its own addresses, Networks what is on the link.
	Prefixes, Networks []netip.Prefix
}

// Take takes an address of an interface that is up or not. The one to speak from is its
// first, but a virtual one that it owns only if it has no other.
func (u *Usable) Take(a Address, up bool, virtual func(netip.Addr) bool) {
	u.Prefixes, u.Networks = append(u.Prefixes, a.Prefix), append(u.Networks, a.Network)
	if ip := a.Prefix.Addr(); up && a.Primary && (!u.Up || virtual(u.Primary) && !virtual(ip)) {
		u.Up, u.Primary = true, ip
	}
}

// State is what a network process may know: whether the link is usable, the networks on
// it, that of the address to speak from at the front, and that address.
func (u *Usable) State(link ipc.Link, family ipc.Family) ipc.LinkState {
	state := ipc.LinkState{Link: link, Up: u.Up, Primary: u.Primary}
	first := slices.IndexFunc(u.Prefixes, func(p netip.Prefix) bool { return p.Addr() == u.Primary })
	if first >= 0 && family == ipc.IPv4 && len(u.Networks) <= len(state.Networks) {
		u.Networks[0], u.Networks[first] = u.Networks[first], u.Networks[0]
		copy(state.Networks[:], u.Networks)
	}
	return state
}
