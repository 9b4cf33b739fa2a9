//go:build lab

package lab_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// sourceTo is the address that a node's own connections to another come from.
func sourceTo(t *testing.T, n *lab.Node, to netip.Addr) (source netip.Addr) {
	t.Helper()
	if to.IsLinkLocalUnicast() {
		to = to.WithZone(lab.Interface)
	}
	err := n.Do(func() error {
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
		if err != nil {
			return err
		}
		defer c.Close()
		source = c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().WithZone("")
		return nil
	})
	if err != nil {
		t.Fatalf("%s: a connection to %v: %v", n.Name, to, err)
	}
	return source
}

// TestSourceAddress: with iftype = "ether" what the Active itself sends comes
// from an address of its own where the interface has one of the kind, and not
// from the virtual one, which another router may have in a moment: whether the
// own one was there first or not, and also when leases are lifetimes.
func TestSourceAddress(t *testing.T) {
	t.Parallel()
	own, host := netip.MustParseAddr("2001:db8:9::1"), netip.MustParseAddr("2001:db8:9::9")
	local, unique, uniqueHost := netip.MustParseAddr("fd00:9::1"), netip.MustParseAddr("fd00:9::254"), netip.MustParseAddr("fd00:9::9")
	for _, bits := range []string{"64", "128"} {
		for _, lease := range []string{"auto", "lifetime"} {
			t.Run(fmt.Sprintf("/%s, lease %s", bits, lease), func(t *testing.T) {
				t.Parallel()
				r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Priority: high, IPv6: true, OnInterface: true}
				link, virtual := r.VIPs()[0], r.VIPs()[1]
				text := strings.Replace(r.Configuration(""), fmt.Sprintf("\"%v/64\"", virtual), fmt.Sprintf("\"%v/%s\", \"%v/%s\"", virtual, bits, unique, bits), 1)
				l := lab.New(t)
				forward(l.R1)
				l.R1.IP("addr add " + own.String() + "/64 dev " + lab.Interface + " nodad")
				// Both networks are there whoever has which address.
				l.R1.IP("route add 2001:db8:9::/64 dev "+lab.Interface, "route add fd00:9::/64 dev "+lab.Interface)
				a := runText(t, l.R1, fmt.Sprintf("lease = %q\n", lease)+text)
				a.AwaitLine(0, 10*time.Second, "backup->active")
				if !lab.Until(2*time.Second, func() bool { return l.R1.Holds(unique) && l.R1.Holds(virtual) && l.R1.Holds(link) }) {
					t.Fatalf("it has %v and said\n%s", l.R1.Addresses(lab.Interface), a.Output())
				}
				comes := func(when string, to, want netip.Addr) {
					t.Helper()
					if !lab.Until(3*time.Second, func() bool { return sourceTo(t, l.R1, to) == want }) {
						t.Errorf("%s: a connection to %v comes from %v, want %v", when, to, sourceTo(t, l.R1, to), want)
					}
				}
				comes("its own global address", host, own)
				comes("no unique local address of its own", uniqueHost, unique)
				comes("link-local", l.Client.LinkLocal, l.R1.LinkLocal)
				for range 2 {
					l.R1.IP("addr del " + own.String() + "/64 dev " + lab.Interface)
					comes("without its own global address", host, virtual)
					l.R1.IP("addr add "+own.String()+"/64 dev "+lab.Interface+" nodad", "addr add "+local.String()+"/64 dev "+lab.Interface+" nodad")
					comes("its own global address again", host, own)
					comes("a unique local address of its own", uniqueHost, local)
					l.R1.IP("addr del " + local.String() + "/64 dev " + lab.Interface)
					comes("none any more", uniqueHost, unique)
				}
				// It outlives what renews it.
				mark := l.Tap.Len()
				for range 3 {
					l.Tap.Await(l.Tap.Len(), 3*time.Second, "r1's advertisement", advertisement(l.R1))
				}
				comes("renewed", host, own)
				for _, vip := range []netip.Addr{link, virtual, unique} {
					if answers := l.Solicit(vip); len(answers) != 1 || !l.R1.Holds(vip) {
						t.Errorf("%v: %v", vip, answers)
					}
				}
				if a.Said(0, "active->|put back|given back|level=ERROR") || len(lab.Select(l.Tap.From(mark), goodbye(l.R1))) > 0 {
					t.Errorf("it said\n%s", a.Output())
				}
				if status := a.Terminate(5 * time.Second); status != 0 {
					t.Errorf("status %d; it said\n%s", status, a.Output())
				}
			})
		}
	}
}
