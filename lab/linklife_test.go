//go:build lab

package lab_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// mishap is what becomes of an interface, and how it is repaired.
type mishap struct {
	name       string
	away, back func(v *victim)
	// altered: the interface is not as before, which is nobody's fault.
	altered bool
}

// victim is the router that a mishap befalls.
type victim struct {
	*lab.Lab
	*lab.Node
	router lab.Router
	port   int // of the switch, where its cable is
}

// own is the victim's address that advertisements come from, as a prefix.
func (v *victim) own() string {
	if v.router.IPv6 {
		return v.LinkLocal.String() + "/64"
	}
	return v.Addr.String() + "/24"
}

// mishaps are those in which a virtual router cannot go on.
var mishaps = []mishap{
	{"set down", func(v *victim) { v.Node.IP("link set eth0 down") }, func(v *victim) { v.Node.IP("link set eth0 up") }, false},
	{"carrier", func(v *victim) { v.Switch.IP("link set " + v.Name + " down") },
		func(v *victim) { v.Switch.IP("link set " + v.Name + " up") }, false},
	{"renamed", func(v *victim) { v.Node.IP("link set eth0 name eth9") }, func(v *victim) { v.Node.IP("link set eth9 name eth0") }, true},
	{"renamed while down", func(v *victim) { v.Node.IP("link set eth0 down", "link set eth0 name eth9", "link set eth9 up") },
		func(v *victim) { v.Node.IP("link set eth9 down", "link set eth9 name eth0", "link set eth0 up") }, true},
	{"deleted", func(v *victim) { v.Node.IP("link del eth0") }, func(v *victim) {
		// The port of the switch gets its number back, by which the tap knows it.
		v.Switch.IP(fmt.Sprintf("link add name %s index %d type veth peer name eth0 netns %s", v.Name, v.port, v.Namespace),
			fmt.Sprintf("link set %s mtu 1500 master br0 up", v.Name))
		v.Node.IP(fmt.Sprintf("link set eth0 mtu 1500 address %s", v.MAC), "link set eth0 up", fmt.Sprintf("addr add %v/24 brd + dev eth0", v.Addr))
	}, true},
	{"last address", func(v *victim) { v.Node.IP("addr del " + v.own() + " dev eth0") }, func(v *victim) {
		if v.router.IPv6 {
			v.Node.IP("addr add " + v.own() + " dev eth0 nodad")
		} else {
			v.Node.IP("addr add " + v.own() + " brd + dev eth0")
		}
	}, false},
}

// families are the virtual routers of these tests.
var families = []struct {
	name   string
	router lab.Router
}{
	{"IPv4", lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3}},
	{"IPv6", lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, IPv6: true}},
}

func eachMishap(t *testing.T, test func(t *testing.T, m mishap, r lab.Router)) {
	for _, family := range families {
		for _, m := range mishaps {
			t.Run(family.name+", "+m.name, func(t *testing.T) {
				t.Parallel()
				test(t, m, family.router)
			})
		}
	}
}

// newVictim makes a lab and names one of its routers the victim.
func newVictim(t *testing.T, r lab.Router, who string) *victim {
	t.Helper()
	l := lab.New(t)
	v := &victim{Lab: l, Node: l.R1, router: r}
	if who == l.R2.Name {
		v.Node = l.R2
	}
	v.port = number(t, l.Switch, v.Name)
	return v
}

// run starts r1 as Active and r2 as Backup.
func (v *victim) run(t *testing.T) (a, b *lab.Daemon) {
	t.Helper()
	from, to := v.router, v.router
	from.Priority, to.Priority = high, low
	a = v.R1.Run(from)
	v.Tap.Await(v.Tap.Len(), 10*time.Second, "r1's advertisement", advertisement(v.R1))
	b = v.R2.Run(to)
	b.AwaitBackup()
	awaitAdverts(v.Lab, v.R1, v.router, 2)
	return a, b
}

