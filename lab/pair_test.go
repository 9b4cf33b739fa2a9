//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// tolerance is how much later than the protocol's own limit a takeover may be
// on the wire, haste how much earlier: clocks are read twice.
const (
	tolerance = 50 * time.Millisecond
	haste     = 2 * time.Millisecond
)

// announceLimit is how much later than the advertisement the announcement may
// be: the other router's kernel, which is the same, may be busy with it.
const announceLimit = 100 * time.Millisecond

// Priorities of the two routers.
const (
	high = 200
	low  = 100
)

// pairings are who is Active and who is Backup. The one without rvrrpd shows
// that the lab measures right.
var pairings = []struct{ active, backup lab.Kind }{
	{lab.Rvrrpd, lab.Rvrrpd},
	{lab.Rvrrpd, lab.Keepalived},
	{lab.Keepalived, lab.Rvrrpd},
	{lab.Keepalived, lab.Keepalived},
}

// pair is r1, Active, and r2, Backup, that has heard of it.
type pair struct {
	*lab.Lab
	a, b *lab.Daemon
}

func eachPairing(t *testing.T, test func(t *testing.T, active, backup lab.Kind)) {
	for _, p := range pairings {
		t.Run(fmt.Sprintf("%s-%s", p.active, p.backup), func(t *testing.T) {
			t.Parallel()
			test(t, p.active, p.backup)
		})
	}
}

// start starts both routers and waits until r1 is Active and r2 Backup. Started
// together, the one that is ready first is Active first, whatever its priority.
func start(t *testing.T, l *lab.Lab, r1, r2 lab.Router) *pair {
	t.Helper()
	p := &pair{Lab: l, a: l.R1.Run(r1)}
	p.a.AwaitActive(0)
	p.b = l.R2.Run(r2)
	p.b.AwaitBackup()
	l.Tap.Await(l.Tap.Len(), 2*time.Second, "the Active's next advertisement", lab.AdvertOf(l.R1, r1.Priority))
	if p.b.TurnedActive(0) {
		t.Fatalf("r2 is Active, too; it said\n%s", p.b.Output())
	}
	return p
}

func startPair(t *testing.T, active, backup lab.Kind) *pair {
	t.Helper()
	return start(t, lab.New(t), lab.Router{Kind: active, Priority: high}, lab.Router{Kind: backup, Priority: low})
}

// holdsAlone checks that the node has the address, and nobody else.
func (p *pair) holdsAlone(t *testing.T, n *lab.Node) {
	t.Helper()
	var holders []string
	if !lab.Until(time.Second, func() bool {
		holders = p.Holders(lab.VIP)
		return slices.Equal(holders, []string{n.Name})
	}) {
		t.Errorf("%v hold %v, not %s alone", holders, lab.VIP, n.Name)
	}
}

// answersAlone checks that ARP requests for the address are answered by the
// node, with the virtual MAC, and by nobody else.
func (p *pair) answersAlone(t *testing.T, n *lab.Node) {
	t.Helper()
	want := []lab.Answer{{From: n.Name, MAC: lab.VirtualMAC(lab.VRID)}}
	var got []lab.Answer
	// The kernel stops to list an address before it stops to answer for it.
	if !lab.Until(time.Second, func() bool {
		got = p.WhoHas(lab.VIP)
		return slices.Equal(got, want)
	}) {
		t.Errorf("who has %v: %v, want %v", lab.VIP, got, want)
	}
}

// standsBy checks that a Backup of ours keeps its macvlan, and keeps it down,
// so that it neither answers nor forwards.
func (p *pair) standsBy(t *testing.T, d *lab.Daemon) {
	t.Helper()
	if d.Router.Kind != lab.Rvrrpd || d.Router.OnInterface {
		return
	}
	var device lab.Link
	if !lab.Until(time.Second, func() bool {
		device = d.Node.Links()[lab.Device]
		return device.Kind == "macvlan" && !device.Up
	}) {
		t.Errorf("%s is Backup, and its device is %+v", d.Node.Name, device)
	}
}

// within checks a time on the wire against the protocol's.
func within(t *testing.T, what string, from, to time.Time, want time.Duration) {
	t.Helper()
	between(t, what, from, to, want-haste, want+tolerance)
	t.Logf("%s was %v after the protocol's %v", what, to.Sub(from)-want, want)
}

// between checks a time against the least and the most that it may be on a
// machine that has nothing else to do; what this one has withheld is nobody's
// fault.
func between(t *testing.T, what string, from, to time.Time, least, most time.Duration) {
	t.Helper()
	got, slack := to.Sub(from), lab.Slack(from, to)
	if got < least-slack || got > most+slack {
		t.Errorf("%s took %v, want %v to %v; the machine may be blamed for %v", what, got, least, most, slack)
	}
}

// over says whether more time has passed between two instants than may.
func over(from, to time.Time, most time.Duration) bool {
	return to.Sub(from) > most+lab.Slack(from, to)
}

// first and last find frames that must be there.
func first(t *testing.T, frames []lab.Frame, after time.Time, what string, match func(lab.Frame) bool) lab.Frame {
	t.Helper()
	f, ok := lab.First(frames, after, match)
	if !ok {
		t.Fatalf("%s: not in the capture", what)
	}
	return f
}

func last(t *testing.T, frames []lab.Frame, before time.Time, what string, match func(lab.Frame) bool) lab.Frame {
	t.Helper()
	f, ok := lab.Last(frames, before, match)
	if !ok {
		t.Fatalf("%s: not in the capture", what)
	}
	return f
}

// announced checks the frames of a takeover: the advertisement first, then
// the announcement with the virtual MAC.
func announced(t *testing.T, frames []lab.Frame, advert lab.Frame) {
	t.Helper()
	garp := first(t, frames, advert.Time, "an announcement after the advertisement", lab.GratuitousARP(lab.VIP))
	if garp.ARP.SenderMAC != lab.VirtualMAC(lab.VRID) {
		t.Errorf("announced with %s: %s", garp.ARP.SenderMAC, garp)
	}
	if over(advert.Time, garp.Time, announceLimit) {
		t.Errorf("announced %v after the advertisement", garp.Time.Sub(advert.Time))
	}
}

// returned checks that r1, started again, became Active by preemption and r2
// fell silent when it heard of it.
func returned(t *testing.T, frames []lab.Frame, p *pair, again time.Time) {
	t.Helper()
	back := first(t, frames, again, "an advertisement of the returned router", lab.Advert(p.R1))
	other := last(t, frames, back.Time.Add(time.Hour), "advertisements of r2", lab.Advert(p.R2))
	if over(back.Time, other.Time, tolerance) {
		t.Errorf("r2 goes on for %v after r1 is back", other.Time.Sub(back.Time))
	}
	if other.VRRP.Priority == 0 {
		t.Errorf("r2 says goodbye although it stays: %s", other)
	}
}

// onlyVirtual checks that nobody ever names a physical MAC as the address's.
func onlyVirtual(t *testing.T, frames []lab.Frame, vip netip.Addr) {
	t.Helper()
	for _, f := range frames {
		if f.ARP != nil && f.ARP.SenderIP == vip && f.ARP.SenderMAC != lab.VirtualMAC(lab.VRID) {
			t.Errorf("not the virtual MAC: %s", f)
		}
	}
}
