//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
	"github.com/rvrrpd/rvrrpd/lab/hostile/plot"
)

// grantedRoute is the only route of the configuration.
const grantedRoute = "10.64.0.0/16 via 10.9.0.99"

// TestHostileKeeper lets a compromised keeper try everything that it can say, ask for and hold. Advertisements go
// on, but where it hands over, which it can, or blames the network process, which ends the daemon; either way nothing is
// there that was not granted, and nothing is left behind.
func TestHostileKeeper(t *testing.T) {
	t.Parallel()
	parent := installationWith(t, "rvrrpd-keeper", "./lab/hostile/keeper")
	for i, p := range plot.All {
		for _, profile := range []string{"root", "user"} {
			t.Run(profile+" "+p.Name, func(t *testing.T) {
				t.Parallel()
				conspire(t, parent, profile, p, i+1)
			})
		}
	}
}

// conspire runs the daemon with one plot.
func conspire(t *testing.T, parent, profile string, plot plot.Plot, vrid int) {
	t.Helper()
	on := prey{"", 3, []netip.Addr{lab.VIP}, ""}
	conf := fmt.Sprintf("version = 3\ntimers = { advert = 0.3 }\nvip = \"%v/24\"\n[[protocols.static]]\nroute = \"10.64.0.0/16\"\nnh = \"10.9.0.99\"\n", lab.VIP)
	l, p, before := expose(t, parent, profile, vrid, conf)
	mine := func(f lab.Frame) bool { return f.Port == l.R1.Name && f.VRRP != nil && f.VRRP.VRID == vrid }
	l.Tap.Await(0, 10*time.Second, "the first advertisement", mine)
	seen := l.Tap.Len()
	for since := time.Now(); time.Since(since) < stormy && !p.Ended(); time.Sleep(50 * time.Millisecond) {
		on.addresses(t, l)
		bounded(t, p)
		for line := range strings.Lines(routes(t, l.R1, "proto", "112")) {
			if !strings.HasPrefix(line, grantedRoute) {
				t.Errorf("a route that was not granted: %s", line)
			}
		}
		if !l.R1.Links()[lab.Interface].Up {
			t.Error("the interface is down, or gone")
		}
	}
	switch {
	case plot.Ends:
		if code := p.AwaitExit(5 * time.Second); code != violationStatus {
			t.Errorf("exit code %d; it said\n%s", code, p.Output())
		}
	case !plot.Stops:
		l.Tap.Await(l.Tap.Len(), 2*time.Second, "the next advertisement", mine)
		if goodbyes := lab.Select(l.Tap.From(seen), func(f lab.Frame) bool { return mine(f) && f.VRRP.Priority == 0 }); len(goodbyes) > 0 {
			t.Errorf("a role changed: %v", goodbyes)
		}
		fallthrough
	default:
		if code := p.Terminate(10 * time.Second); code != 0 {
			t.Errorf("exit code %d; it said\n%s", code, p.Output())
		}
	}
	if !strings.Contains(p.Output(), plot.Lost) || plot.Borne && strings.Contains(p.Output(), "keeper lost") {
		t.Errorf("it said %q, want %q, borne %t", p.Output(), plot.Lost, plot.Borne)
	}
	if goodbye := slices.ContainsFunc(l.Tap.From(seen), func(f lab.Frame) bool { return mine(f) && f.VRRP.Priority == 0 }); plot.Stops && !goodbye {
		t.Error("nothing is handed over")
	}
	if strings.Contains(p.Output(), "\x1b") {
		t.Errorf("it said %q", p.Output())
	}
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind:\n%s", diff)
	}
}
