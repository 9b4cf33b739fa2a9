//go:build lab

package lab_test

import (
	"fmt"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// gapLimit is the longest time between two advertisements on the wire when
// the network process dies in between: the interval, and 30 ms to start
// another.
var gapLimit = interval3 + 30*time.Millisecond

// TestHitless kills the network process of an Active, and of a Backup, at an
// interval of 300 ms: the wire hardly shows it. Not beside other tests: it
// measures milliseconds.
func TestHitless(t *testing.T) {
	for _, family := range families {
		for _, who := range []string{"r1", "r2"} {
			t.Run(family.name+", "+who, func(t *testing.T) {
				t.Parallel()
				v := newVictim(t, family.router, who)
				a, b := v.run(t)
				d := a
				if who == "r2" {
					d = b
				}
				from1, from2, seen, from := a.Len(), b.Len(), v.Tap.Len(), d.Len()
				old := d.Child()
				killed := time.Now()
				lab.KillChild(old)
				d.AwaitLine(from, 2*time.Second, "network process crashed.*SIGKILL")
				ready := d.AwaitLine(from, 2*time.Second, "msg=ready")
				if d.Child() == old {
					t.Errorf("its network process is still %d", old)
				}
				// Longer than the other's Active_Down_Interval.
				for since := time.Now(); time.Since(since) < b.Router.ActiveDown()*3/2; {
					awaitAdverts(v.Lab, v.R1, v.router, 1)
				}
				gap := gapsUpTo(t, v.Tap.From(max(0, seen-1)), v.R1, gapLimit)
				t.Logf("ready %v after the kill, longest gap %v", ready.Time.Sub(killed), gap)
				if a.Said(from1, "active->|backup->") || b.Said(from2, "active->|backup->") {
					t.Errorf("a role changed; r1 said\n%sr2 said\n%s", a.Output(), b.Output())
				}
				answers(t, v.Lab, v.R1, v.router)
				holdsAll(t, v.Lab, v.R1, v.router)
			})
		}
	}
}

// gapsUpTo checks that no more time passes between two advertisements of a node
// than may, and that it is the only one to send any. It returns the longest.
func gapsUpTo(t *testing.T, frames []lab.Frame, n *lab.Node, most time.Duration) (longest time.Duration) {
	t.Helper()
	adverts := lab.Select(frames, func(f lab.Frame) bool { return f.VRRP != nil })
	for i, f := range adverts {
		if f.Port != n.Name || f.VRRP.Priority == 0 {
			t.Errorf("a role changed: %s", f)
		}
		if i == 0 {
			continue
		}
		gap := f.Time.Sub(adverts[i-1].Time)
		if over(adverts[i-1].Time, f.Time, most) {
			t.Errorf("no advertisement for %v, want at most %v: %s", gap, most, f)
		}
		longest = max(longest, gap)
	}
	return longest
}

// TestCrashLoop kills each network process as soon as it is ready. At an
// interval of a second nobody notices until the daemon gives up: then it has
// released everything, says so with its exit status, and the other takes over.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	waits := []string{"0s", "50ms", "200ms", "500ms", "1s"}
	for _, r := range []lab.Router{
		{Kind: lab.Rvrrpd, Version: 3},
		{Kind: lab.Rvrrpd, Version: 3, IPv6: true},
		{Kind: lab.Rvrrpd, Version: 3, OnInterface: true},
	} {
		t.Run(fmt.Sprintf("IPv6 %v, on the interface %v", r.IPv6, r.OnInterface), func(t *testing.T) {
			t.Parallel()
			v := newVictim(t, r, "r1")
			before := v.AtRest()
			a, b := v.run(t)
			from, seen := b.Len(), v.Tap.Len()
			for _, wait := range waits {
				mark := a.Len()
				lab.KillChild(a.Child())
				a.AwaitLine(mark, 2*time.Second, "network process crashed.*again="+wait)
				a.AwaitLine(mark, 3*time.Second, "msg=ready")
			}
			gapsUpTo(t, v.Tap.From(seen), v.R1, b.Router.ActiveDown())
			if b.Said(from, "->") {
				t.Errorf("r2 has noticed before r1 gave up; it said\n%s", b.Output())
			}
			lab.KillChild(a.Child())
			if status := a.AwaitExit(2 * time.Second); status <= 0 {
				t.Errorf("status %d", status)
			}
			holdsNone(t, v.R1, r)
			if !a.Said(0, "msg=ended error=.*crashed 6 times") {
				t.Errorf("it does not say why it ended:\n%s", a.Output())
			}
			if diff := before.Diff(v.Snapshot()); diff != "" {
				t.Errorf("r1 is not as it was:\n%s", diff)
			}
			gone := v.Tap.Len()
			v.Tap.Await(gone, b.Router.ActiveDown()+time.Second, "r2's takeover", advertisement(v.R2))
			holdsAll(t, v.Lab, v.R2, r)
			answers(t, v.Lab, v.R2, r)
		})
	}
}

