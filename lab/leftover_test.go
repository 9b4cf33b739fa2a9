//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// leave puts an address on a node's interface as a daemon does that marks it
// and is killed.
func leave(t *testing.T, n *lab.Node, prefix netip.Prefix, protocol byte) {
	t.Helper()
	index, family := n.Indexes()[lab.Interface], unix.AF_INET
	if prefix.Addr().Is6() {
		family = unix.AF_INET6
	}
	err := n.Do(func() error {
		req := nl.NewNetlinkRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_ACK)
		msg := nl.NewIfAddrmsg(family)
		msg.Index, msg.Prefixlen, msg.IfAddrmsg.Flags = uint32(index), uint8(prefix.Bits()), unix.IFA_F_NODAD
		req.AddData(msg)
		req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, prefix.Addr().AsSlice()))
		req.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, prefix.Addr().AsSlice()))
		req.AddData(nl.NewRtAttr(11 /* IFA_PROTO */, []byte{protocol}))
		_, err := req.Execute(unix.NETLINK_ROUTE, 0)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v: %v", n.Name, prefix, err)
	}
}

// lacks waits until a node has none of the virtual addresses.
func lacks(t *testing.T, n *lab.Node, r lab.Router, when string) {
	t.Helper()
	gone := func() bool { return !slices.ContainsFunc(r.VIPs(), n.Holds) }
	if !lab.Until(2*time.Second, gone) {
		t.Errorf("%s: %s has %v", when, n.Name, n.Addresses(lab.Interface))
	}
}

// TestLeftover: what a daemon that was killed has left on the interface makes
// nobody its owner where the kernel, or the operator, tells: it is removed,
// taken like any other, and gone at the end.
func TestLeftover(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		protocol byte // of who left it
		owner    string
	}{
		{"of keepalived 2.3.2", unix.RTPROT_KEEPALIVED, ""},
		{"of whom nobody knows, owner = false", 0, "owner = false\n"},
	} {
		for _, ipv6 := range []bool{false, true} {
			for _, onInterface := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, IPv6 %v, on the interface %v", tt.name, ipv6, onInterface), func(t *testing.T) {
					t.Parallel()
					l := lab.New(t)
					r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, IPv6: ipv6, OnInterface: onInterface, Priority: low}
					forward(l.R1)
					l.R1.Owes("the test leaves addresses on it")
					for _, vip := range r.VIPs() {
						leave(t, l.R1, netip.PrefixFrom(vip, map[bool]int{false: 24, true: 64}[ipv6]), tt.protocol)
					}
					higher := r
					higher.Priority = high
					b := l.R2.Run(higher)
					b.AwaitActive(0)
					p := runText(t, l.R1, r.Configuration(l.R1.Name)+tt.owner)
					p.AwaitLine(0, 5*time.Second, "removing virtual addresses that were left.*"+regexp.QuoteMeta(r.VIPs()[len(r.VIPs())-1].String()))
					p.AwaitLine(0, 5*time.Second, "initialize->backup")
					lacks(t, l.R1, r, "Backup")
					mark := l.Tap.Len()
					b.Kill()
					l.Tap.Await(mark, 10*time.Second, "r1's advertisement", advertOf(l.R1, low))
					answers(t, l, l.R1, r)
					if status := p.Terminate(5 * time.Second); status != 0 {
						t.Errorf("status %d; it said\n%s", status, p.Output())
					}
					lacks(t, l.R1, r, "stopped")
					if said := lab.Select(l.Tap.From(0), advertOf(l.R1, 255)); len(said) > 0 {
						t.Errorf("the owner: %s", said[0])
					}
				})
			}
		}
	}
}

// TestLeftoverOfKeepalived: what Debian 12's keepalived leaves looks like the
// interface's own. The line about the owner names it, who may have left it, and
// the command that removes it, which is all it takes.
func TestLeftoverOfKeepalived(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	k := l.R1.Run(lab.Router{Kind: lab.Keepalived, Priority: high, OnInterface: true})
	k.AwaitActive(0)
	if !lab.Until(5*time.Second, func() bool { return l.R1.Holds(lab.VIP) }) {
		t.Fatalf("keepalived has no %v", lab.VIP)
	}
	k.Kill()
	p := runText(t, l.R1, lab.Router{Kind: lab.Rvrrpd, Priority: low, OnInterface: true}.Configuration(l.R1.Name))
	line := p.AwaitLine(0, 5*time.Second, "address owner.*keepalived.*command=").Text
	m := regexp.MustCompile(`addresses=\[(\S+)\].*command="ip (.*)"`).FindStringSubmatch(line)
	if m == nil || !strings.HasPrefix(m[1], lab.VIP.String()+"/") {
		t.Fatalf("no address or command in %q", line)
	}
	l.R1.IP(m[2])
	p.AwaitLine(0, 5*time.Second, "no longer the address owner")
	l.Tap.Await(l.Tap.Len(), 10*time.Second, "r1's advertisement", advertOf(l.R1, low))
}

// TestOwnerReloaded: owner = false in a reload makes an owner a router like any
// other, and owner = "auto" nobody an owner of what it has added itself.
func TestOwnerReloaded(t *testing.T) {
	t.Parallel()
	for _, onInterface := range []bool{false, true} {
		t.Run(fmt.Sprintf("on the interface %v", onInterface), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			l.R1.Owes("the test leaves addresses on it")
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: low, OnInterface: onInterface}
			l.R1.IP(adding("add", r)...)
			p := startReloaded(t, l.R1, r.Configuration(""))
			l.Tap.Await(0, 5*time.Second, "the owner's advertisement", advertOf(l.R1, 255))
			mark := l.Tap.Len()
			p.reload(r.Configuration("")+"owner = false\n", "configuration loaded")
			l.Tap.Await(mark, 10*time.Second, "its advertisement as nobody's owner", advertOf(l.R1, low))
			answers(t, l, l.R1, r)
			mark = l.Tap.Len()
			p.reload(r.Configuration("")+"owner = \"auto\"\n", "configuration loaded")
			for range 4 {
				l.Tap.Await(l.Tap.Len(), 5*time.Second, "r1's advertisement", advertisement(l.R1))
			}
			if said := lab.Select(l.Tap.From(mark), advertOf(l.R1, 255)); len(said) > 0 {
				t.Errorf("the owner: %s", said[0])
			}
			p.Terminate(5 * time.Second)
			lacks(t, l.R1, r, "stopped")
		})
	}
}

// TestOwnerAlone: with owner = true a router waits until its interface has all
// addresses, and takes part as nothing but their owner.
func TestOwnerAlone(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: low}
	p := runText(t, l.R1, r.Configuration(l.R1.Name)+"owner = true\n")
	p.AwaitLine(0, 5*time.Second, "waiting until the interface itself has all virtual addresses")
	p.AwaitLine(0, 5*time.Second, "msg=ready")
	l.R1.IP(adding("add", r)...)
	l.Tap.Await(0, 5*time.Second, "the owner's advertisement", advertOf(l.R1, 255))
	l.R1.IP(adding("del", r)...)
	l.Tap.Await(0, 5*time.Second, "its goodbye", goodbye(l.R1))
	if said := lab.Select(l.Tap.From(0), advertOf(l.R1, low)); len(said) > 0 {
		t.Errorf("not the owner: %s", said[0])
	}
}
