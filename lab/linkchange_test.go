//go:build lab

package lab_test

import (
	"fmt"
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