// number is the index of an interface.
func number(t *testing.T, n *lab.Node, name string) (index int) {
	t.Helper()
	out, err := exec.Command("ip", "-n", n.Namespace, "-o", "link", "show", "dev", name).Output()
	if err == nil {
		_, err = fmt.Sscanf(string(out), "%d:", &index)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return index
}

// holdsNone waits until a node has none of the virtual addresses.
func holdsNone(t *testing.T, n *lab.Node, r lab.Router) {
	t.Helper()
	for _, vip := range r.VIPs() {
		if !lab.Until(2*time.Second, func() bool { return !n.Holds(vip) }) {
			t.Errorf("%s still holds %v", n.Name, vip)
		}
	}
}

// holdsAll waits until a node has all of the virtual addresses, and no other has.
func holdsAll(t *testing.T, l *lab.Lab, n *lab.Node, r lab.Router) {
	t.Helper()
	for _, vip := range r.VIPs() {
		var holders []string
		if !lab.Until(2*time.Second, func() bool {
			holders = l.Holders(vip)
			return slices.Equal(holders, []string{n.Name})
		}) {
			t.Errorf("%v hold %v, want %s alone", holders, vip, n.Name)
		}
	}
}

// TestActiveLosesLink: an Active whose interface goes away leaves, and says
// why; the other takes over; when the interface is back it is Active again by
// itself, and ends with nothing left over.
func TestActiveLosesLink(t *testing.T) {
	t.Parallel()
	eachMishap(t, func(t *testing.T, m mishap, r lab.Router) {
		v := newVictim(t, r, "r1")
		m.away(v) // once without us: what that changes is not ours
		m.back(v)
		if !lab.Until(5*time.Second, func() bool { return len(v.Addresses(lab.Interface)) == 2 }) {
			t.Fatal("the interface does not come back")
		}
		before := v.AtRest()
		l := v.Lab
		a, b := v.run(t)
		holdsAll(t, l, l.R1, r)
		from, seen := a.Len(), l.Tap.Len()
		m.away(v)
		a.AwaitLine(from, 3*time.Second, "active->initialize.*reason=link-down")
		l.Tap.Await(seen, 3*time.Second, "r2's takeover", advertisement(l.R2))
		holdsNone(t, l.R1, r)
		holdsAll(t, l, l.R2, r)
		away := l.Tap.Len()
		awaitAdverts(l, l.R2, r, 3)
		if said := lab.Select(l.Tap.From(away), lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil })); len(said) > 0 {
			t.Errorf("without its link r1 says %s", said[0])
		}

		from, seen = a.Len(), l.Tap.Len()
		other := b.Len()
		m.back(v)
		a.AwaitLine(from, 5*time.Second, "initialize->backup.*reason=startup")
		returned := l.Tap.Await(seen, 5*time.Second, "r1's return", advertisement(l.R1))
		b.AwaitStepBack(other)
		awaitAdverts(l, l.R1, r, 3)
		holdsAll(t, l, l.R1, r)
		answers(t, l, l.R1, r)
		alone(t, l.Tap.From(mark(l, returned)), l.R1, returned.Time)
		v.restored(t, a)
		if diff := before.Diff(v.Snapshot()); diff != "" && !m.altered {
			t.Errorf("r1 is not as it was before:\n%s", diff)
		}
	})
}

// restored ends the daemon and checks that nothing of it is left.
func (v *victim) restored(t *testing.T, d *lab.Daemon) {
	t.Helper()
	if status := d.Terminate(5 * time.Second); status != 0 {
		t.Errorf("%s: status %d", v.Name, status)
	}
	if complained(d, 0) {
		t.Errorf("%s said\n%s", v.Name, d.Output())
	}
	holdsNone(t, v.Node, v.router)
	for name, link := range v.Links() {
		if link.Kind == "macvlan" || strings.Contains(link.Alias, "rvrrpd") {
			t.Errorf("left behind on %s: %s %+v", v.Name, name, link)
		}
	}
}

