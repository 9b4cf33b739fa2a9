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

// These tests need what a distribution's kernel has: dummies, VLANs, bonds and
// netem. They run in an emulated machine, and fail where that is missing.

// TestDummy: a virtual router on a dummy, which hears nobody, is Active, holds
// its address and leaves the dummy as it was.
func TestDummy(t *testing.T) {
	for _, device := range []string{"macvlan", "ether"} {
		t.Run(device, func(t *testing.T) {
			l := lab.New(t)
			l.R1.IP("link add dummy0 type dummy", "addr add 10.9.30.1/24 brd + dev dummy0", "link set dummy0 up")
			before, vip := l.R1.AtRest(), netip.MustParseAddr("10.9.30.254")
			a := runText(t, l.R1, fmt.Sprintf("[[vrouter]]\ngroup = 10\ninterface = \"dummy0\"\nvip = \"%v/24\"\niftype = %q\n", vip, device))
			a.AwaitLine(0, 10*time.Second, "backup->active")
			if !lab.Until(2*time.Second, func() bool { return l.R1.Holds(vip) }) {
				t.Errorf("%v is not held; it said\n%s", vip, a.Output())
			}
			if status := a.Terminate(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, a.Output())
			}
			if diff := before.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
		})
	}
}

// TestSnooping: a bridge that snoops, and asks who is a member, delivers the
// advertisements to a Backup for longer than it would remember one that does not
// answer.
func TestSnooping(t *testing.T) {
	const membership = 5 * time.Second
	for _, ipv6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("IPv6 %v", ipv6), func(t *testing.T) {
			l := lab.New(t)
			// In hundredths of a second.
			l.Switch.IP("link set br0 type bridge mcast_snooping 1 mcast_querier 1 mcast_query_interval 200 mcast_query_response_interval 100 mcast_membership_interval 500 mcast_startup_query_interval 100 mcast_mld_version 2")
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Priority: high, IPv6: ipv6}
			a := l.R1.Run(r)
			a.AwaitActive(0)
			r.Priority = low
			b := l.R2.Run(r)
			b.AwaitBackup()
			for since := time.Now(); time.Since(since) < 2*membership; {
				awaitAdverts(l, l.R1, r, 1)
			}
			if b.TurnedActive(0) || a.SteppedBack(0) {
				t.Errorf("a role changed; r1 said\n%sr2 said\n%s", a.Output(), b.Output())
			}
			out, err := exec.Command("ip", "netns", "exec", l.Switch.Namespace, "bridge", "mdb", "show").CombinedOutput()
			if err != nil || ipv6 && !strings.Contains(string(out), "port r2 grp ff02::12") {
				t.Errorf("r2 is no member: %v\n%s", err, out)
			}
		})
	}
}
