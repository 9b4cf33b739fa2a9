//go:build lab

package lab_test

import (
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestEtherMAC: with ether_mac the interface has the virtual MAC address while
// the router is Active, answers with it, and has its own back afterwards,
// whatever the end.
func TestEtherMAC(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, OnInterface: true}
	config := func(priority int) string {
		r.Priority = priority
		return r.Configuration("") + "ether_mac = true\n"
	}
	has := func(n *lab.Node, mac, when string) {
		t.Helper()
		if !lab.Until(2*time.Second, func() bool { return n.Links()[lab.Interface].MAC == mac }) {
			t.Errorf("%s: %s has %s, want %s", when, n.Name, n.Links()[lab.Interface].MAC, mac)
		}
	}
	virtual := lab.VirtualMAC(lab.VRID)
	answersWith := func(n *lab.Node) {
		t.Helper()
		if !lab.Until(time.Second, func() bool {
			a := l.WhoHas(lab.VIP)
			return len(a) == 1 && a[0] == lab.Answer{From: n.Name, MAC: virtual}
		}) {
			t.Errorf("who has %v: %v", lab.VIP, l.WhoHas(lab.VIP))
		}
	}
	before := l.R1.AtRest()
	a := runText(t, l.R1, config(high))
	a.AwaitLine(0, 5*time.Second, "backup->active")
	has(l.R1, virtual, "Active")
	answersWith(l.R1)
	b := runText(t, l.R2, config(low))
	b.AwaitLine(0, 5*time.Second, "initialize->backup")
	has(l.R2, l.R2.MAC, "Backup")
	a.Kill()
	b.AwaitLine(0, 5*time.Second, "backup->active")
	has(l.R2, virtual, "after the takeover")
	has(l.R1, virtual, "killed")
	again := runText(t, l.R1, config(high))
	again.AwaitLine(0, 5*time.Second, "sweeping a hardware address left behind")
	again.AwaitLine(0, 5*time.Second, "backup->active")
	has(l.R1, virtual, "Active again")
	has(l.R2, l.R2.MAC, "Backup again")
	answersWith(l.R1)
	if status := again.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d; it said\n%s", status, again.Output())
	}
	has(l.R1, l.R1.MAC, "stopped")
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("r1 is not as it was:\n%s", diff)
	}
}
