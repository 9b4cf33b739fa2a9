//go:build lab

package lab_test

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/lab"
)

// nextRelease builds both programs once more, as another release.
func nextRelease(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", dir, "-ldflags", "-X github.com/rvrrpd/rvrrpd/ipc.build=next -X github.com/rvrrpd/rvrrpd/ipc.release=next", "./cmd/...")
	cmd.Dir, cmd.Env = lab.Root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "rvrrpd")
}

// heldOn lists the virtual addresses of a node with the device each is on.
func heldOn(n *lab.Node) map[netip.Addr]string {
	held := map[netip.Addr]string{}
	for device := range n.Links() {
		for _, a := range n.Addresses(device) {
			if a.Is4() && a.As4()[3] >= 21 {
				held[a] = device
			}
		}
	}
	return held
}

// TestHandover: another release takes the place of a daemon at 100 ms, and
// nobody on the LAN notices: the Backup hears no gap and no goodbye, devices
// and addresses stay where they are, and hosts are answered. Not in parallel:
// what is measured is time.
func TestHandover(t *testing.T) {
	const count = 50
	for _, device := range []string{"macvlan", "ether"} {
		t.Run(device, func(t *testing.T) {
			l := lab.New(t)
			next := nextRelease(t)
			before := l.R1.Snapshot()
			text := func(priority int) string {
				return strings.ReplaceAll(reloads(count, priority, ""), `"macvlan"`, `"`+device+`"`)
			}
			a := startReloaded(t, l.R1, text(high))
			b := startReloaded(t, l.R2, text(low))
			b.AwaitLine(0, 5*time.Second, "ready")
			for i := range count {
				l.Tap.Await(0, 10*time.Second, "r1's advertisements", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.VRID == i+1 }))
			}
			held, indexes := heldOn(l.R1), l.R1.Indexes()
			if len(held) != count {
				t.Fatalf("%d addresses", len(held))
			}
			mark, begin := l.Tap.Len(), time.Now()
			a.Signal(syscall.SIGUSR2)
			if status := a.AwaitExit(5 * time.Second); status != 0 {
				t.Fatalf("status %d; it said\n%s", status, a.Output())
			}
			ended := time.Since(begin)
			c := l.R1.Start(next, "-m1", "-c", a.file)
			c.AwaitLine(0, 5*time.Second, `taken over from the daemon before.*routers=50 active=50`)
			c.AwaitLine(0, 5*time.Second, `network process confined`)
			t.Logf("the old one has ended after %v, the new one is ready after %v", ended, time.Since(begin))
			quiet := l.Tap.Len()
			l.Tap.Await(quiet, time.Second, "the new one's advertisements", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil }))
			time.Sleep(5 * interval3) // a window in which nothing must happen
			last, longest := map[int]time.Time{}, time.Duration(0)
			for _, f := range l.Tap.From(mark) {
				if f.VRRP == nil {
					continue
				}
				if f.Port != l.R1.Name || f.VRRP.Priority != high {
					t.Fatalf("a role changed: %s\nthe new one said\n%s", f, c.Output())
				}
				if before, seen := last[f.VRRP.VRID]; seen {
					longest = max(longest, f.Time.Sub(before))
				}
				last[f.VRRP.VRID] = f.Time
			}
			t.Logf("the longest gap between two advertisements was %v, of an Active_Down_Interval of %v", longest, lab.Router{Version: 3, Interval: interval3, Priority: low}.ActiveDown())
			if len(last) != count {
				t.Errorf("%d virtual routers advertise", len(last))
			}
			if diff := cmp.Diff(held, heldOn(l.R1), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("addresses (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(indexes, l.R1.Indexes()); diff != "" {
				t.Errorf("devices (-before +after):\n%s", diff)
			}
			for _, ip := range []netip.Addr{netip.MustParseAddr("10.9.0.21"), netip.MustParseAddr("10.9.0.70")} {
				if answers := l.WhoHas(ip); len(answers) != 1 {
					t.Errorf("%v: %v", ip, answers)
				}
			}
			if b.Said(0, "backup->active") {
				t.Errorf("the Backup said\n%s", b.Output())
			}
			b.Terminate(5 * time.Second)
			if status := c.Terminate(10 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, c.Output())
			}
			if diff := before.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
		})
	}
}

// TestHandoverToNobody: if the next daemon comes too late, the addresses have
// fallen silent and a peer has them; it begins as Backup and gives back what
// was left. If its configuration is another, what it does not have any more
// goes.
func TestHandoverToNobody(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	before := l.R1.Snapshot()
	a := startReloaded(t, l.R1, reloads(2, high, ""))
	b := startReloaded(t, l.R2, reloads(2, low, ""))
	for i := range 2 {
		l.Tap.Await(0, 10*time.Second, "r1's advertisements", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.VRID == i+1 }))
	}
	b.AwaitLine(0, 5*time.Second, "ready")
	a.Signal(syscall.SIGUSR2)
	a.AwaitExit(5 * time.Second)
	b.AwaitLine(0, 5*time.Second, "backup->active")
	b.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/1/")
	var answers []lab.Answer
	if !lab.Until(5*time.Second, func() bool { answers = l.WhoHas(netip.MustParseAddr("10.9.0.21")); return len(answers) > 0 }) || len(answers) != 1 {
		t.Errorf("not one answers: %v", answers)
	}
	a.write(strings.Replace(reloads(2, 50, ""), "group = 2\n", "group = 3\n", 1))
	c := l.R1.Start(lab.Binary("rvrrpd"), "-m1", "-c", a.file)
	c.AwaitLine(0, 5*time.Second, "taken over from the daemon before.*routers=1 ")
	c.AwaitLine(0, 5*time.Second, "initialize->backup vr=eth0/1/")
	if !lab.Until(5*time.Second, func() bool { return len(heldOn(l.R1)) <= 1 }) { // 3 may be Active by now
		t.Errorf("it holds %v; it said\n%s", heldOn(l.R1), c.Output())
	}
	c.Terminate(5 * time.Second)
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}
