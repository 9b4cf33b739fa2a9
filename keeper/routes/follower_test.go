package routes

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"golang.org/x/sys/unix"
)

// world is a parent and a kernel that do what they are asked for, unless the script of a test
// says otherwise, and write down what that was.
type world struct {
	there   []Route
	foreign map[netip.Prefix]bool // in whose place another route is
	deaf    map[netip.Prefix]bool // whose next hop is out of reach
	routes  []keeping.Route
	broken  error // of the list
	refuses error // of the parent
	did     []string
	said    strings.Builder
}

func (w *world) note(what string, number int) {
	w.did = append(w.did, fmt.Sprintf("%s %d", what, number))
}

func (w *world) Install(number int) error {
	w.note("install", number)
	if w.refuses != nil {
		return w.refuses
	}
	r := &route{Route: w.routes[number]}
	switch {
	case w.foreign[r.To]:
		return unix.EEXIST
	case w.deaf[r.To]:
		return unix.ENETUNREACH
	}
	w.there = append(w.there, kernels(r.Route))
	return nil
}

func (w *world) Remove(number int) error {
	w.note("remove", number)
	if w.refuses != nil {
		return w.refuses
	}
	w.there = slices.DeleteFunc(w.there, (&route{Route: w.routes[number]}).is)
	return nil
}

func (w *world) Reaches(int) bool { return false }

func (w *world) Lose(number int) error { w.note("lose", number); return w.refuses }

func (w *world) Find() { w.did = append(w.did, "find") }

func (w *world) Routes() ([]Route, error) { return slices.Clone(w.there), w.broken }

func (w *world) OnLink(hop netip.Addr) bool {
	return !slices.ContainsFunc(w.routes, func(r keeping.Route) bool { return r.Via == hop && w.deaf[r.To] })
}

// kernels is a route as the kernel has it.
func kernels(r keeping.Route) Route { return Route{r.To, r.Via, r.Metric, r.MTU} }

// lines are what was logged, without times.
func (w *world) lines() (all []string) {
	for line := range strings.Lines(w.said.String()) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), "level=")
		all = append(all, rest)
	}
	w.said.Reset()
	return all
}

// start is a world with such routes, and their follower.
func start(prefixes ...string) (*world, *Follower) {
	w := &world{foreign: map[netip.Prefix]bool{}, deaf: map[netip.Prefix]bool{}}
	for i, p := range prefixes {
		via := netip.AddrFrom4([4]byte{10, 9, 0, byte(i + 1)})
		if netip.MustParsePrefix(p).Addr().Is6() {
			via = netip.MustParseAddr("2001:db8:9::1")
		}
		w.routes = append(w.routes, keeping.Route{Number: i, To: netip.MustParsePrefix(p), Via: via, Granted: true})
	}
	f := New(w, slog.New(slog.NewTextHandler(&w.said, nil)))
	f.Set(w.routes, w, false, 1)
	return w, f
}

