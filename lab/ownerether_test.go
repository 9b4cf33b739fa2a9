//go:build lab

package lab_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// adding is the operator's ip(8) commands for all virtual addresses.
func adding(verb string, r lab.Router) (commands []string) {
	for _, vip := range r.VIPs() {
		length := 24
		if vip.Is6() {
			length = 64
		}
		commands = append(commands, fmt.Sprintf("addr %s %v/%d dev %s", verb, vip, length, lab.Interface))
	}
	return commands
}

// forward makes a node a router, as far as the kernel is concerned: then its
// answers for addresses on the interface bear the R flag, too.
func forward(n *lab.Node) { n.Set("net/ipv6/conf/all/forwarding", "1") }

// keeps checks that a node has all virtual addresses.
func keeps(t *testing.T, n *lab.Node, r lab.Router, when string) {
	t.Helper()
	for _, vip := range r.VIPs() {
		if !n.Holds(vip) {
			t.Errorf("%s: %v is gone from %s", when, vip, n.Name)
		}
	}
}

// TestOwnerOnInterface: with iftype = "ether" addresses that the operator has
// put on the interface make the router their owner, before it starts or while
// another holds them, and they stay there when it ends.
func TestOwnerOnInterface(t *testing.T) {
	t.Parallel()
	for _, ipv6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("IPv6 %v", ipv6), func(t *testing.T) {
			t.Parallel()
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, IPv6: ipv6, OnInterface: true}
			lower, higher := r, r
			lower.Priority, higher.Priority = low, high
			l := lab.New(t)
			forward(l.R1)
			forward(l.R2)
			l.R1.IP(adding("add", r)...)
			before := l.R1.AtRest()
			b := l.R2.Run(higher)
			l.Tap.Await(0, 5*time.Second, "r2's advertisement", advertOf(l.R2, high))
			a := l.R1.Run(lower)
			l.Tap.Await(0, 5*time.Second, "the owner's advertisement", advertOf(l.R1, 255))
			b.AwaitStepBack(0)
			answers(t, l, l.R1, r)
			if !accepts(t, l, r.VIPs()[0]) {
				t.Error("the owner does not accept packets")
			}
			if status := a.Terminate(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, a.Output())
			}
			keeps(t, l.R1, r, "stopped")
			if diff := before.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("r1 is not as it was before:\n%s", diff)
			}
			l.Tap.Await(l.Tap.Len(), 2*time.Second, "r2's advertisement", advertOf(l.R2, high))

			// Not the owner any more, and then, as a Backup, the owner again.
			l.R1.IP(adding("del", r)...)
			a = a.Again()
			a.AwaitBackup()
			l.R1.IP(adding("add", r)...)
			l.Tap.Await(l.Tap.Len(), 2*time.Second, "the owner's advertisement", advertOf(l.R1, 255))
			answers(t, l, l.R1, r)
			mark := l.Tap.Len()
			l.R1.IP(adding("del", r)...)
			l.Tap.Await(mark, 2*time.Second, "the goodbye of who owns nothing any more", goodbye(l.R1))
			l.Tap.Await(mark, 2*time.Second, "r2's advertisement", advertOf(l.R2, high))
			answers(t, l, l.R2, r)
			l.R1.IP(adding("add", r)...)
			l.Tap.Await(l.Tap.Len(), 2*time.Second, "the owner's advertisement", advertOf(l.R1, 255))
			a.Kill()
			keeps(t, l.R1, r, "killed")
			again := a.Again()
			l.Tap.Await(l.Tap.Len(), 5*time.Second, "the owner's advertisement", advertOf(l.R1, 255))
			keeps(t, l.R1, r, "swept")
			if status := again.Terminate(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, again.Output())
			}
			keeps(t, l.R1, r, "stopped again")
		})
	}
}

// TestTakenOver: an operator who makes the addresses that the Active holds the
// interface's own, with "ip addr replace", makes the router their owner, and
// keeps them when it stops holding them and when it ends.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	for _, ipv6 := range []bool{false, true} {
		for _, lease := range []string{"auto", "lifetime"} {
			t.Run(fmt.Sprintf("IPv6 %v, lease %s", ipv6, lease), func(t *testing.T) {
				t.Parallel()
				r := lab.Router{Kind: lab.Rvrrpd, Version: 3, IPv6: ipv6, OnInterface: true, Priority: low}
				l := lab.New(t)
				forward(l.R1)
				p := runText(t, l.R1, fmt.Sprintf("lease = %q\n", lease)+r.Configuration(l.R1.Name))
				p.AwaitLine(0, 10*time.Second, "backup->active")
				answers(t, l, l.R1, r)
				l.R1.IP(adding("replace", r)...)
				l.Tap.Await(l.Tap.Len(), 5*time.Second, "the owner's advertisement", advertOf(l.R1, 255))
				keeps(t, l.R1, r, "the owner")
				answers(t, l, l.R1, r)
				if status := p.Terminate(5 * time.Second); status != 0 {
					t.Errorf("status %d; it said\n%s", status, p.Output())
				}
				keeps(t, l.R1, r, "stopped")

				// Some of them only: nothing of the operator's is removed either.
				if len(r.VIPs()) == 1 {
					return
				}
				l.R1.IP(adding("del", r)...)
				p = runText(t, l.R1, r.Configuration(l.R1.Name))
				p.AwaitLine(0, 10*time.Second, "backup->active")
				l.R1.IP(adding("replace", r)[1])
				p.AwaitLine(0, 5*time.Second, "some of the virtual addresses, not all")
				p.AwaitLine(0, 5*time.Second, "active->initialize")
				if !lab.Until(time.Second, func() bool { return !l.R1.Holds(r.VIPs()[0]) }) {
					t.Errorf("r1 still has %v", r.VIPs()[0])
				}
				if got := l.R1.Addresses(lab.Interface); !slices.Contains(got, r.VIPs()[1]) {
					t.Errorf("r1 has %v, not %v", got, r.VIPs()[1])
				}
			})
		}
	}
}
