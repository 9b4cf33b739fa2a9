//go:build lab

package lab_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestFlushedRuleset: who reloads nftables flushes all of it, with the tables
// that silence our addresses when we are gone. They come back; those that are
// ours alone never go.
func TestFlushedRuleset(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	a := runText(t, l.R1, r.Configuration("")+"accept_mode = false\n")
	a.AwaitLine(0, 5*time.Second, "backup->active")
	nft := func(args ...string) string {
		out, err := exec.Command("ip", append([]string{"netns", "exec", l.R1.Namespace, "nft"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("nft %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	for range 3 {
		mark := a.Len()
		nft("flush", "ruleset")
		if accepts(t, l, lab.VIP) {
			t.Error("the address accepts packets")
		}
		a.AwaitLine(mark, 2*time.Second, "put back what somebody else has removed.*leases=1")
		if !lab.Until(time.Second, func() bool { return strings.Contains(nft("list", "tables"), "rvrrpd-lease-"+lab.Interface) }) {
			t.Error("the leases are not back")
		}
		answers(t, l, l.R1, r)
	}
	if a.Said(0, "level=ERROR|active->") {
		t.Errorf("it said\n%s", a.Output())
	}
}

// TestHandOver: what cannot be put back is handed over with priority 0: the
// name of the device is taken by somebody else's.
func TestHandOver(t *testing.T) {
	t.Parallel()
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	l := lab.New(t)
	a := l.R1.Run(r)
	a.AwaitActive(0)
	to := r
	to.Priority = low
	l.R2.Run(to).AwaitBackup()
	awaitAdverts(l, l.R1, r, 2)
	mark, seen := a.Len(), l.Tap.Len()
	l.R1.IP("link set "+lab.Device+" down", "link set "+lab.Device+" name elsewhere", "link add "+lab.Device+" type bridge", "link del elsewhere")
	a.AwaitLine(mark, 3*time.Second, "handing over")
	l.Tap.Await(seen, 2*time.Second, "r1's goodbye", goodbye(l.R1))
	l.Tap.Await(seen, 2*time.Second, "r2's takeover", advertisement(l.R2))
	answers(t, l, l.R2, r)
	if !lab.Until(time.Second, func() bool { return l.R1.Links()[lab.Device].Kind == "bridge" }) {
		t.Errorf("somebody else's device is gone: %+v", l.R1.Links()[lab.Device])
	}
	for since := time.Now(); time.Since(since) < 3*a.Router.ActiveDown(); {
		awaitAdverts(l, l.R2, r, 1)
	}
	if a.Said(mark, "->active|acquire failed") {
		t.Errorf("without its device it said\n%s", a.Output())
	}
	l.R1.IP("link del " + lab.Device)
	a.AwaitLine(mark, 3*time.Second, "backup->active")
	answers(t, l, l.R1, r)
}

// TestReassert: what another program takes away from an Active is put back at
// once, told of, and changes no role.
func TestReassert(t *testing.T) {
	t.Parallel()
	ip := func(command string) func(*lab.Node) { return func(n *lab.Node) { n.IP(command) } }
	remove := func(n *lab.Node) { n.RemoveAddresses(lab.Device) }
	for _, tt := range []struct {
		name   string
		router lab.Router
		take   func(*lab.Node)
	}{
		{"addresses removed", lab.Router{}, remove},
		{"device down", lab.Router{}, ip("link set " + lab.Device + " down")},
		{"device deleted", lab.Router{}, ip("link del " + lab.Device)},
		{"addresses removed, IPv6", lab.Router{IPv6: true}, remove},
		{"device down, IPv6", lab.Router{IPv6: true}, ip("link set " + lab.Device + " down")},
		{"device deleted, IPv6", lab.Router{IPv6: true}, ip("link del " + lab.Device)},
		{"address deleted from the interface", lab.Router{OnInterface: true}, ip(fmt.Sprintf("addr del %v/24 dev %s", lab.VIP, lab.Interface))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := tt.router
			r.Kind, r.Version, r.Interval = lab.Rvrrpd, 3, interval3
			from, to := r, r
			from.Priority, to.Priority = high, low
			l := lab.New(t)
			a := l.R1.Run(from)
			l.Tap.Await(0, 5*time.Second, "r1's advertisement", advertisement(l.R1))
			l.R2.Run(to).AwaitBackup()
			answers(t, l, l.R1, r)
			seen := l.Tap.Len()
			for range 3 {
				tt.take(l.R1)
				a.AwaitLine(0, 2*time.Second, "put back what somebody else has removed")
				for _, vip := range r.VIPs() {
					if !lab.Until(time.Second, func() bool { return l.R1.Holds(vip) }) {
						t.Errorf("%v is not back", vip)
					}
				}
				answers(t, l, l.R1, r)
			}
			if said := lab.Select(l.Tap.From(seen), lab.From(l.R2, func(f lab.Frame) bool { return f.VRRP != nil })); len(said) > 0 {
				t.Errorf("r2 says %s", said[0])
			}
			if status := a.Terminate(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, a.Output())
			}
		})
	}
}
