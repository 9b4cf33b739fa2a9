//go:build lab

package lab_test

import (
	"fmt"
	"os/exec"
	"slices"
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

// routed starts r1 as Active, and r2 as Backup, with static routes.
func routed(t *testing.T, l *lab.Lab, interval time.Duration, static string) (a, b *lab.Process) {
	t.Helper()
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval, Priority: high}
	a = runText(t, l.R1, r.Configuration("")+static)
	a.AwaitLine(0, 5*time.Second, "backup->active")
	r.Priority = low
	b = runText(t, l.R2, r.Configuration("")+static)
	b.AwaitLine(0, 5*time.Second, "initialize->backup")
	awaitAdverts(l, l.R1, r, 2)
	return a, b
}

// uplinks gives both routers another interface, with 10.8.0.0/24 on it.
func uplinks(l *lab.Lab) {
	for _, n := range []*lab.Node{l.R1, l.R2} {
		n.IP("link add uplink type veth peer name far", "addr add 10.8.0.1/24 dev uplink", "link set uplink up", "link set far up")
	}
}

// TestRouteOfOthers: what somebody else does to our routes is undone and
// counted; a route of theirs in the place of ours stays, is told once, and
// ours comes back when it is gone. No role changes.
func TestRouteOfOthers(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.IP("addr add 2001:db8:9::1/64 dev " + lab.Interface + " nodad")
	l.R2.IP("addr add 2001:db8:9::2/64 dev " + lab.Interface + " nodad")
	a, b := routed(t, l, lab.AdverInterval, `
[[protocols.static]]
route = "10.64.0.0/16"
nh = "10.9.0.99"
mtu = 1400
[[protocols.static]]
route = "10.64.0.0/16"
nh = "10.9.0.99"
metric = 7
[[protocols.static]]
route = "2001:db8:64::/48"
nh = "2001:db8:9::99"
`)
	var whole string
	if !lab.Until(2*time.Second, func() bool { whole = routes(t, l.R1, "proto", "112"); return strings.Count(whole, "via") == 3 }) {
		t.Fatalf("routes: %s", whole)
	}
	back := func() bool { return routes(t, l.R1, "proto", "112") == whole }
	putBack := func(times int) string {
		return fmt.Sprintf("put back a route that was gone.*route=10.64.0.0/16.*times=%d", times)
	}
	l.R1.IP("route del 10.64.0.0/16 metric 0")
	a.AwaitLine(0, 2*time.Second, putBack(1))
	l.R1.IP("route del 10.64.0.0/16 metric 0")
	a.AwaitLine(0, 2*time.Second, putBack(2))
	l.R1.IP("route change 10.64.0.0/16 via 10.9.0.99 mtu 1300 proto 112")
	a.AwaitLine(0, 2*time.Second, putBack(3))
	l.R1.IP("route del 10.64.0.0/16 metric 7")
	if !lab.Until(2*time.Second, back) {
		t.Errorf("routes: %s, want %s", routes(t, l.R1, "proto", "112"), whole)
	}
	for _, theirs := range []string{"10.64.0.0/16 via 10.9.0.98", "2001:db8:64::/48 via 2001:db8:9::98"} {
		mark := a.Len()
		l.R1.IP("route replace " + theirs + " proto static")
		to, _, _ := strings.Cut(theirs, " ")
		a.AwaitLine(mark, 2*time.Second, "another route is in the place of ours.*"+to)
		awaitAdverts(l, l.R1, lab.Router{Kind: lab.Rvrrpd, Version: 3}, 2) // longer than between two attempts
		if got := routes(t, l.R1, "proto", "static"); !strings.Contains(got, theirs) {
			t.Errorf("their route is gone: %s", got)
		}
		said := 0
		for _, line := range a.From(mark) {
			if strings.Contains(line.Text, "level=WARN") || strings.Contains(line.Text, "level=ERROR") {
				said++
			}
		}
		if said != 1 {
			t.Errorf("%d complaints; it said\n%s", said, a.Output())
		}
		l.R1.IP("route del " + theirs + " proto static")
		if !lab.Until(2*time.Second, back) {
			t.Errorf("routes: %s, want %s", routes(t, l.R1, "proto", "112"), whole)
		}
	}
	if a.Said(0, "active->|level=ERROR") || b.Said(0, "->active") {
		t.Errorf("r1 said\n%sr2 said\n%s", a.Output(), b.Output())
	}
}

