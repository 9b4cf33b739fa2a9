//go:build lab

package lab_test

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// routes lists a node's routes of a protocol, or all.
func routes(t *testing.T, n *lab.Node, args ...string) string {
	t.Helper()
	var all string
	for _, family := range []string{"-4", "-6"} {
		out, err := exec.Command("ip", append([]string{family, "-n", n.Namespace, "route", "show"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("ip route: %v: %s", err, out)
		}
		all += string(out)
	}
	return all
}

// TestRoutes: static routes are there while a virtual router is Active, bear
// our mark, are put back when somebody removes them, and leave those of
// others alone.
func TestRoutes(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.IP("addr add 2001:db8:9::1/64 dev "+lab.Interface+" nodad", "route add 10.66.0.0/16 via 10.9.0.99 metric 9")
	foreign := routes(t, l.R1)
	const static = `
[protocols]
[[protocols.static]]
route = "10.64.0.0"
mask = "255.255.0.0"
nh = "10.9.0.99"
metric = 5
mtu = 1400
[[protocols.static]]
route = "2001:db8:64::/48"
nh = "2001:db8:9::99"
[[protocols.static]]
route = "10.66.0.0/16"
nh = "10.9.0.98"
metric = 9
`
	config := func(priority int) string {
		r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: priority}
		return r.Configuration("") + static
	}
	a := startReloaded(t, l.R1, config(low))
	a.AwaitLine(0, 5*time.Second, "backup->active")
	installed := func() bool {
		ours := routes(t, l.R1, "proto", "112")
		return strings.Contains(ours, "10.64.0.0/16 via 10.9.0.99") && strings.Contains(ours, "metric 5 mtu 1400") && strings.Contains(ours, "2001:db8:64::/48 via 2001:db8:9::99")
	}
	if !lab.Until(2*time.Second, installed) {
		t.Fatalf("routes: %s; it said\n%s", routes(t, l.R1), a.Output())
	}
	if got := routes(t, l.R1, "metric", "9"); !strings.Contains(got, "10.9.0.99") || strings.Contains(got, "10.9.0.98") {
		t.Errorf("somebody else's route: %s", got)
	}
	for _, c := range []string{"route del 10.64.0.0/16 metric 5", "route del 2001:db8:64::/48", "route flush proto 112"} {
		l.R1.IP(c)
		if !lab.Until(2*time.Second, installed) {
			t.Errorf("after %s: %s", c, routes(t, l.R1))
		}
	}
	a.reload(strings.Replace(config(low), "10.64.0.0", "10.65.0.0", 1), "configuration loaded")
	if !lab.Until(2*time.Second, func() bool {
		r := routes(t, l.R1, "proto", "112")
		return strings.Contains(r, "10.65") && !strings.Contains(r, "10.64")
	}) {
		t.Errorf("after a reload: %s", routes(t, l.R1))
	}

	// Another Active: the routes go, and come back with the role.
	b := l.R2.Run(lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high})
	a.AwaitLine(0, 5*time.Second, "active->backup")
	if !lab.Until(2*time.Second, func() bool { return routes(t, l.R1) == foreign }) {
		t.Errorf("as Backup: %s, want %s", routes(t, l.R1), foreign)
	}
	b.Kill()
	if !lab.Until(5*time.Second, func() bool { return routes(t, l.R1, "proto", "112") != "" }) {
		t.Errorf("Active again: %s", routes(t, l.R1))
	}
	a.Kill()
	again := runText(t, l.R1, config(low))
	again.AwaitLine(0, 5*time.Second, "sweeping a route left behind")
	again.AwaitLine(0, 5*time.Second, "backup->active")
	if status := again.Terminate(5 * time.Second); status != 0 || routes(t, l.R1) != foreign {
		t.Errorf("status %d, left: %s, want %s", status, routes(t, l.R1), foreign)
	}
}

// TestAnnouncements: as often as configured, with their distance, and again
// when a split has healed.
func TestAnnouncements(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	p := runText(t, l.R1, r.Configuration("")+"garp = { repeat = 4, delay = 2, refresh = 3, interval = 0.05 }\n")
	takeover := l.Tap.Await(0, 5*time.Second, "r1's advertisement", advertisement(l.R1))
	garps := func() []lab.Frame { return lab.Select(l.Tap.From(0), lab.GratuitousARP(lab.VIP)) }
	if !lab.Until(7*time.Second, func() bool { return len(garps()) >= 10 }) {
		t.Fatalf("%d announcements; it said\n%s", len(garps()), p.Output())
	}
	got := garps()
	for i, want := range []time.Duration{0, 50, 100, 150, 2000, 2050, 2100, 2150, 3000, 6000} {
		want *= time.Millisecond
		if at := got[i].Time.Sub(takeover.Time); at < want-haste || at > want+300*time.Millisecond { // a refresh waits for the next advertisement
			t.Errorf("announcement %d after %v, want %v", i, at, want)
		}
		// A late one shortens the distance to the next, which keeps its own time.
		if i > 0 && i != 4 && got[i].Time.Sub(got[i-1].Time) < 25*time.Millisecond {
			t.Errorf("announcement %d follows %v after the last", i, got[i].Time.Sub(got[i-1].Time))
		}
	}
	// Another Active that loses is heard: hosts may have believed it.
	mark := len(garps())
	sent := l.Client.Flood(20, 250*time.Millisecond, interval3, lab.Forgery{VRID: lab.VRID, TTL: 255, Priority: low})
	if !lab.Until(time.Second, func() bool { return len(garps()) > mark }) || sent < 3 {
		t.Errorf("no announcement after %d advertisements of another Active", sent)
	}
	if n := len(garps()) - mark; n > 2 {
		t.Errorf("%d announcements after %d advertisements", n, sent)
	}
}

