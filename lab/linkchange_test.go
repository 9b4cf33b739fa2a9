//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestLinkChanges: what happens to the interface of an Active changes nothing
// that it need not, and what it must change comes back by itself.
func TestLinkChanges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		commands []string // to the interface, with %s for its name
		repair   []string
		leaves   bool // the virtual router leaves until the repair
		ether    bool // on the interface itself
	}{
		{"MTU", []string{"link set %s mtu 1280"}, []string{"link set %s mtu 1500"}, false, false},
		{"hardware address", []string{"link set %s address 02:00:00:00:09:01"}, nil, false, false},
		{"down", []string{"link set %s down"}, []string{"link set %s up"}, true, false},
		{"no address", []string{"addr del 10.9.0.1/24 dev %s"}, []string{"addr add 10.9.0.1/24 dev %s"}, true, false},
		{"in a bridge", []string{"link add br9 type bridge", "link set br9 up", "link set %s master br9"}, []string{"link set %s nomaster", "link del br9"}, true, true}, // with a macvlan the kernel refuses it
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high, OnInterface: tt.ether}
			l := lab.New(t)
			a := l.R1.Run(r)
			a.AwaitActive(0)
			to := r
			to.Priority = low
			l.R2.Run(to).AwaitBackup()
			awaitAdverts(l, l.R1, r, 2)
			run := func(commands []string) {
				for _, c := range commands {
					l.R1.IP(strings.ReplaceAll(c, "%s", lab.Interface))
				}
			}
			mark, seen := a.Len(), l.Tap.Len()
			run(tt.commands)
			if tt.leaves {
				a.AwaitLine(mark, 3*time.Second, "active->initialize.*link-down")
				l.Tap.Await(seen, 3*time.Second, "r2's takeover", advertisement(l.R2))
			}
			run(tt.repair)
			seen = l.Tap.Len()
			for range 5 {
				l.Tap.Await(l.Tap.Len(), 3*time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
			}
			answers(t, l, l.R1, r)
			if !tt.leaves {
				if said := lab.Select(l.Tap.From(seen), advertisement(l.R2)); len(said) > 0 {
					t.Errorf("r2 says %s", said[0])
				}
				if a.Said(mark, "->") {
					t.Errorf("a role changed; it said\n%s", a.Output())
				}
			}
			for _, f := range lab.Select(l.Tap.From(seen), advertisement(l.R1)) {
				if f.Src != r.MAC() { // on the interface, too
					t.Errorf("not from the virtual MAC: %s", f)
				}
			}
		})
	}
}

// tells matches a node's announcements of an address with a hardware address.
func tells(n *lab.Node, vip netip.Addr, mac string) func(lab.Frame) bool {
	return lab.From(n, func(f lab.Frame) bool {
		return f.ARP != nil && f.ARP.SenderIP == vip && f.ARP.SenderMAC == mac ||
			f.ND != nil && f.ND.Type == lab.NeighborAdvertisement && !f.ND.Solicited && f.ND.Target == vip && f.ND.LinkAddr == mac
	})
}

// TestHardwareAddressChanges: an Active whose addresses are on the interface
// itself tells at once when that has another hardware address, whether somebody
// has given it one or another virtual router has, and keeps its role.
func TestHardwareAddressChanges(t *testing.T) {
	t.Parallel()
	const once = "garp = { repeat = 1, delay = 0 }\n" // nothing later
	for _, ipv6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("by somebody, IPv6 %v", ipv6), func(t *testing.T) {
			t.Parallel()
			const mac = "02:00:00:00:09:01"
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high, IPv6: ipv6, OnInterface: true}
			l := lab.New(t)
			forward(l.R1)
			text := r.Configuration("") + once
			if ipv6 {
				text = strings.Replace(text, "garp", "na", 1)
			}
			a := runText(t, l.R1, text)
			a.AwaitLine(0, 5*time.Second, "backup->active")
			awaitAdverts(l, l.R1, r, 2)
			mark, seen := a.Len(), l.Tap.Len()
			l.R1.IP("link set " + lab.Interface + " address " + mac)
			l.R1.MAC = mac
			for _, vip := range r.VIPs() {
				l.Tap.Await(seen, 2*time.Second, "the announcement of "+vip.String(), tells(l.R1, vip, mac))
			}
			answers(t, l, l.R1, r)
			if a.Said(mark, "->") {
				t.Errorf("a role changed; it said\n%s", a.Output())
			}
		})
	}
	t.Run("by another virtual router", func(t *testing.T) {
		t.Parallel()
		r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high, OnInterface: true}
		l := lab.New(t)
		wearer := strings.NewReplacer("group = 10", "group = 11", ".254", ".253").Replace(r.Configuration("")) + "ether_mac = true\n"
		a := startReloaded(t, l.R1, r.Configuration("")+once)
		a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/10/")
		awaitAdverts(l, l.R1, r, 2)
		for _, step := range []struct{ text, mac string }{{r.Configuration("") + once + wearer, lab.VirtualMAC(11)}, {r.Configuration("") + once, l.R1.MAC}} {
			seen := l.Tap.Len()
			a.reload(step.text, "configuration loaded")
			l.Tap.Await(seen, 5*time.Second, "the announcement with "+step.mac, tells(l.R1, lab.VIP, step.mac))
			if answers := l.WhoHas(lab.VIP); len(answers) != 1 || answers[0].MAC != step.mac {
				t.Errorf("who has %v: %v", lab.VIP, answers)
			}
		}
		if a.Said(0, "active->.*vr=eth0/10/") {
			t.Errorf("a role changed; it said\n%s", a.Output())
		}
	})
}