// TestRoutesAndKeeper: routes stay while there is no keeper, the next one puts back what has gone
// meanwhile, and goes on where a lost one was waited for. In the end the parent removes them,
// also without a keeper.
func TestRoutesAndKeeper(t *testing.T) {
	t.Parallel()
	const interval = 300 * time.Millisecond
	l := lab.New(t)
	uplinks(l)
	a, b := routed(t, l, interval, `
[[protocols.static]]
route = "10.64.0.0/16"
nh = "10.8.0.9"
[[protocols.static]]
route = "10.65.0.0/16"
nh = "10.9.0.99"
`)
	var whole string
	if !lab.Until(2*time.Second, func() bool { whole = routes(t, l.R1, "proto", "112"); return strings.Count(whole, "via") == 2 }) {
		t.Fatalf("routes: %s", whole)
	}
	for range 3 {
		mark, keeper := a.Len(), keeperOf(t, a.PID)
		syscall.Kill(keeper, syscall.SIGSTOP)
		l.R1.IP("route del 10.65.0.0/16")
		if !lab.KillChild(keeper)(5 * time.Second) {
			t.Fatal("it survives SIGKILL")
		}
		a.AwaitLine(mark, 5*time.Second, "put back a route that was gone.*10.65.0.0/16")
		if got := routes(t, l.R1, "proto", "112"); got != whole {
			t.Errorf("routes: %s, want %s", got, whole)
		}
	}
	if b.Said(0, "->active") {
		t.Errorf("r2 said\n%s", b.Output())
	}

	// A keeper that ends while a route is lost: the next one waits, and finds it.
	mark := a.Len()
	l.R1.IP("link set uplink down")
	a.AwaitLine(mark, 3*time.Second, "handing over.*10.64.0.0/16 via 10.8.0.9 cannot be put back")
	b.AwaitLine(0, 3*time.Second, "backup->active")
	if !lab.KillChild(keeperOf(t, a.PID))(5 * time.Second) {
		t.Fatal("it survives SIGKILL")
	}
	a.AwaitLine(mark, 5*time.Second, "keeper lost")
	keeperOf(t, a.PID)
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval, Priority: low}
	for since := time.Now(); time.Since(since) < 2*r.ActiveDown(); {
		awaitAdverts(l, l.R2, r, 1)
	}
	if a.Said(mark, "->active") {
		t.Errorf("r1 said\n%s", a.Output())
	}
	l.R1.IP("link set uplink up")
	a.AwaitLine(mark, 5*time.Second, "backup->active")
	if !lab.Until(5*time.Second, func() bool { return routes(t, l.R1, "proto", "112") == whole }) {
		t.Errorf("routes: %s, want %s", routes(t, l.R1, "proto", "112"), whole)
	}

	keeper := keeperOf(t, a.PID)
	syscall.Kill(keeper, syscall.SIGSTOP)
	if status := a.Terminate(10 * time.Second); status != 0 || routes(t, l.R1, "proto", "112") != "" {
		t.Errorf("status %d, left: %s", status, routes(t, l.R1, "proto", "112"))
	}
}