// TestScripts: each story of static routes, step by step: what is done to the world, and what
// the follower has the parent do, and says.
func TestScripts(t *testing.T) {
	t.Parallel()
	const second = int64(time.Second)
	one, two := netip.MustParsePrefix("10.64.0.0/16"), netip.MustParsePrefix("2001:db8::/32")
	active := func(is bool) func(*world, *Follower) { return func(_ *world, f *Follower) { f.SetActive(is) } }
	type step struct {
		at   int64 // in seconds
		what func(*world, *Follower)
		did  string
		said string
	}
	installed := step{1, active(true), "install 0, install 1", "INFO msg=\"route installed\" route=10.64.0.0/16 nh=10.9.0.1; INFO msg=\"route installed\" route=2001:db8::/32 nh=2001:db8:9::1"}
	for name, script := range map[string][]step{
		"active and back": {
			{0, nil, "", ""}, installed, {2, nil, "", ""},
			{3, active(false), "remove 0, remove 1", ""}, {4, nil, "", ""},
		},
		"somebody removes one": {
			installed,
			{2, func(w *world, f *Follower) { w.there = w.there[1:]; f.Changed(2 * second) }, "", ""},
			{3, nil, "install 0", "WARN msg=\"put back a route that was gone\" route=10.64.0.0/16 nh=10.9.0.1 times=1"},
		},
		"with another MTU": {
			installed,
			{2, func(w *world, f *Follower) { w.there[0].MTU = 1300; f.Changed(second) }, "remove 0, install 0", "WARN msg=\"put back a route that was gone\" route=10.64.0.0/16 nh=10.9.0.1 times=1"},
		},
		"another in its place": {
			{1, func(w *world, f *Follower) { w.foreign[one] = true; f.SetActive(true) }, "install 0, install 1",
				"WARN msg=\"another route is in the place of ours, and stays\" route=10.64.0.0/16 metric=0; INFO msg=\"route installed\" route=2001:db8::/32 nh=2001:db8:9::1"},
			{2, func(w *world, f *Follower) { f.Changed(second) }, "install 0", ""}, // said once
			{3, func(w *world, f *Follower) { w.foreign[one] = false; f.Changed(2 * second) }, "install 0", "INFO msg=\"route installed\" route=10.64.0.0/16 nh=10.9.0.1"},
		},
		"lost, and found again": {
			installed,
			{2, func(w *world, f *Follower) { w.there, w.deaf[two] = w.there[:1], true; f.Changed(second) }, "install 1, lose 1", "ERROR msg=routes error=\"2001:db8::/32 via 2001:db8:9::1: network is unreachable\""},
			{3, active(false), "remove 0, remove 1", ""},
			{4, nil, "", ""}, {5, nil, "", ""}, // it is out of reach yet
			{6, func(w *world, _ *Follower) { w.deaf[two] = false }, "find", ""},
			{7, active(true), "install 0, install 1", "INFO msg=\"route installed\" route=10.64.0.0/16 nh=10.9.0.1; INFO msg=\"route installed\" route=2001:db8::/32 nh=2001:db8:9::1"},
		},
		"never there": { // somebody has to be Active
			{1, func(w *world, f *Follower) { w.deaf[one] = true; f.SetActive(true) }, "install 0, install 1",
				"ERROR msg=routes error=\"10.64.0.0/16 via 10.9.0.1: network is unreachable\"; INFO msg=\"route installed\" route=2001:db8::/32 nh=2001:db8:9::1"},
			{2, nil, "install 0", ""},
			{3, func(w *world, _ *Follower) { w.deaf[one] = false }, "install 0", "INFO msg=\"route installed\" route=10.64.0.0/16 nh=10.9.0.1"},
		},
		"taken over from a dead keeper": {
			{1, func(w *world, f *Follower) {
				for i := range w.routes {
					w.routes[i].Installed = true
					w.there = append(w.there, kernels(w.routes[i]))
				}
				*f = *New(w, f.log)
				f.Set(w.routes, w, false, second)
				f.SetActive(true)
			}, "", ""},
			{2, active(false), "remove 0, remove 1", ""},
		},
		"there already": {
			{1, func(w *world, f *Follower) {
				w.there = append(w.there, kernels(w.routes[1]))
				f.SetActive(true)
			}, "install 0", "INFO msg=\"route installed\" route=10.64.0.0/16 nh=10.9.0.1"},
		},
		"the wait of a dead keeper": {
			{1, func(w *world, f *Follower) {
				w.deaf[two] = true
				*f = *New(w, f.log)
				f.Set(w.routes, w, true, second)
			}, "", ""},
			{2, nil, "", ""},
			{3, func(w *world, _ *Follower) { w.deaf[two] = false }, "find", ""},
		},
		"the parent knows better": { // nobody is Active any more, which is on its way to us
			installed,
			{2, func(w *world, f *Follower) {
				w.there, w.refuses = nil, fmt.Errorf("refused: %w", unix.EAGAIN)
				f.Changed(second)
			}, "install 0", ""},
			{3, func(w *world, f *Follower) { w.refuses = nil; f.SetActive(false) }, "remove 0, remove 1", ""},
		},
		"one in the place of another": {
			installed,
			{2, func(w *world, f *Follower) {
				w.routes[0].Granted = false
				w.routes = append(w.routes, keeping.Route{Number: 2, To: one, Via: w.routes[0].Via, MTU: 1400, Granted: true})
				f.Set(w.routes, w, false, 2*second)
			}, "remove 0, install 2", "INFO msg=\"route installed\" route=10.64.0.0/16 nh=10.9.0.1"},
		},
		"a reload takes one away": {
			installed,
			{2, func(w *world, f *Follower) { w.routes[0].Granted = false; f.Set(w.routes, w, false, 2*second) }, "remove 0", ""},
			{3, active(false), "remove 1", ""},
		},
		"a reload takes all away": {
			installed,
			{2, func(w *world, f *Follower) {
				w.routes[0].Granted, w.routes[1].Granted = false, false
				f.Set(w.routes, w, false, 2*second)
			}, "remove 0, remove 1", ""},
			{3, active(false), "", ""},
		},
		"the list is broken": {
			{1, func(w *world, f *Follower) { w.broken = errors.New("broken"); f.SetActive(true) }, "", "ERROR msg=routes error=broken"},
			{2, nil, "", ""}, // said once
			{3, func(w *world, _ *Follower) { w.broken = nil }, installed.did, installed.said},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := start(one.String(), two.String())
			for i, s := range script {
				if s.what != nil {
					s.what(w, f)
				}
				w.did = nil
				now := s.at * second
				for range 3 { // what is due at once
					if f.Due() <= now {
						f.Turn(now)
					}
				}
				if got := strings.Join(w.did, ", "); got != s.did {
					t.Errorf("step %d: did %q, want %q", i+1, got, s.did)
				}
				if got := strings.Join(w.lines(), "; "); got != s.said {
					t.Errorf("step %d: said %s\nwant %s", i+1, got, s.said)
				}
			}
		})
	}
}

// TestIs: what makes a route ours is where it leads, through whom and its metric.
func TestIs(t *testing.T) {
	t.Parallel()
	four := keeping.Route{To: netip.MustParsePrefix("10.64.0.0/16"), Via: netip.MustParseAddr("10.9.0.99"), Metric: 5, MTU: 1400}
	six := keeping.Route{To: netip.MustParsePrefix("2001:db8::/32"), Via: netip.MustParseAddr("fe80::1"), Metric: 1024}
	all := keeping.Route{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.9.0.99")}
	as := func(to, hop string, metric int) Route {
		return Route{To: netip.MustParsePrefix(to), Via: netip.MustParseAddr(hop), Metric: metric}
	}
	for _, tt := range []struct {
		k    Route
		r    keeping.Route
		want bool
	}{
		{as("10.64.0.0/16", "10.9.0.99", 5), four, true},
		{as("10.64.0.0/16", "10.9.0.99", 6), four, false},
		{as("10.64.0.0/16", "10.9.0.98", 5), four, false},
		{as("10.64.0.0/17", "10.9.0.99", 5), four, false},
		{as("2001:db8::/32", "fe80::1", 1024), six, true},
		{as("2001:db8::/32", "fe80::1", 0), six, false},
		{as("0.0.0.0/0", "10.9.0.99", 0), all, true},
		{as("0.0.0.0/0", "10.9.0.99", 0), four, false},
	} {
		if got := (&route{Route: tt.r}).is(tt.k); got != tt.want {
			t.Errorf("%v for %v: %v", tt.k, tt.r, got)
		}
	}
}