// complained says whether the daemon has logged an error from a mark on. An
// advertisement that is due after the link has gone and before the kernel has
// reported it cannot be sent; that is none.
func complained(d *lab.Daemon, mark int) bool {
	return slices.ContainsFunc(d.From(mark), func(l lab.Line) bool {
		return strings.Contains(l.Text, "level=ERROR") && !strings.Contains(l.Text, `error="network is down"`)
	})
}

// alone checks that a node alone advertises, from a moment after it took over.
func alone(t *testing.T, frames []lab.Frame, n *lab.Node, since time.Time) {
	t.Helper()
	for _, f := range frames {
		if f.VRRP != nil && f.Port != n.Name && over(since, f.Time, tolerance) {
			t.Errorf("beside %s: %s", n.Name, f)
			return
		}
		if f.VRRP != nil && f.Port == n.Name && f.VRRP.Priority == 0 {
			t.Errorf("%s leaves: %s", n.Name, f)
		}
	}
}

// TestBackupLosesLink: a Backup whose interface goes away waits in Initialize,
// does not disturb the Active then or when it is back, and still takes over
// when that one dies.
func TestBackupLosesLink(t *testing.T) {
	t.Parallel()
	eachMishap(t, func(t *testing.T, m mishap, r lab.Router) {
		v := newVictim(t, r, "r2")
		l := v.Lab
		a, b := v.run(t)
		start := l.Tap.Len()
		from := b.Len()
		m.away(v)
		b.AwaitLine(from, 3*time.Second, "backup->initialize.*reason=link-down")
		away := b.Router.ActiveDown()
		for since := time.Now(); time.Since(since) < away*3/2; {
			awaitAdverts(l, l.R1, r, 1)
		}
		holdsNone(t, l.R2, r)

		from = b.Len()
		m.back(v)
		b.AwaitLine(from, 5*time.Second, "initialize->backup.*reason=startup")
		for since := time.Now(); time.Since(since) < away*3/2; {
			awaitAdverts(l, l.R1, r, 1)
		}
		if b.TurnedActive(0) || a.Said(0, "active->") {
			t.Errorf("a role changed; r1 said\n%sr2 said\n%s", a.Output(), b.Output())
		}
		alone(t, l.Tap.From(start), l.R1, time.Time{})

		seen := l.Tap.Len()
		killed := a.Kill()
		takeover := l.Tap.Await(seen, 3*time.Second, "r2's takeover", advertisement(l.R2))
		before := last(t, l.Tap.From(0), killed, "r1's last advertisement", advertisement(l.R1))
		if over(before.Time, takeover.Time, b.Router.ActiveDown()+announceLimit) {
			t.Errorf("the takeover was %v late", takeover.Time.Sub(before.Time)-b.Router.ActiveDown())
		}
		answers(t, l, l.R2, r)
		v.restored(t, b)
	})
}

// TestLateLink: a router starts although its interface is not there yet, or
// not usable, and needs no restart when it is.
func TestLateLink(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		for _, m := range mishaps {
			t.Run(family.name+", "+m.name, func(t *testing.T) {
				t.Parallel()
				v := newVictim(t, family.router, "r1")
				m.away(v)
				r := family.router
				r.Priority = high
				a := v.R1.Run(r)
				v.R1.Owes("the interface was away at the start; the test compares by itself")
				a.AwaitLine(0, 5*time.Second, "waiting for the link")
				a.AwaitLine(0, 5*time.Second, "msg=ready")
				m.back(v)
				a.AwaitLine(0, 5*time.Second, "initialize->backup.*reason=startup")
				v.Tap.Await(0, 5*time.Second, "r1's advertisement", advertisement(v.R1))
				answers(t, v.Lab, v.R1, r)
				holdsAll(t, v.Lab, v.R1, r)
				v.restored(t, a)
			})
		}
	}
}
