//go:build lab

package lab_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// acceptLocal is the setting without which the kernel drops IPv4 packets that
// come from an address of its own.
const acceptLocal = "net/ipv4/conf/" + lab.Interface + "/accept_local"

// onlyVirtualOf leaves a node no address but the virtual ones, as its own.
func onlyVirtualOf(n *lab.Node, r lab.Router) {
	n.IP(append([]string{"addr flush dev " + lab.Interface}, adding("add", r)...)...)
}

// TestOwnerReturns: an owner whose interface has nothing but the virtual
// addresses speaks from one of them, and the Active that holds the same one
// hears it all the same, and steps back.
func TestOwnerReturns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		version int
		ipv6    bool
	}{{"version 2", 2, false}, {"version 3", 3, false}, {"IPv6", 3, true}} {
		for _, ether := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, ether %v", tt.name, ether), func(t *testing.T) {
				t.Parallel()
				r := lab.Router{Kind: lab.Rvrrpd, Version: tt.version, IPv6: tt.ipv6, OnInterface: ether}
				if r.Version == 3 {
					r.Interval = interval3
				}
				lower, higher := r, r
				lower.Priority, higher.Priority = low, high
				l := lab.New(t)
				onlyVirtualOf(l.R1, r)
				was := l.R2.Setting(acceptLocal)
				forward(l.R1)
				b := l.R2.Run(higher)
				b.AwaitActive(0)
				for range 2 { // the second time it is the owner's return
					mark, said := l.Tap.Len(), b.Len()
					a := l.R1.Run(lower)
					own := l.Tap.Await(mark, 5*time.Second, "the owner's advertisement", advertOf(l.R1, 255))
					if source := own.VRRP.Src; source != r.VIPs()[0] {
						t.Errorf("the owner speaks from %v", source)
					}
					b.AwaitStepBack(said)
					answers(t, l, l.R1, r)
					mark = l.Tap.Len()
					if status := a.Terminate(5 * time.Second); status != 0 {
						t.Errorf("status %d; it said\n%s", status, a.Output())
					}
					bye := l.Tap.Await(mark, 5*time.Second, "the owner's goodbye", goodbye(l.R1))
					l.Tap.Await(mark, 5*time.Second, "r2's advertisement", func(f lab.Frame) bool { return advertOf(l.R2, high)(f) && f.Time.After(bye.Time) })
				}
				b.Kill()
				b = b.Again()
				b.AwaitBackup()
				if status := b.Terminate(5 * time.Second); status != 0 {
					t.Errorf("status %d; it said\n%s", status, b.Output())
				}
				if now := l.R2.Setting(acceptLocal); now != was {
					t.Errorf("accept_local is %s after a kill and an end, before it was %s", now, was)
				}
			})
		}
	}
}

// TestOneAddressTwice: two routers with the same address hear each other, and
// both say what is wrong.
func TestOneAddressTwice(t *testing.T) {
	t.Parallel()
	for _, ether := range []bool{false, true} {
		t.Run(fmt.Sprintf("ether %v", ether), func(t *testing.T) {
			t.Parallel()
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high, OnInterface: ether}
			l := lab.New(t)
			l.R2.IP("addr flush dev "+lab.Interface, fmt.Sprintf("addr add %v/24 dev %s", l.R1.Addr, lab.Interface))
			for _, d := range []*lab.Daemon{l.R1.Run(r), l.R2.Run(r)} {
				d.AwaitLine(0, 10*time.Second, fmt.Sprintf(`packets dropped.*reason=own-frame.*source=%v.*hint="our own source address: another host has it`, l.R1.Addr))
			}
		})
	}
}

// TestAcceptLocalKept: an Active that somebody takes the setting from sets it
// again; what they wanted is what they get in the end, also after a kill.
func TestAcceptLocalKept(t *testing.T) {
	t.Parallel()
	for _, was := range []string{"0", "1"} {
		for _, ether := range []bool{false, true} {
			t.Run(fmt.Sprintf("was %s, ether %v", was, ether), func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				l.R1.Set(acceptLocal, was)
				a := l.R1.Run(lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high, OnInterface: ether})
				a.AwaitActive(0)
				if now := l.R1.Setting(acceptLocal); now != "1" {
					t.Errorf("accept_local is %s", now)
				}
				for _, kill := range []bool{true, false} {
					if kill {
						a.Kill()
						a = a.Again()
						a.AwaitActive(0)
						continue
					}
					a.Terminate(5 * time.Second)
				}
				if now := l.R1.Setting(acceptLocal); now != was {
					t.Errorf("accept_local is %s in the end, before it was %s", now, was)
				}
				a = a.Again()
				a.AwaitActive(0)
				l.R1.Set(acceptLocal, "0")
				a.AwaitLine(0, 5*time.Second, "put back what somebody else has changed.*setting=accept_local")
				a.Kill()
				a = a.Again()
				a.AwaitActive(0)
				if now := l.R1.Setting(acceptLocal); now != "1" {
					t.Errorf("accept_local is %s", now)
				}
				a.Terminate(5 * time.Second)
				if now := l.R1.Setting(acceptLocal); now != "0" {
					t.Errorf("accept_local is %s in the end, and somebody wanted 0", now)
				}
			})
		}
	}
}