// TestProbe: after a takeover the log says whether the former Active is dead,
// or whether we are deaf to it.
func TestProbe(t *testing.T) {
	t.Parallel()
	for _, ipv6 := range []bool{false, true} {
		for _, what := range []string{"dead", "deaf", "firewall", "stalled"} {
			t.Run(fmt.Sprintf("IPv6 %v, %s", ipv6, what), func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, IPv6: ipv6, Priority: high}
				a := l.R1.Run(r)
				l.Tap.Await(0, 5*time.Second, "r1's advertisement", advertisement(l.R1))
				r.Priority = low
				b := l.R2.Run(r)
				b.AwaitBackup()
				awaitAdverts(l, l.R1, r, 2)
				switch what {
				case "firewall": // r2's own
					b.Node.Nft("add table inet fire", "add chain inet fire input { type filter hook input priority 0; }", "add rule inet fire input meta l4proto 112 drop")
					b.AwaitLine(0, 5*time.Second, "backup->active.*verdict=silent times=1 ")
					b.AwaitLine(0, 5*time.Second, "former Active probed.*answers=true arrive=[1-9].*this host drops them.*nft list ruleset")
					b.Node.Nft("delete table inet fire")
					b.AwaitLine(0, 5*time.Second, "active->backup")
					mark := b.Len()
					b.Node.Nft("add table inet fire", "add chain inet fire input { type filter hook input priority 0; }", "add rule inet fire input meta l4proto 112 drop")
					b.AwaitLine(mark, 5*time.Second, "backup->active.*verdict=silent times=2 ")
					return
				case "stalled": // and meanwhile the Active dies
					pids := []int{b.PID, b.Child()}
					signal(t, syscall.SIGSTOP, pids...)
					a.Kill()
					killed := time.Now()
					lab.Until(2*r.ActiveDown(), func() bool { return time.Since(killed) > r.ActiveDown()*3/2 })
					signal(t, syscall.SIGCONT, pids...)
					b.AwaitLine(0, 5*time.Second, "backup->active.*verdict=stalled times=1 ")
					return
				case "deaf":
					// The Active goes on with a version that r2 does not know.
					a.Kill()
					verdict := "silent"
					if !ipv6 {
						verdict = "dropped"
						text := strings.Replace(lab.Router{Kind: lab.Rvrrpd, Version: 2, Priority: 255}.Configuration(""), "preemption", "startup_delay = 0\npreemption", 1)
						runText(t, l.R1, text)
					}
					b.AwaitLine(0, 5*time.Second, "backup->active.*verdict="+verdict)
					b.AwaitLine(0, 5*time.Second, "former Active probed.*answers=true")
					return
				}
				l.Partition(l.R1)
				b.AwaitLine(0, 5*time.Second, "backup->active.*verdict=silent")
				if line := b.AwaitLine(0, 5*time.Second, "former Active probed.*answers=false arrive=0 "); strings.Contains(line.Text, "nft") {
					t.Errorf("it said %s", line.Text)
				}
			})
		}
	}
}

// TestLinkUpDelay: a link that comes up again is left alone for a while, and
// at the first start it is not.
func TestLinkUpDelay(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	p := runText(t, l.R1, r.Configuration("")+"link_up_delay = 1.5\n")
	start := time.Now()
	p.AwaitLine(0, 5*time.Second, "backup->active")
	if took := time.Since(start); took > 1400*time.Millisecond {
		t.Errorf("the first start took %v", took)
	}
	mark := p.Len()
	l.R1.IP("link set " + lab.Interface + " down")
	p.AwaitLine(mark, 5*time.Second, "active->initialize.*link-down")
	l.R1.IP("link set " + lab.Interface + " up")
	up := time.Now()
	p.AwaitLine(mark, 5*time.Second, "initialize->backup")
	if took := time.Since(up); took < 1400*time.Millisecond || took > 2500*time.Millisecond {
		t.Errorf("it starts again after %v, want 1.5 s", took)
	}
	p.AwaitLine(mark, 5*time.Second, "backup->active.*verdict=")
}
