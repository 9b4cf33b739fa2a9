//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// taps counts the packet sockets of a node that have traffic: those of any
// protocol but 0.
func taps(t *testing.T, n *lab.Node) (count int) {
	t.Helper()
	err := n.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/packet")
		for _, line := range strings.Split(string(b), "\n")[1:] {
			if f := strings.Fields(line); len(f) > 3 && f[3] != "0000" {
				count++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// dropVRRP has the firewall of a host drop what it receives of VRRP.
func dropVRRP(n *lab.Node) {
	n.Nft("add table inet filter", "add chain inet filter input { type filter hook input priority 0; }", "add rule inet filter input meta l4proto 112 drop")
}

// deafTo is what the log says of advertisements that the host drops.
func deafTo(source string) string {
	return `msg="not alone" link=eth0/ipv. vr=eth0/10/ipv. hint="advertisements from ` + source +
		` reach eth0 and are dropped before the daemon: nft add rule inet filter input meta l4proto 112 accept`
}

// notAlone is longer than an Active takes to look around for the second time.
const notAlone = 20 * time.Second

// eachVersion runs a test for each version and family.
func eachVersion(t *testing.T, test func(t *testing.T, l *lab.Lab, r lab.Router)) {
	for _, r := range []lab.Router{{Version: 2}, {Version: 3, Interval: interval3}, {Version: 3, Interval: interval3, IPv6: true}} {
		r.Kind = lab.Rvrrpd
		t.Run(fmt.Sprintf("version %d, IPv6 %v", r.Version, r.IPv6), func(t *testing.T) {
			t.Parallel()
			test(t, lab.New(t), r)
		})
	}
}

// sources are the addresses that advertisements come from.
func sources(l *lab.Lab, r lab.Router) (r1, r2 string) {
	if r.IPv6 {
		return l.R1.LinkLocal.String(), l.R2.LinkLocal.String()
	}
	return l.R1.Addr.String(), l.R2.Addr.String()
}

// TestDeafFromTheStart: a firewall that drops protocol 112 makes a router Active
// beside the other, and the log says so, with the rule that mends it; with that
// rule in front of the other the router steps back.
func TestDeafFromTheStart(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, l *lab.Lab, r lab.Router) {
		first, _ := sources(l, r)
		r.Priority = high
		a := l.R1.Run(r)
		l.Tap.Await(0, 10*time.Second, "r1's advertisement", advertisement(l.R1))
		dropVRRP(l.R2)
		r.Priority = low
		b := l.R2.Run(r)
		b.AwaitLine(0, 10*time.Second, "backup->active.*verdict=alone")
		b.AwaitLine(0, notAlone, deafTo(first))
		if a.Said(0, "not alone") {
			t.Errorf("r1, which hears everything, said\n%s", a.Output())
		}
		mark := b.Len()
		l.R2.Nft("insert rule inet filter input meta l4proto 112 accept")
		b.AwaitLine(mark, 5*time.Second, "active->backup")
	})
}

// TestBothDeaf: both say it.
func TestBothDeaf(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, l *lab.Lab, r lab.Router) {
		first, second := sources(l, r)
		dropVRRP(l.R1)
		dropVRRP(l.R2)
		r.Priority = high
		a := l.R1.Run(r)
		r.Priority = low
		b := l.R2.Run(r)
		a.AwaitLine(0, notAlone, deafTo(second))
		b.AwaitLine(0, notAlone, deafTo(first))
	})
}

// TestMulticastFiltered: what the network does to multicast shows by the other
// Active, which answers for the address all the same.
func TestMulticastFiltered(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, l *lab.Lab, r lab.Router) {
		group, word := "224.0.0.18", "IGMP"
		if r.IPv6 {
			group, word = "ff02::12", "MLD"
			l.Switch.Nft("add table netdev switch")
			for _, n := range []*lab.Node{l.R1, l.R2} {
				l.Switch.Nft(fmt.Sprintf("add chain netdev switch %s { type filter hook ingress device %q priority 0; }", n.Name, n.Name),
					fmt.Sprintf("add rule netdev switch %s ip6 nexthdr 112 drop", n.Name))
			}
		} else { // as a switch with snooping and no querier
			for _, n := range l.Nodes() {
				l.Switch.IP("link set " + n.Name + " type bridge_slave mcast_flood off")
			}
		}
		r.Priority = high
		a := l.R1.Run(r)
		r.Priority = low
		b := l.R2.Run(r)
		want := `msg="not alone".*another router has the address, too: ` + r.MAC() + " answers for " + r.VIPs()[0].String() + ", .* filter multicast to " + group + " .*" + word + " snooping without a querier"
		a.AwaitLine(0, notAlone, want)
		b.AwaitLine(0, notAlone, want)
	})
}

// TestAddressInUse: a host that has a virtual address is named.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, l *lab.Lab, r lab.Router) {
		vip := r.VIPs()[len(r.VIPs())-1]
		l.Client.IP(fmt.Sprintf("addr add %s/%d dev %s nodad", vip, vip.BitLen(), lab.Interface))
		r.Priority = high
		a := l.R1.Run(r)
		a.AwaitLine(0, notAlone, fmt.Sprintf(`msg="not alone".*%v is in use: %s answers for it, which is no virtual MAC address`, vip, l.Client.MAC))
	})
}

// TestAlone: an Active that is alone, or has a Backup beside it, says nothing of
// others, behind a bridge that snoops and has a querier, too; and the tap is
// gone when it has looked.
func TestAlone(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, l *lab.Lab, r lab.Router) {
		l.Switch.IP("link set br0 type bridge mcast_snooping 1 mcast_querier 1")
		r.Priority = high
		a := l.R1.Run(r)
		a.AwaitLine(0, 10*time.Second, "backup->active.*verdict=alone")
		if !lab.Until(5*time.Second, func() bool { return taps(t, l.R1) > 0 }) {
			t.Errorf("it does not look around")
		}
		r.Priority = low
		b := l.R2.Run(r)
		b.AwaitBackup()
		if !lab.Until(notAlone, func() bool { return taps(t, l.R1) == 0 }) {
			t.Errorf("it looks around for longer than %v", notAlone)
		}
		for range 5 { // what it has found is told by then
			l.Tap.Await(l.Tap.Len(), 5*time.Second, "r1's advertisement", advertisement(l.R1))
		}
		for _, d := range []*lab.Daemon{a, b} {
			if d.Said(0, "not alone|probed") {
				t.Errorf("it said\n%s", d.Output())
			}
		}
	})
}