// TestRouteLost: a route that cannot be put back makes the virtual router hand
// over, and wait until its next hop is in reach again. One that cannot be
// installed in the first place does not: somebody has to be Active.
func TestRouteLost(t *testing.T) {
	t.Parallel()
	const interval = 300 * time.Millisecond
	l := lab.New(t)
	uplinks(l)
	a, b := routed(t, l, interval, `
[[protocols.static]]
route = "10.64.0.0/16"
nh = "10.8.0.9"
`)
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval, Priority: high}
	mark, seen := a.Len(), l.Tap.Len()
	l.R1.IP("link set uplink down")
	a.AwaitLine(mark, 3*time.Second, "handing over.*10.64.0.0/16")
	l.Tap.Await(seen, 2*time.Second, "r1's goodbye", goodbye(l.R1))
	b.AwaitLine(0, 3*time.Second, "backup->active")
	if !lab.Until(2*time.Second, func() bool { return strings.Contains(routes(t, l.R2, "proto", "112"), "10.64") }) {
		t.Errorf("r2's routes: %s", routes(t, l.R2))
	}
	for since := time.Now(); time.Since(since) < 2*r.ActiveDown(); {
		awaitAdverts(l, l.R2, lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval, Priority: low}, 1)
	}
	answers(t, l, l.R2, r)
	errors := 0
	for _, line := range a.From(mark) {
		if strings.Contains(line.Text, "level=ERROR") {
			errors++
		}
	}
	if errors != 2 || a.Said(mark, "->active") { // what, and the handing over
		t.Errorf("%d errors; r1 said\n%s", errors, a.Output())
	}
	l.R1.IP("link set uplink up")
	a.AwaitLine(mark, 5*time.Second, "backup->active")
	a.AwaitLine(mark, 5*time.Second, "route installed")
	answers(t, l, l.R1, r)

	// r2, Backup, loses its uplink: as long as r1 is there that is nobody's
	// business, and then r2 is all there is.
	l.R2.IP("link set uplink down")
	mark = b.Len()
	a.Kill()
	b.AwaitLine(mark, 5*time.Second, "backup->active")
	b.AwaitLine(mark, 5*time.Second, "msg=routes error=.*10.64.0.0/16.*unreachable")
	answers(t, l, l.R2, r)
	for since := time.Now(); time.Since(since) < 2500*time.Millisecond; {
		awaitAdverts(l, l.R2, lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval, Priority: low}, 1)
	}
	errors = 0
	for _, line := range b.From(mark) {
		if strings.Contains(line.Text, "level=ERROR") {
			errors++
		}
	}
	if errors != 1 || b.Said(mark, "active->") {
		t.Errorf("%d errors; r2 said\n%s", errors, b.Output())
	}
	l.R2.IP("link set uplink up")
	b.AwaitLine(mark, 5*time.Second, "route installed")
}

// TestAnnouncements: as often as configured, with their distance, and again
// when a split has healed.
func TestAnnouncements(t *testing.T) {
	t.Parallel()
	for _, ipv6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("IPv6 %v", ipv6), func(t *testing.T) {
			t.Parallel()
			announce(t, ipv6)
		})
	}
}

