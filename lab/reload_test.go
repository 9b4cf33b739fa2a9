//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/lab"
)

// reloads is a configuration of many virtual routers at 300 ms.
func reloads(count, priority int, extra string) string {
	var b strings.Builder
	for i := range count {
		fmt.Fprintf(&b, "[[vrouter]]\ngroup = %d\ninterface = %q\nvip = \"10.9.0.%d/24\"\npriority = %d\npreemption = true\nversion = 3\niftype = \"macvlan\"\n"+timers3+"\n%s\n",
			i+1, lab.Interface, 21+i, priority, extra)
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
	type router struct {
		vrid int
		ipv6 bool
	}
	last := map[router]time.Time{}
	for _, f := range frames {
		if f.VRRP == nil {
			continue
		}
		r := router{f.VRRP.VRID, f.VRRP.Src.Is6()}
		if f.Port != n.Name || f.VRRP.Priority == 0 {
			t.Errorf("a role changed: %s", f)
			return
		}
		if before, seen := last[r]; seen && over(before, f.Time, interval3*3/2) {
			t.Errorf("VRID %d: no advertisement for %v", f.VRRP.VRID, f.Time.Sub(before))
		}
		last[r] = f.Time
	}
	if len(last) != count {
		t.Errorf("%d virtual routers advertise, want %d", len(last), count)
	}
}

// linesOf are those of a process with some words.
func linesOf(p *lab.Process, words string) []lab.Line {
	return slices.DeleteFunc(slices.Clone(p.From(0)), func(l lab.Line) bool { return !strings.Contains(l.Text, words) })
}

// planned holds what --plan says of the change below against what it is.
func planned(t *testing.T, file, changed string, added int) {
	t.Helper()
	next := filepath.Join(t.TempDir(), "next")
	if err := os.WriteFile(next, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(lab.Binary("rvrrpd"), "--plan", next, "-c", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var told []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasSuffix(line, " unchanged\n") {
			told = append(told, strings.Join(strings.Fields(line), " "))
		}
	}
	want := []string{`eth0/3/ipv4 updated: vip = ["10.9.0.23/24"] -> ["10.9.0.200/24"]`, "eth0/155/ipv4 new", fmt.Sprintf("eth0/%d/ipv4 new", added),
		"eth0/5/ipv4 will fail over: it is not in the new configuration"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

// TestReload: reloading changes what has changed and nothing else. Not in
// parallel: gaps are measured to half an interval.
func TestReload(t *testing.T) {
	count := lab.OfMany(100)
	l := lab.New(t)
	a := startReloaded(t, l.R1, reloads(count, high, ""))
	b := startReloaded(t, l.R2, reloads(count, low, ""))
	for i := range count {
		l.Tap.Await(0, 10*time.Second, "r1's advertisements", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.VRID == i+1 }))
	}
	b.AwaitLine(0, 5*time.Second, "ready")

	t.Log("nothing changed, again and again, on both")
	times, pace := 100, 100*time.Millisecond
	if lab.Emulated() {
		times, pace = 10, time.Second
	}
	mark := l.Tap.Len()
	loaded := func(r *reloaded) (n int) { return len(linesOf(r.Process, "configuration loaded")) }
	sent, tick := 0, time.NewTicker(pace)
	defer tick.Stop()
	for ; sent < times; <-tick.C {
		a.Signal(syscall.SIGHUP)
		b.Signal(syscall.SIGHUP)
		sent++
	}
	// One that comes while another is under way waits for its end, and several
	// are one then; but the last one is never lost.
	for _, r := range []*reloaded{a, b} {
		if !lab.Until(2*time.Second, func() bool { return loaded(r) == times }) && loaded(r) < times*9/10 {
			t.Errorf("%d reloads of %d", loaded(r), times)
		}
		t.Logf("%d reloads of %d", loaded(r), times)
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
	a.reload(strings.ReplaceAll(reloads(count, high+1, ""), timers3, fmt.Sprintf("timers = { advert = %v }", (interval3/2).Seconds())), "configuration loaded")
	l.Tap.Await(l.Tap.Len(), time.Second, "the new interval", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Inter == centiseconds(interval3/2) }))
	a.reload(reloads(count, high+1, ""), "configuration loaded")
	l.Tap.Await(l.Tap.Len(), time.Second, "the old interval", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Inter == centiseconds(interval3) }))

	t.Log("another address for one, one removed, one new")
	changed := strings.Replace(reloads(count+1, high+1, ""), "10.9.0.23/24", "10.9.0.200/24", 1)
	changed = strings.Replace(changed, "group = 5\n", "group = 155\n", 1)
	steady(t, l.Tap.From(mark), l.R1, count)
	planned(t, a.file, changed, count+1)
	mark = l.Tap.Len()
	a.reload(changed, "configuration loaded")
	is := func(vrid, priority int) func(lab.Frame) bool {
		return lab.From(l.R1, func(f lab.Frame) bool {
			return f.VRRP != nil && f.VRRP.VRID == vrid && f.VRRP.Priority == priority
		})
	}
	l.Tap.Await(mark, time.Second, "the goodbye of VRID 5", is(5, 0))
	l.Tap.Await(mark, 2*time.Second, "VRID 155", is(155, high+1))
	l.Tap.Await(mark, 2*time.Second, fmt.Sprintf("VRID %d", count+1), is(count+1, high+1))
	l.Tap.Await(mark, 2*time.Second, "r2's takeover of VRID 5", lab.From(l.R2, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.VRID == 5 }))
	moved := l.Tap.Await(mark, time.Second, "the new address", lab.From(l.R1, func(f lab.Frame) bool {
		return f.VRRP != nil && f.VRRP.VRID == 3 && slices.Contains(f.VRRP.Addrs, netip.MustParseAddr("10.9.0.200"))
	}))
	until := time.Now().Add(5 * interval3)
	l.Tap.Await(mark, 2*time.Second, "some more", func(f lab.Frame) bool { return f.VRRP != nil && f.Time.After(until) })
	steady(t, slices.DeleteFunc(slices.Clone(l.Tap.From(mark)), func(f lab.Frame) bool {
		return f.VRRP != nil && slices.Contains([]int{5, 155, count + 1}, f.VRRP.VRID)
	}), l.R1, count-1)
	if !lab.Until(time.Second, func() bool { return l.R1.Holds(moved.VRRP.Addrs[0]) }) || l.R1.Holds(netip.MustParseAddr("10.9.0.23")) {
		t.Error("the moved address is not where it belongs")
	}
	if status := a.Terminate(10 * time.Second); status != 0 {
		t.Errorf("status %d; it said\n%s", status, a.Output())
	}
}
