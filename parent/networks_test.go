package parent

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// peerMessage is the kernel's message about an address of device 3 with a peer.
func peerMessage(local, peer string) addrMsg {
	p := netip.MustParsePrefix(peer)
	msg := nl.NewIfAddrmsg(unix.AF_INET)
	msg.Index, msg.Prefixlen = 3, uint8(p.Bits())
	m := append(msg.Serialize(), nl.NewRtAttr(unix.IFA_ADDRESS, p.Addr().AsSlice()).Serialize()...)
	return append(m, nl.NewRtAttr(unix.IFA_LOCAL, netip.MustParseAddr(local).AsSlice()).Serialize()...)
}

// peered is what is read of it.
func peered(t *testing.T, local, peer string) facts.Address {
	t.Helper()
	p := netip.MustParsePrefix(peer)
	a, err := facts.ParseAddress(peerMessage(local, peer))
	if err != nil || a.Prefix != netip.PrefixFrom(netip.MustParseAddr(local), p.Bits()) {
		t.Fatal(a.Prefix, err)
	}
	return a
}

// TestNetworks: the child is told of the networks of a link over IPv4, its own ones
// alone, and of none where they are too many; who reads the log is not.
func TestNetworks(t *testing.T) {
	t.Parallel()
	at := func(text string, proto int) facts.Address {
		p := netip.MustParsePrefix(text)
		return facts.Address{Index: 3, Prefix: p, Network: p, Proto: uint8(proto), Primary: true}
	}
	peer := func(local, peer string) facts.Address { return peered(t, local, peer) }
	second := at("10.0.0.7/32", 0)
	second.Primary = false
	var many []facts.Address
	var texts []string
	for i := range ipc.MaxNetworks + 1 {
		texts = append(texts, fmt.Sprintf("10.%d.0.1/16", i))
		many = append(many, at(texts[i], 0))
	}
	up := facts.Link{Index: 3, Name: "eth0", Up: true}
	for _, tt := range []struct {
		name   string
		family ipc.Family
		info   facts.Link
		addrs  []facts.Address
		want   []string
	}{
		{"two", ipc.IPv4, up, []facts.Address{at("10.0.0.1/24", 0), at("10.1.0.1/16", 0), at("2001:db8::1/64", 0)}, []string{"10.0.0.1/24", "10.1.0.1/16"}},
		{"a peer", ipc.IPv4, up, []facts.Address{peer("10.0.0.1", "10.0.1.2/24")}, []string{"10.0.1.2/24"}},
		{"a single peer", ipc.IPv4, up, []facts.Address{peer("10.0.0.1", "10.0.1.2/32"), at("10.1.0.1/24", 0)}, []string{"10.0.1.2/32", "10.1.0.1/24"}},
		{"no peer", ipc.IPv4, up, []facts.Address{peer("10.0.0.1", "10.0.0.1/24")}, []string{"10.0.0.1/24"}},
		{"the primary one first", ipc.IPv4, up, []facts.Address{second, at("10.0.0.1/24", 0), at("10.1.0.1/16", 0)}, []string{"10.0.0.1/24", "10.0.0.7/32", "10.1.0.1/16"}},
		{"and a virtual one", ipc.IPv4, up, []facts.Address{at("10.0.0.1/24", 0), at("10.0.0.254/24", facts.Protocol)}, []string{"10.0.0.1/24"}},
		{"IPv6", ipc.IPv6, up, []facts.Address{at("fe80::1/64", 0)}, nil},
		{"down", ipc.IPv4, facts.Link{Index: 3, Name: "eth0"}, []facts.Address{at("10.0.0.1/24", 0)}, nil},
		{"as many as there is room for", ipc.IPv4, up, many[1:], texts[1:]},
		{"too many", ipc.IPv4, up, many, nil},
	} {
		l := &link{wire: wire{linkName: linkName{"eth0", tt.family}, index: 3}}
		state := l.observed(tt.info, tt.addrs)
		var got []string
		for _, n := range state.Networks {
			if n.IsValid() {
				got = append(got, n.String())
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: networks %v, want %v", tt.name, got, tt.want)
		}
	}
	l := &link{wire: wire{linkName: linkName{"eth0", ipc.IPv4}, index: 3, displaced: &displaced{
		prefixes: []netip.Prefix{second.Prefix, netip.MustParsePrefix("10.0.0.1/24")},
		addrs:    []addrMsg{peerMessage("10.0.0.7", "10.0.0.7/32"), peerMessage("10.0.0.1", "10.0.1.2/24")},
		primary:  netip.MustParseAddr("10.0.0.1"),
	}}}
	for range 2 { // which leaves what is aside as it is
		if n := l.observed(up, many[:1]).Networks; n[0] != netip.MustParsePrefix("10.0.1.2/24") || n[1] != second.Network || n[2] != many[0].Network {
			t.Errorf("put aside: networks %v", n[:3])
		}
	}
	var said bytes.Buffer
	d := &daemon{keeper: unread(), broker: broker{conversing: conversing{child: &child{phase: ipc.PhaseRun}}, log: slog.New(slog.NewTextHandler(&said, nil))}}
	l = &link{wire: wire{linkName: linkName{"eth0", ipc.IPv4}, index: 3}}
	d.tell(l, l.observed(up, many[:1]), "")
	d.tell(l, l.observed(up, many[:2]), "")
	d.tell(l, l.observed(up, many[:2]), "")
	told := 0
	if err := d.outgoing.Flush(func(b []byte) error { told += len(b); return nil }); err != nil {
		t.Fatal(err)
	}
	if one := len(ipc.Append(nil, ipc.Header{}, ipc.LinkState{})); told != 2*one {
		t.Errorf("the child is told %d bytes, want two messages of %d", told, one)
	}
	if n := strings.Count(said.String(), "link up"); n != 1 {
		t.Errorf("said %d times:\n%s", n, said.String())
	}
}
