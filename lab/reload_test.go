//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// reloads is a configuration of many virtual routers at 100 ms.
func reloads(count, priority int, extra string) string {
	var b strings.Builder
	for i := range count {
		fmt.Fprintf(&b, "[[vrouter]]\ngroup = %d\ninterface = %q\nvip = \"10.9.0.%d/24\"\npriority = %d\npreemption = true\nversion = 3\niftype = \"macvlan\"\ntimers = { advert = 0.1 }\n%s\n",
			i+1, lab.Interface, 101+i, priority, extra)
	}
	return b.String()
}

// reloaded is rvrrpd with a configuration that changes.
type reloaded struct {
	*lab.Process
	t    *testing.T
	file string
}

func startReloaded(t *testing.T, n *lab.Node, text string) *reloaded {
	t.Helper()
	r := &reloaded{t: t, file: filepath.Join(t.TempDir(), "conf")}
	r.write(text)
	r.Process = n.Start(lab.Binary("rvrrpd"), "-m1", "-c", r.file)
	return r
}

func (r *reloaded) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// reload loads a configuration and waits for the word that it did, or did not.
func (r *reloaded) reload(text, word string) {
	r.t.Helper()
	r.write(text)
	mark := r.Len()
	r.Signal(syscall.SIGHUP)
	r.AwaitLine(mark, 5*time.Second, word)
}

// steady checks that each virtual router of a node, and nobody else,
// advertised from a mark on, without a gap above one and a half intervals.
func steady(t *testing.T, frames []lab.Frame, n *lab.Node, count int) {
	t.Helper()
	last := map[int]time.Time{}
	for _, f := range frames {
		if f.VRRP == nil {
			continue
		}
		if f.Port != n.Name || f.VRRP.Priority == 0 {
			t.Errorf("a role changed: %s", f)
			return
		}
		if before, seen := last[f.VRRP.VRID]; seen && f.Time.Sub(before) > interval3*3/2 {
			t.Errorf("VRID %d: no advertisement for %v", f.VRRP.VRID, f.Time.Sub(before))
		}
		last[f.VRRP.VRID] = f.Time
	}
	if len(last) != count {
		t.Errorf("%d virtual routers advertise, want %d", len(last), count)
	}
}

// TestReload: reloading changes what has changed and nothing else. Not in
// parallel: gaps are measured to half an interval.
func TestReload(t *testing.T) {
	const count = 20
	l := lab.New(t)
	a := startReloaded(t, l.R1, reloads(count, high, ""))
	b := startReloaded(t, l.R2, reloads(count, low, ""))
	for i := range count {
		l.Tap.Await(0, 10*time.Second, "r1's advertisements", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.VRID == i+1 }))
	}
	b.AwaitLine(0, 5*time.Second, "ready")

	t.Log("nothing changed, ten times a second, on both")
	mark := l.Tap.Len()
	until := time.Now().Add(3 * time.Second)
	for tick := time.Tick(100 * time.Millisecond); time.Now().Before(until); <-tick {
		a.Signal(syscall.SIGHUP)
		b.Signal(syscall.SIGHUP)
	}
	steady(t, l.Tap.From(mark), l.R1, count)

	t.Log("a bad file")
	mark = l.Tap.Len()
	a.reload(reloads(count, 300, ""), "reload refused, nothing has changed.*300 is out of range")
	a.reload("[[vrouter", "reload refused, nothing has changed.*TOML syntax")

	t.Log("another priority")
	a.reload(reloads(count, high+1, ""), "configuration loaded")
	l.Tap.Await(mark, time.Second, "the new priority", lab.AdvertOf(l.R1, high+1))

	t.Log("another interval: both learn it")
	a.reload(strings.ReplaceAll(reloads(count, high+1, ""), "advert = 0.1", "advert = 0.05"), "configuration loaded")
	l.Tap.Await(l.Tap.Len(), time.Second, "the new interval", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Inter == 5 }))
	a.reload(reloads(count, high+1, ""), "configuration loaded")
	l.Tap.Await(l.Tap.Len(), time.Second, "the old interval", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Inter == 10 }))

	t.Log("another address for one, one removed, one new")
	changed := strings.Replace(reloads(count+1, high+1, ""), "10.9.0.103/24", "10.9.0.200/24", 1)
	changed = strings.Replace(changed, "group = 5\n", "group = 55\n", 1)
	steady(t, l.Tap.From(mark), l.R1, count)
	mark = l.Tap.Len()
	a.reload(changed, "configuration loaded")
	is := func(vrid, priority int) func(lab.Frame) bool {
		return lab.From(l.R1, func(f lab.Frame) bool {
			return f.VRRP != nil && f.VRRP.VRID == vrid && f.VRRP.Priority == priority
		})
	}
	l.Tap.Await(mark, time.Second, "the goodbye of VRID 5", is(5, 0))
	l.Tap.Await(mark, 2*time.Second, "VRID 55", is(55, high+1))
	l.Tap.Await(mark, 2*time.Second, "VRID 21", is(21, high+1))
	l.Tap.Await(mark, 2*time.Second, "r2's takeover of VRID 5", lab.From(l.R2, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.VRID == 5 }))
	moved := l.Tap.Await(mark, time.Second, "the new address", lab.From(l.R1, func(f lab.Frame) bool {
		return f.VRRP != nil && f.VRRP.VRID == 3 && slices.Contains(f.VRRP.Addrs, netip.MustParseAddr("10.9.0.200"))
	}))
	for _, f := range l.Tap.From(mark) {
		if f.VRRP != nil && f.VRRP.VRID != 5 && f.VRRP.VRID != 55 && f.VRRP.VRID != 21 && (f.Port != l.R1.Name || f.VRRP.Priority == 0) {
			t.Errorf("a role changed: %s", f)
		}
	}
	if !lab.Until(time.Second, func() bool { return l.R1.Holds(moved.VRRP.Addrs[0]) }) || l.R1.Holds(netip.MustParseAddr("10.9.0.103")) {
		t.Error("the moved address is not where it belongs")
	}
	if status := a.Terminate(10 * time.Second); status != 0 {
		t.Errorf("status %d; it said\n%s", status, a.Output())
	}
}