// TestDevicesFollowMTU: devices have the MTU of the interface that they are
// for, when it falls and when it rises again, and also where the interface is a
// macvlan that has less than the one below.
func TestDevicesFollowMTU(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		t.Run(family.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			r := family.router
			r.Interval = lab.AdverInterval
			a, b := activeAndBackup(t, l, r)
			l.R2.IP("link add link "+lab.Interface+" name m1 type macvlan mode bridge", "link set m1 mtu 1400", "addr add 10.7.0.1/24 dev m1", "link set m1 up")
			c := runText(t, l.R2, on("m1", "10.7.", "narrow", 11))
			c.AwaitLine(0, 10*time.Second, "backup->active")
			follows := func(n *lab.Node, device string, mtu int) {
				t.Helper()
				if !lab.Until(3*time.Second, func() bool { return n.Links()[device].MTU == mtu }) {
					t.Errorf("%s: %s has an MTU of %d, want %d", n.Name, device, n.Links()[device].MTU, mtu)
				}
			}
			follows(l.R2, "narrow", 1400)
			for _, mtu := range []int{1300, 1500, 1280, 1400} { // the Active's and the Backup's
				for _, n := range []*lab.Node{l.R1, l.R2} {
					n.IP(fmt.Sprintf("link set %s mtu %d", lab.Interface, mtu))
					follows(n, lab.Device, mtu)
				}
			}
			holdsAll(t, l, l.R1, r)
			answers(t, l, l.R1, r)
			if a.Said(0, "active->|put back|level=ERROR") || b.Said(0, "->active|put back|level=ERROR") {
				t.Errorf("r1 said\n%sr2 said\n%s", a.Output(), b.Output())
			}
		})
	}
}

// TestPrimaryChanges: advertisements come from the address that is the
// interface's first now.
func TestPrimaryChanges(t *testing.T) {
	t.Parallel()
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	l := lab.New(t)
	a := l.R1.Run(r)
	a.AwaitActive(0)
	mark := a.Len()
	l.R1.IP("addr add 10.9.0.77/25 dev "+lab.Interface, "addr del 10.9.0.1/24 dev "+lab.Interface)
	l.Tap.Await(0, 3*time.Second, "an advertisement from the new address", lab.From(l.R1, func(f lab.Frame) bool {
		return f.VRRP != nil && f.VRRP.Src.String() == "10.9.0.77" && f.VRRP.Priority == high
	}))
	if a.Said(mark, "->") {
		t.Errorf("a role changed; it said\n%s", a.Output())
	}
	answers(t, l, l.R1, r)
}

// TestOverrun: more reports of the kernel than there is room for lose no
// change of what matters.
func TestOverrun(t *testing.T) {
	t.Parallel()
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	l := lab.New(t)
	a := l.R1.Run(r)
	a.AwaitActive(0)
	mark := a.Len()
	l.R1.IP("link add other type bridge")
	var burst []string
	for i := range 3000 {
		verb := "add"
		if i%2 == 1 {
			verb = "del"
		}
		burst = append(burst, fmt.Sprintf("addr %s 172.16.%d.%d/32 dev other", verb, i/2/250, i/2%250+1))
	}
	l.R1.IP(burst...)
	if a.Said(mark, "->|level=ERROR") {
		t.Errorf("it said\n%s", a.Output())
	}
	l.R1.IP("link set " + lab.Interface + " down")
	a.AwaitLine(mark, 3*time.Second, "active->initialize.*link-down")
	l.R1.IP("link set " + lab.Interface + " up")
	a.AwaitLine(mark, 3*time.Second, "backup->active")
}

// TestTenCrashes: a network process that crashes again and again is started
// ever later, and then no more: everything is released, and the daemon ends
// with an error.
func TestTenCrashes(t *testing.T) {
	t.Parallel()
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	l := lab.New(t)
	before := l.R1.AtRest()
	a := l.R1.Run(r)
	l.Tap.Await(0, 5*time.Second, "r1's advertisement", advertisement(l.R1))
	to := r
	to.Priority = low
	l.R2.Run(to).AwaitBackup()
	crashes := 0
	for ; crashes < 10; crashes++ {
		select {
		case <-a.Exited():
		default:
			mark := a.Len()
			for _, pid := range lab.Children(a.PID) {
				lab.KillChild(pid)
			}
			lab.Until(3*time.Second, func() bool { return a.Said(mark, "msg=ready|ended") })
			continue
		}
		break
	}
	if status := a.AwaitExit(5 * time.Second); status != 1 {
		t.Errorf("status %d; it said\n%s", status, a.Output())
	}
	if crashes < 5 {
		t.Errorf("it gave up after %d crashes", crashes)
	}
	l.Tap.Await(0, 3*time.Second, "r2's takeover", advertisement(l.R2))
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("r1 is not as it was:\n%s", diff)
	}
}
