//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// throttle has tc(8) change the queue of a node's interface.
func throttle(t *testing.T, n *lab.Node, args string) {
	t.Helper()
	p := n.Start(append([]string{"tc", "qdisc"}, strings.Fields(args)...)...)
	if status := p.AwaitExit(5 * time.Second); status != 0 {
		t.Fatalf("tc qdisc %s: %s", args, p.Output())
	}
}

// TestStalledLink: a link whose queue takes and keeps frames, and then takes
// none, costs the virtual router on it its role before a peer takes over, and
// the one on another link nothing. It comes back when frames leave again.
func TestStalledLink(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	other := l.Switch.TapOn(l.MoreLinks(1)...)
	vip := netip.MustParseAddr("10.100.1.1")
	config := func(priority int) string {
		r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: priority}
		return r.Configuration("") + scaled(1, 1, priority) + timers3 + "\n"
	}
	a := runText(t, l.R1, config(high))
	if !lab.Until(10*time.Second, func() bool { return len(transitions(a, 0, "backup->active")) == 2 }) {
		t.Fatalf("r1 is not Active; it said\n%s", a.Output())
	}
	b := runText(t, l.R2, config(low))
	if !lab.Until(10*time.Second, func() bool { return len(transitions(b, 0, "initialize->backup")) == 2 }) {
		t.Fatalf("r2 is not Backup; it said\n%s", b.Output())
	}
	awaitAdverts(l, l.R1, lab.Router{Interval: interval3}, 3)
	removed := l.R1.WatchRemoval(lab.VIP, 30*time.Second) // what the interface has room for comes first
	mark, said := l.Tap.Len(), a.Len()
	throttle(t, l.R1, "replace dev "+lab.Interface+" root tbf rate 8bit burst 1600 limit 200")
	takeover := l.Tap.Await(mark, 30*time.Second, "r2's advertisement", advertisement(l.R2))
	if at := <-removed; at.IsZero() || !at.Before(takeover.Time) {
		t.Errorf("r1's address went at %v, r2 took over at %v; r1 said\n%s", at, takeover.Time, a.Output())
	}
	a.AwaitLine(said, time.Second, "lease lost.*"+lab.Interface+".*interface did not take")
	a.AwaitLine(said, time.Second, "interface takes no frames.*"+lab.Interface)
	mark = l.Tap.Len()
	awaitAdverts(l, l.R2, lab.Router{Interval: interval3}, 20)
	if got := lab.Select(l.Tap.From(mark), advertisement(l.R1)); len(got) > 0 {
		t.Errorf("r1 goes on: %v", got)
	}
	if l.R1.Holds(lab.VIP) || !l.R1.Holds(vip) || l.R2.Holds(vip) {
		t.Errorf("r1 holds %v: %v; the other link's: r1 %v, r2 %v", lab.VIP, l.R1.Holds(lab.VIP), l.R1.Holds(vip), l.R2.Holds(vip))
	}
	var last time.Time
	for _, f := range other.From(0) {
		if f.VRRP == nil || f.Time.Before(takeover.Time.Add(-time.Second)) {
			continue
		}
		if gap := f.Time.Sub(last); f.Port != "r1-0" || !last.IsZero() && over(last, f.Time, 3*interval3) {
			t.Errorf("on the other link: %s after %v", f.Port, gap)
		}
		last = f.Time
	}
	throttle(t, l.R1, "del dev "+lab.Interface+" root")
	a.AwaitLine(said, 5*time.Second, "interface takes frames again.*"+lab.Interface)
	mark = l.Tap.Len()
	l.Tap.Await(mark, 5*time.Second, "r1's return", advertisement(l.R1))
	b.AwaitLine(0, 5*time.Second, "active->backup.*"+lab.Interface)
}

// TestSlowLink: a link that is too slow for a thousand addresses at once loses
// no advertisement and no announcement, and the log says so once.
func TestSlowLink(t *testing.T) {
	t.Parallel()
	const routers, addresses, rounds = 4, 250, 10
	l := lab.New(t)
	config := func(priority int) string {
		var s strings.Builder
		for v := range routers {
			var vips []string
			for i := range addresses {
				vips = append(vips, fmt.Sprintf("\"10.9.%d.%d\"", 100+v, 1+i))
			}
			fmt.Fprintf(&s, "[[vrouter]]\ngroup = %d\ninterface = %q\nvip = [%s]\niftype = \"macvlan\"\nvifname = \"v%d\"\nversion = 3\npreemption = true\npriority = %d\n"+timers3+"\n",
				v+1, lab.Interface, strings.Join(vips, ","), v+1, priority)
		}
		return s.String()
	}
	b := runText(t, l.R2, config(low))
	if !lab.Until(10*time.Second, func() bool { return len(transitions(b, 0, "backup->active")) == routers }) {
		t.Fatalf("r2 is not Active; it said\n%s", b.Output())
	}
	throttle(t, l.R1, "replace dev "+lab.Interface+" root tbf rate 4mbit burst 1600 limit 6000")
	mark := l.Tap.Len()
	a := runText(t, l.R1, config(high))
	times := make(map[netip.Addr]int)
	last := make(map[int]time.Time)
	announced := func() bool {
		frames := l.Tap.From(mark)
		mark += len(frames)
		for _, f := range frames {
			switch {
			case f.Port != l.R1.Name:
			case f.ARP != nil && f.ARP.SenderIP == f.ARP.TargetIP:
				times[f.ARP.SenderIP]++
			case f.VRRP != nil:
				if before := last[f.VRRP.VRID]; !before.IsZero() && over(before, f.Time, 2*interval3) {
					t.Errorf("VRID %d: an advertisement after %v", f.VRRP.VRID, f.Time.Sub(before))
				}
				last[f.VRRP.VRID] = f.Time
			}
		}
		for _, n := range times {
			if n < rounds {
				return false
			}
		}
		return len(times) == routers*addresses
	}
	if !lab.Until(20*time.Second, announced) {
		t.Errorf("%d addresses announced, not all %d times", len(times), rounds)
	}
	for address, n := range times {
		// And once or twice more, when r2 has stepped back (netproc/heal.go).
		if n < rounds || n > rounds+2 {
			t.Errorf("%v announced %d times, want %d, and up to twice more", address, n, rounds)
		}
	}
	if got := len(transitions(b, 0, "backup->active")); got != routers {
		t.Errorf("r2 became Active %d times, want %d", got, routers)
	}
	a.AwaitLine(0, 5*time.Second, "interface busy")
	lines := 0
	for _, line := range a.From(0) {
		if strings.Contains(line.Text, "level=ERROR") || strings.Contains(line.Text, "lease lost") {
			t.Errorf("it said %s", line.Text)
		}
		if strings.Contains(line.Text, "interface busy") {
			lines++
		}
	}
	if lines != 1 {
		t.Errorf("%d lines about a busy interface, want 1", lines)
	}
}
