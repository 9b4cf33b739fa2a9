//go:build lab && vm

package lab_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// bonded makes the node's interface a bond, active-backup, of two cables. It
// takes the interface's name, so that whoever uses that uses the bond.
func bonded(l *lab.Lab, n *lab.Node, options string) (ports [2]string) {
	l.Helper()
	ports = [2]string{n.Name, n.Name + "b"}
	n.IP("link set eth0 down", "link set eth0 name slave0")
	l.Switch.IP(fmt.Sprintf("link add name %s type veth peer name slave1 netns %s", ports[1], n.Namespace),
		"link set "+ports[1]+" master br0 up")
	n.IP("link add eth0 type bond mode active-backup miimon 50 "+options,
		"link set slave0 master eth0", "link set slave1 down", "link set slave1 master eth0",
		"link set eth0 type bond active_slave slave0",
		"addr flush dev slave0", "link set eth0 up", fmt.Sprintf("addr add %v/24 brd + dev eth0", n.Addr))
	if !lab.Until(10*time.Second, func() bool { return reaches(l, n.Addr) }) {
		l.Fatalf("%v is not reached over the bond", n.Addr)
	}
	return ports
}

// reaches says whether the client gets an answer from an address.
func reaches(l *lab.Lab, ip netip.Addr) bool {
	ping := l.Ping(ip, nil)
	defer ping.Stop()
	return lab.Until(time.Second, ping.Answering)
}

// advertOver matches advertisements from an address, whatever cable they took.
func advertOver(src netip.Addr) func(lab.Frame) bool {
	return func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Src == src && f.VRRP.Priority > 0 }
}

// TestBond: when the slave of a bond fails under an Active, its advertisements
// take the other, no role changes, and hosts reach the address again before its
// next advertisements could have told them, also where the bond's hardware
// address becomes another.
func TestBond(t *testing.T) {
	for _, tt := range []struct {
		name, options string
		ether         bool
	}{
		{"macvlan", "", false},
		{"ether", "", true},
		{"ether, another hardware address", "fail_over_mac active", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := lab.New(t)
			ports := bonded(l, l.R1, tt.options)
			heard := l.Client.TapOn(lab.Interface)
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, OnInterface: tt.ether, Priority: high}
			a := l.R1.Run(r)
			a.AwaitActive(0)
			r.Priority = low
			b := l.R2.Run(r)
			b.AwaitBackup()
			ping := l.Ping(lab.VIP, nil)
			if !lab.Until(5*time.Second, ping.Answering) {
				t.Fatalf("%v does not answer; r1 said\n%s", lab.VIP, a.Output())
			}
			before := l.R1.Links()[lab.Interface].MAC
			for _, failed := range ports {
				mark, failing := heard.Len(), time.Now()
				l.Switch.IP("link set " + failed + " down")
				for range 3 {
					heard.Await(heard.Len(), 3*time.Second, "r1's advertisement over the other slave", advertOver(l.R1.Addr))
				}
				if !lab.Until(2*time.Second, ping.Answering) {
					t.Errorf("%v does not answer any more", lab.VIP)
				}
				for _, o := range ping.Outages.From(0) {
					if o.Start.After(failing) {
						t.Logf("without %s hosts got no answer for %v", failed, o.Duration())
						if over(o.Start, o.End, time.Second) {
							t.Errorf("without %s hosts got no answer for %v", failed, o.Duration())
						}
					}
				}
				for _, f := range heard.From(mark) {
					if f.VRRP != nil && f.VRRP.Src != l.R1.Addr {
						t.Errorf("a role changed: %s", f)
					}
				}
				l.Switch.IP("link set " + failed + " up")
				if !lab.Until(5*time.Second, func() bool { return carries(l.R1, map[string]string{ports[0]: "slave0", ports[1]: "slave1"}[failed]) }) {
					t.Fatalf("%s does not come back", failed)
				}
			}
			if tt.options == "" && l.R1.Links()[lab.Interface].MAC != before {
				t.Error("the bond's hardware address has changed")
			}
			if a.SteppedBack(0) || b.TurnedActive(0) {
				t.Errorf("a role changed; r1 said\n%sr2 said\n%s", a.Output(), b.Output())
			}
			ping.Stop()
			if status := a.Terminate(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, a.Output())
			}
		})
	}
}

// carries says whether an interface of a node has a carrier, and its bond knows.
func carries(n *lab.Node, device string) bool {
	out, err := exec.Command("ip", "-n", n.Namespace, "-d", "link", "show", device).Output()
	return err == nil && strings.Contains(string(out), "LOWER_UP") && strings.Contains(string(out), "mii_status UP")
}

// TestVLANOnBond: a virtual router on a VLAN of a bond bears the loss of a slave,
// leaves when both are lost, and comes back with them.
func TestVLANOnBond(t *testing.T) {
	l := lab.New(t)
	ports := bonded(l, l.R1, "")
	vlan := func(n *lab.Node, last int) {
		n.IP("link add link eth0 name eth0.10 type vlan id 10", fmt.Sprintf("addr add 10.9.10.%d/24 brd + dev eth0.10", last), "link set eth0.10 up")
	}
	vlan(l.R1, 1)
	vlan(l.R2, 2)
	vlan(l.Client, 3)
	vip, r1, r2 := netip.MustParseAddr("10.9.10.254"), netip.MustParseAddr("10.9.10.1"), netip.MustParseAddr("10.9.10.2")
	heard := l.Client.TapOn("eth0.10")
	text := func(priority int) string {
		return fmt.Sprintf("[[vrouter]]\ngroup = 10\ninterface = \"eth0.10\"\nvip = \"%v/24\"\npriority = %d\npreemption = true\niftype = \"macvlan\"\nversion = 3\n", vip, priority)
	}
	a := runText(t, l.R1, text(high))
	a.AwaitLine(0, 10*time.Second, "backup->active")
	b := runText(t, l.R2, text(low))
	b.AwaitLine(0, 5*time.Second, "initialize->backup")
	if !lab.Until(5*time.Second, func() bool { return reaches(l, vip) }) {
		t.Fatalf("%v does not answer; r1 said\n%s", vip, a.Output())
	}

	l.Switch.IP("link set " + ports[0] + " down")
	for range 4 { // longer than r2 waits
		heard.Await(heard.Len(), 3*time.Second, "r1's advertisement", advertOver(r1))
	}
	if !reaches(l, vip) || b.Said(0, "->active") || a.Said(0, "active->") {
		t.Errorf("a slave is lost: a role changed, or hosts do not reach it; r1 said\n%sr2 said\n%s", a.Output(), b.Output())
	}

	mark, seen := a.Len(), heard.Len()
	l.Switch.IP("link set " + ports[1] + " down")
	a.AwaitLine(mark, 5*time.Second, "active->initialize.*link-down")
	heard.Await(seen, 5*time.Second, "r2's advertisement", advertOver(r2))
	seen = heard.Len()
	l.Switch.IP("link set "+ports[0]+" up", "link set "+ports[1]+" up")
	heard.Await(seen, 15*time.Second, "r1's advertisement", advertOver(r1))
	if !lab.Until(5*time.Second, func() bool { return reaches(l, vip) }) {
		t.Errorf("%v does not answer; r1 said\n%s", vip, a.Output())
	}
	if status := a.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d; it said\n%s", status, a.Output())
	}
}
