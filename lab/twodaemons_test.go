//go:build lab

package lab_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestTwoDaemons: a daemon that starts, also after a kill, takes nothing from
// another one that lives in the same namespace on another interface, and yet
// sweeps what its own predecessor has left.
func TestTwoDaemons(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.IP("link add eth1 type veth peer name far", "addr add 10.8.0.1/24 dev eth1", "link set eth1 up", "link set far up",
		// An interface of somebody else's above eth0, with a virtual address of the first.
		"link add link eth0 name upper type macvlan mode private", "addr add 10.7.0.1/24 dev upper", "link set upper up")
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	one := strings.Replace(r.Configuration(""), `vip = [`, `vip = ["172.16.5.1/24", `, 1) + `
[[vrouter]]
group = 11
interface = "upper"
vip = "10.7.0.254/24"
iftype = "ether"
version = 3
priority = 200
` + timers3 + `
[[protocols.static]]
route = "10.64.0.0/16"
nh = "172.16.5.9"
[[protocols.static]]
route = "10.65.0.0/16"
nh = "10.8.0.9"
`
	first := runText(t, l.R1, one)
	first.AwaitLine(0, 5*time.Second, "eth0/10/ipv4.*backup->active|backup->active.*eth0/10/ipv4")
	first.AwaitLine(0, 5*time.Second, "upper/11/ipv4.*backup->active|backup->active.*upper/11/ipv4")
	theirs := func() bool {
		return strings.Contains(routes(t, l.R1, "proto", "112"), "10.64.0.0/16") && strings.Contains(routes(t, l.R1, "proto", "112"), "10.65.0.0/16")
	}
	if !lab.Until(2*time.Second, theirs) {
		t.Fatalf("routes: %s", routes(t, l.R1))
	}

	two := strings.NewReplacer(lab.Interface, "eth1", "10.9.", "10.8.", lab.Device, "second", "group = 10", "group = 12").Replace(r.Configuration("")) + `
[[protocols.static]]
route = "10.66.0.0/16"
nh = "10.8.0.7"
`
	monitor := l.R1.Start("ip", "monitor", "link", "address", "route")
	seen := func(what string) {
		t.Helper()
		monitor.AwaitLine(0, 5*time.Second, what)
	}
	if !lab.Until(5*time.Second, func() bool {
		l.R1.IP("addr add 192.0.2.1/32 dev lo", "addr del 192.0.2.1/32 dev lo")
		return monitor.Len() > 0
	}) {
		t.Fatal("the monitor does not listen")
	}
	second := runText(t, l.R1, two)
	second.AwaitLine(0, 5*time.Second, "backup->active")
	seen("10.66.0.0/16 via")
	second.Kill()
	mark := monitor.Len()
	again := runText(t, l.R1, two)
	again.AwaitLine(0, 5*time.Second, "sweeping.*second")
	again.AwaitLine(0, 5*time.Second, "sweeping a route left behind.*10.66")
	again.AwaitLine(0, 5*time.Second, "backup->active")
	if !lab.Until(5*time.Second, func() bool { return strings.Contains(routes(t, l.R1, "proto", "112"), "10.66") }) || !theirs() {
		t.Errorf("routes: %s", routes(t, l.R1))
	}
	if _, ok := monitor.Wait(mark, 5*time.Second, func(line lab.Line) bool {
		return strings.Contains(line.Text, "Deleted") && strings.Contains(line.Text, "second")
	}); !ok {
		t.Errorf("the monitor has not seen the sweep:\n%s", monitor.Output())
	}
	for _, line := range monitor.From(0) {
		for _, their := range []string{lab.VIP.String(), "172.16.5.", "10.7.0.", "10.64.", "10.65.", lab.Device, "upper", lab.Interface} {
			if strings.Contains(line.Text, "Deleted") && strings.Contains(line.Text, their) {
				t.Errorf("taken from the first: %s", line.Text)
			}
		}
	}
	if first.Said(0, "put back|sweeping|active->") || again.Said(0, "sweeping.*(upper|eth0|"+lab.Device+")") {
		t.Errorf("the first said\n%sthe second said\n%s", first.Output(), again.Output())
	}
	for _, p := range []*lab.Process{again, first} {
		if status := p.Terminate(5 * time.Second); status != 0 {
			t.Errorf("status %d; it said\n%s", status, p.Output())
		}
	}
}