// TestOwnersParentCrash kills the parent of an address owner: the interface
// keeps the address, which is its own, the next start sweeps what we left and
// nothing else, and the owner is Active again.
func TestOwnersParentCrash(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		for _, onInterface := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, on the interface %v", family.name, onInterface), func(t *testing.T) {
				t.Parallel()
				r := family.router
				r.OnInterface = onInterface
				v := newVictim(t, r, "r1")
				v.Node.IP(
					"link add mine link eth0 type macvlan mode private", "link set mine alias rvrrp", "addr add 10.9.7.1/32 dev mine",
					"link add other type veth peer name far", "link set far up", "link set other up", "addr add 10.9.8.1/24 dev other",
					"route add 10.9.9.0/24 dev other proto 111")
				v.R1.Set("net/ipv6/conf/all/forwarding", "1") // or else it does not answer as a router
				v.R2.Set("net/ipv6/conf/all/forwarding", "1")
				for _, vip := range r.VIPs() {
					if vip.Is6() {
						v.Node.IP(fmt.Sprintf("addr add %v/64 dev eth0 nodad", vip))
					} else {
						v.Node.IP(fmt.Sprintf("addr add %v/24 brd + dev eth0", vip))
					}
				}
				before := v.AtRest()
				a, b := v.run(t)
				seen := v.Tap.Len()
				gone := lab.WatchExit(a.Child())
				a.Signal(syscall.SIGKILL)
				if !gone(time.Second) {
					t.Error("the child outlives its parent")
				}
				a.AwaitExit(time.Second)
				v.Tap.Await(seen, 3*time.Second, "r2's takeover", advertisement(v.R2))
				for _, vip := range r.VIPs() {
					if !slices.Contains(v.Addresses(lab.Interface), vip) {
						t.Errorf("the interface has lost %v", vip)
					}
				}
				left := before.Diff(v.Snapshot())
				if lost := regexp.MustCompile(`(?m)^\s*- (address|route|rule).*`).FindString(left); lost != "" {
					t.Errorf("lost: %s", lost)
				}

				from, seen := b.Len(), v.Tap.Len()
				again := a.Again()
				v.Tap.Await(seen, 5*time.Second, "the owner's return", advertOf(v.R1, 255))
				b.AwaitStepBack(from)
				if !onInterface && !again.Said(0, "sweeping.*"+lab.Device) {
					t.Errorf("nothing swept; it said\n%s", again.Output())
				}
				if again.Said(0, "sweeping.*(mine|other|far)|sweeping an address") {
					t.Errorf("it swept what is not its own:\n%s", again.Output())
				}
				answers(t, v.Lab, v.R1, r)
				if status := again.Terminate(5 * time.Second); status != 0 {
					t.Errorf("status %d; it said\n%s", status, again.Output())
				}
				if diff := before.Diff(v.Snapshot()); diff != "" {
					t.Errorf("r1 is not as it was; after the crash there was\n%sand now\n%s", left, diff)
				}
			})
		}
	}
}