// announce is TestAnnouncements in one family.
func announce(t *testing.T, ipv6 bool) {
	l := lab.New(t)
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high, IPv6: ipv6}
	table, is := "garp", lab.GratuitousARP
	if ipv6 {
		table, is = "na", unsolicited
	}
	p := runText(t, l.R1, r.Configuration("")+table+" = { repeat = 4, delay = 2, refresh = 3, interval = 0.05 }\n")
	takeover := l.Tap.Await(0, 5*time.Second, "r1's advertisement", advertisement(l.R1))
	each := make([][]lab.Frame, len(r.VIPs()))
	first := func() []lab.Frame {
		for i, vip := range r.VIPs() {
			each[i] = lab.Select(l.Tap.From(0), lab.From(l.R1, is(vip)))
		}
		return slices.MinFunc(each, func(a, b []lab.Frame) int { return len(a) - len(b) })
	}
	if !lab.Until(7*time.Second, func() bool { return len(first()) >= 10 }) {
		t.Fatalf("%d announcements; it said\n%s", len(first()), p.Output())
	}
	for k, got := range each {
		// All addresses of the interface share the distance.
		apart := 50 * time.Millisecond * time.Duration(len(each))
		for i, want := range []time.Duration{0, apart, 2 * apart, 3 * apart, 2 * time.Second, 2*time.Second + apart, 2*time.Second + 2*apart, 2*time.Second + 3*apart, 3 * time.Second, 6 * time.Second} {
			want += 50 * time.Millisecond * time.Duration(k)
			// A refresh waits for the next advertisement.
			between(t, fmt.Sprintf("address %d: announcement %d", k, i), takeover.Time, got[i].Time, want-haste, want+200*time.Millisecond+interval3)
			// A late one shortens the distance to the next, which keeps its own time.
			if i > 0 && i != 4 {
				between(t, fmt.Sprintf("address %d: the distance of announcement %d to the last", k, i), got[i-1].Time, got[i].Time, 25*time.Millisecond, time.Hour)
			}
		}
	}
	// Another Active that loses is heard: hosts may have believed it.
	mark := len(first())
	sent := l.Client.Flood(20, 250*time.Millisecond, interval3, lab.Forgery{VRID: lab.VRID, TTL: 255, Priority: low, IPv6: ipv6})
	if !lab.Until(time.Second, func() bool { return len(first()) > mark }) || sent < 3 {
		t.Errorf("no announcement after %d advertisements of another Active", sent)
	}
	if n := len(first()) - mark; n > 2 {
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
				if what == "deaf" { // r1 is to be back before r2 misses it
					r.Interval = lab.AdverInterval
				}
				a := l.R1.Run(r)
				l.Tap.Await(0, 10*time.Second, "r1's advertisement", advertisement(l.R1))
				r.Priority = low
				b := l.R2.Run(r)
				b.AwaitBackup()
				awaitAdverts(l, l.R1, r, 2)
				switch what {
				case "firewall": // r2's own
					b.Node.Nft("add table inet fire", "add chain inet fire input { type filter hook input priority 0; }", "add rule inet fire input meta l4proto 112 drop")
					b.AwaitLine(0, 5*time.Second, "backup->active.*verdict=silent times=1 ")
					b.AwaitLine(0, 5*time.Second, "former Active probed.*answers=true arrive=[1-9].*reach eth0 and are dropped before the daemon: nft add rule inet filter input meta l4proto 112 accept")
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

// TestLinkUpDelay: a link that comes up again is left alone for a while, so
// that one that bounces takes nothing from the other router: it has taken over
// once, and goes on. At the first start there is no delay.
func TestLinkUpDelay(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	delay := 15 * interval3
	p := runText(t, l.R1, r.Configuration("")+fmt.Sprintf("link_up_delay = %v\n", delay.Seconds()))
	p.AwaitLine(0, 5*time.Second, "backup->active")
	if p.Said(0, "link_up_delay") {
		t.Errorf("it waits at the first start; it said\n%s", p.Output())
	}
	to := r
	to.Priority = low
	b := l.R2.Run(to)
	b.AwaitBackup()
	awaitAdverts(l, l.R1, r, 2)
	mark, other := p.Len(), b.Len()
	down := func() { l.Switch.IP("link set " + l.R1.Name + " down") }
	down()
	p.AwaitLine(mark, 5*time.Second, "active->initialize.*link-down")
	p.AwaitLine(mark, time.Second, "link down.*cause=\"it has no carrier\"")
	b.AwaitActive(other)
	seen := l.Tap.Len()
	var up time.Time
	var waited lab.Line
	for i := range 8 {
		waits := p.Len()
		if i > 0 {
			down()
			p.AwaitLine(waits, 5*time.Second, "link down.*cause=\"it has no carrier\"")
		}
		l.Switch.IP("link set " + l.R1.Name + " up")
		up = time.Now()
		waited = p.AwaitLine(waits, 5*time.Second, "link down.*cause=link_up_delay")
		awaitAdverts(l, l.R2, to, 6) // up for longer than anybody waits for an Active
	}
	// By the daemon's own clock, which cuts off parts of a millisecond.
	again := p.AwaitLine(mark, 5*time.Second, "initialize->backup")
	between(t, "the next start", waited.Said(), again.Said(), delay-10*time.Millisecond, delay+500*time.Millisecond)
	if said := lab.Select(before(l.Tap.From(seen), up), lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil })); len(said) > 0 {
		t.Errorf("on a link that bounces r1 says %s", said[0])
	}
	p.AwaitLine(mark, 5*time.Second, "backup->active")
	b.AwaitStepBack(other)
	changes := func(lines []lab.Line, what string) (n int) {
		for _, line := range lines {
			if strings.Contains(line.Text, what) {
				n++
			}
		}
		return n
	}
	if n, m := changes(p.From(mark), "->active"), changes(b.From(other), "->active"); n != 1 || m != 1 {
		t.Errorf("r1 turned Active %d times, r2 %d times, want once each; r1 said\n%sr2 said\n%s", n, m, p.Output(), b.Output())
	}
}

// before are the frames up to an instant.
func before(frames []lab.Frame, until time.Time) (out []lab.Frame) {
	for _, f := range frames {
		if f.Time.Before(until) {
			out = append(out, f)
		}
	}
	return out
}
