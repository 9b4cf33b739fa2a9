//go:build lab

package lab_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestLinkLife takes the interface of the only router through what can happen
// to one: the virtual router leaves with it and comes back with it, and holds
// nothing in between.
func TestLinkLife(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		away, back []string
	}{
		{"carrier", nil, nil},
		{"set down", []string{"link set eth0 down"}, []string{"link set eth0 up"}},
		{"renamed", []string{"link set eth0 down", "link set eth0 name eth9", "link set eth9 up"},
			[]string{"link set eth9 down", "link set eth9 name eth0", "link set eth0 up"}},
		{"deleted", []string{"link del eth0"}, []string{
			"link add eth0 type veth peer name far", "link set far up", "link set eth0 up", "addr add 10.9.0.1/24 dev eth0"}},
		{"address gone", []string{"addr flush dev eth0"}, []string{"addr add 10.9.0.1/24 dev eth0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			d := l.R1.Run(lab.Router{Kind: lab.Rvrrpd, Priority: high})
			d.AwaitActive(0)
			mark := d.Len()
			if tt.away == nil {
				l.Switch.IP("link set " + l.R1.Name + " down")
			}
			for _, c := range tt.away {
				l.R1.IP(c)
			}
			d.AwaitLine(mark, 3*time.Second, "active->initialize.*reason=link-down")
			if !lab.Until(2*time.Second, func() bool { return !l.R1.Holds(lab.VIP) }) {
				t.Error("the address is held without a link")
			}
			mark = d.Len()
			if tt.away == nil {
				l.Switch.IP("link set " + l.R1.Name + " up")
			}
			for _, c := range tt.back {
				l.R1.IP(c)
			}
			d.AwaitLine(mark, 5*time.Second, "initialize->backup.*reason=startup")
			d.AwaitActive(mark)
			if !l.R1.Holds(lab.VIP) {
				t.Error("the address is not held again")
			}
			if status := d.Terminate(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, d.Output())
			}
			if l.R1.Holds(lab.VIP) || strings.Contains(d.Output(), "level=ERROR") {
				t.Errorf("address left behind, or errors; it said\n%s", d.Output())
			}
		})
	}
}

// TestLateInterface: an interface that is not there yet at the start is
// waited for.
func TestLateInterface(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.IP("link set eth0 down")
	l.R1.IP("link set eth0 name late")
	d := l.R1.Run(lab.Router{Kind: lab.Rvrrpd, Priority: high})
	d.AwaitLine(0, 5*time.Second, "waiting for the link")
	d.AwaitLine(0, 5*time.Second, "msg=ready")
	l.R1.IP("link set late name eth0")
	l.R1.IP("link set eth0 up")
	d.AwaitLine(0, 5*time.Second, "initialize->backup")
	d.AwaitActive(0)
}
