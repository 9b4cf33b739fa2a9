package parent

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"github.com/rvrrpd/rvrrpd/parent/logger"
	"golang.org/x/sys/unix"
)

// staticRoutes are three of them.
var staticRoutes = []conf.Route{
	{Prefix: netip.MustParsePrefix("10.64.0.0/16"), NextHop: netip.MustParseAddr("10.9.0.99"), Metric: 5},
	{Prefix: netip.MustParsePrefix("10.65.0.0/16"), NextHop: netip.MustParseAddr("10.9.0.99")},
	{Prefix: netip.MustParsePrefix("2001:db8::/32"), NextHop: netip.MustParseAddr("fe80::1")},
}

// TestRouteNumbers: a route keeps its number for as long as the daemon lives, whatever becomes
// of it and of others.
func TestRouteNumbers(t *testing.T) {
	t.Parallel()
	d := fuzzed()
	d.ownLog(t)
	numbers := func() (all string) {
		for _, r := range d.routes {
			all += map[bool]string{true: "+", false: "-"}[r.granted] + strings.SplitN(r.To.String(), ".", 3)[1] + " "
		}
		return all
	}
	four := staticRoutes[:2]
	for _, tt := range []struct {
		routes []conf.Route
		want   string
	}{
		{nil, ""},
		{four, "+64 +65 "},
		{four, "+64 +65 "},
		{four[1:], "-64 +65 "},
		{nil, "-64 -65 "},
		{[]conf.Route{four[1], {Prefix: netip.MustParsePrefix("10.63.0.0/16"), NextHop: four[0].NextHop}, four[0]}, "+64 +65 +63 "},
	} {
		if d.setRoutes(tt.routes); numbers() != tt.want {
			t.Errorf("%v: %q, want %q", tt.routes, numbers(), tt.want)
		}
	}
}

// TestRouteMetric: where the configuration has no metric, IPv6 has a value, as the kernel lists
// it.
func TestRouteMetric(t *testing.T) {
	t.Parallel()
	d := fuzzed()
	d.ownLog(t)
	d.setRoutes(staticRoutes)
	for n, want := range []int{5, 0, defaultMetric6} {
		if got := d.routes[n].Metric; got != want {
			t.Errorf("%v: metric %d, want %d", d.routes[n].To, got, want)
		}
	}
}

// TestAsked: of a keeper, whatever it says, the parent takes a number that there is; it installs
// nothing that is not in the configuration, nor while nobody is Active.
func TestAsked(t *testing.T) {
	t.Parallel()
	d := fuzzed()
	d.ownLog(t)
	d.setRoutes(staticRoutes[:2])
	d.setRoutes(staticRoutes[1:])
	held := func(is bool) {
		for _, s := range present(d.slots) {
			s.held = is
		}
	}
	for _, tt := range []struct {
		request keeping.Request
		number  int
		active  bool
		want    error
	}{
		{keeping.Install, 3, true, logger.ErrForeign},
		{keeping.Remove, 3, true, logger.ErrForeign},
		{keeping.Reaches, 3, true, logger.ErrForeign},
		{keeping.Lose, 3, true, logger.ErrForeign},
		{keeping.Remove, -1, true, logger.ErrForeign},
		{keeping.Find + 1, 0, true, logger.ErrForeign},
		{keeping.Request(255), 0, true, logger.ErrForeign},
		{keeping.Install, 0, true, unix.EAGAIN},  // of a configuration before
		{keeping.Install, 1, false, unix.EAGAIN}, // nobody is Active
	} {
		held(tt.active)
		if err := d.Asked(keeping.Question{Request: tt.request, Number: tt.number}); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%v %d: %v, want %v", tt.request, tt.number, err, tt.want)
		}
	}
	for n, r := range d.routes {
		if r.installed {
			t.Errorf("route %d is in the ledger", n)
		}
	}
	d.routes = append(d.routes, staticRoute{Route: kernel.Route{To: staticRoutes[0].Prefix, Via: netip.MustParseAddr("198.51.100.1")}})
	d.routes[0].Via = d.slots[0].addrs[0].Addr
	if err := d.Asked(keeping.Question{Request: keeping.Reaches, Number: 0}); err != nil {
		t.Errorf("a next hop in the subnet of a virtual address: %v", err)
	}
	if err := d.Asked(keeping.Question{Request: keeping.Reaches, Number: 3}); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("a next hop that nobody reaches: %v", err)
	}
}

// TestLostRoute: where a route is lost all virtual routers hand over and wait, and no longer
// once it is found.
func TestLostRoute(t *testing.T) {
	t.Parallel()
	d, _, _ := besieged(t)
	d.ownLog(t)
	d.setRoutes(staticRoutes)
	if err := d.Asked(keeping.Question{Request: keeping.Lose, Number: 0}); err != nil {
		t.Fatal(err)
	}
	for _, s := range present(d.slots) {
		if s.held || s.ownership == 0 {
			t.Errorf("%s: held %v, %v", s.name, s.held, s.ownership)
		}
	}
	if err := d.Asked(keeping.Question{Request: keeping.Find, Number: 0}); err != nil {
		t.Fatal(err)
	}
	for _, s := range present(d.slots) {
		if !s.unequipped() && s.ownership != 0 {
			t.Errorf("%s waits: %v", s.name, s.ownership)
		}
	}
}

// TestRouteLink: a link-local next hop is on the interface of a virtual router that is Active in
// IPv6, and any other is where the kernel finds it.
func TestRouteLink(t *testing.T) {
	t.Parallel()
	d := fuzzed()
	d.ownLog(t)
	for i, s := range d.slots {
		if s != nil {
			s.held = i != 0
		}
	}
	for _, l := range d.links {
		l.index = 10 + int(l.id)
	}
	six := d.slots[2]
	for c, want := range map[conf.Route]int{staticRoutes[0]: 0, staticRoutes[2]: d.links[six.link].index} {
		if got := d.onLink(kernel.Route{To: c.Prefix, Via: c.NextHop}); got.Link != want || got.To != c.Prefix || got.Via != c.NextHop {
			t.Errorf("%v: %+v, want link %d", c, got, want)
		}
	}
}
