//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/lab"
)

// nextRelease builds the programs once more, as another release.
func nextRelease(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if prebuilt := lab.Prebuilt(); prebuilt != "" { // reading it there may take longer than what is measured
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(prebuilt, "next"))); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, "rvrrpd")
	}
	cmd := exec.Command("go", "build", "-o", dir, "-ldflags", "-X github.com/rvrrpd/rvrrpd/ipc.build=next -X github.com/rvrrpd/rvrrpd/ipc.release=next", "./cmd/...")
	cmd.Dir, cmd.Env = lab.Root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "rvrrpd")
}

// both are virtual routers over IPv4 and IPv6 at 300 ms with HMAC, two of each
// number, or the same in another order.
func both(count, priority int, reversed bool) string {
	ipv6 := "[[vrouter]]\ngroup = %d\ninterface = %q\nvip = [\"fe80::9:%x\", \"2001:db8:9::%x/64\"]\npriority = %d\npreemption = true\nversion = 3\niftype = \"macvlan\"\n" + timers3 + "\n" +
		"auth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 1\nmode = \"enforce\"\nanti_replay = \"monotonic\"\n[[vrouter.hmac.key]]\nid = 1\nvalue = %q\n"
	four, six := hmacConfig(count, priority, "enforce", 1, "1", "anti_replay = \"monotonic\"\n"), ""
	for i := range count {
		six += fmt.Sprintf(ipv6, i+1, lab.Interface, i+1, i+1, priority, key1)
	}
	if reversed {
		return six + four
	}
	return four + six
}

// TestHandover: another release takes the place of a daemon at 300 ms, and
// nobody on the LAN notices: the Backup hears no gap and no goodbye, devices
// and addresses stay where they are, and hosts are answered; whatever the
// order of the file has become meanwhile. Not beside other tests: what is
// measured is time.
func TestHandover(t *testing.T) {
	count := lab.OfMany(50) / 2 * 2
	last := fmt.Sprintf("10.9.0.%d", 20+count)
	devices := func(device string) func(int, bool) string {
		return func(priority int, _ bool) string {
			return strings.ReplaceAll(reloads(count, priority, ""), `"macvlan"`, `"`+device+`"`)
		}
	}
	want := map[string]string{}
	for i := range count {
		want[fmt.Sprintf("10.9.0.%d", 21+i)] = ""
	}
	mixed := map[string]string{}
	for i := range count / 2 {
		for _, ip := range []string{"10.9.0.%d", "fe80::9:%x", "2001:db8:9::%x"} {
			mixed[fmt.Sprintf(ip, i+map[bool]int{true: 1, false: 21}[strings.Contains(ip, ":")])] = ""
		}
	}
	for _, tt := range []struct {
		name string
		text func(priority int, reversed bool) string
		held map[string]string
		asks []string
	}{
		{"macvlan", devices("macvlan"), want, []string{"10.9.0.21", last}},
		{"ether", devices("ether"), want, []string{"10.9.0.21", last}},
		{"hmac", func(priority int, reversed bool) string { return both(count/2, priority, reversed) }, mixed, []string{"10.9.0.21", fmt.Sprintf("fe80::9:%x", count/2), "2001:db8:9::1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			next := nextRelease(t)
			before := l.R1.AtRest()
			state := "state_dir = " + strconv.Quote(t.TempDir()) + "\n"
			a := startReloaded(t, l.R1, state+tt.text(high, false))
			b := startReloaded(t, l.R2, "state_dir = "+strconv.Quote(t.TempDir())+"\n"+tt.text(low, false))
			b.AwaitLine(0, 5*time.Second, "ready")
			awaitAll(t, a.Process, 0, "backup->active", count, 10*time.Second)
			held, indexes := found(l.R1, tt.held), l.R1.Indexes()
			if len(held) != len(tt.held) {
				t.Fatalf("%d addresses", len(held))
			}
			settled := func() bool {
				return len(linesOf(b.Process, "backup->active")) == len(linesOf(b.Process, "active->backup"))
			}
			if !lab.Until(10*time.Second, settled) { // the two start at the same time
				t.Fatalf("the Backup stays Active:\n%s", b.Output())
			}
			heard := b.Len()
			a.write(state + tt.text(high, true))
			mark, begin := l.Tap.Len(), time.Now()
			a.Signal(syscall.SIGUSR2)
			if status := a.AwaitExit(5 * time.Second); status != 0 {
				t.Fatalf("status %d; it said\n%s", status, a.Output())
			}
			ended := time.Since(begin)
			c := l.R1.Start(next, "-m1", "-c", a.file)
			c.AwaitLine(0, 5*time.Second, fmt.Sprintf("taken over from the daemon before.*routers=%d active=%d", count, count))
			c.AwaitLine(0, 5*time.Second, `network process confined`)
			t.Logf("the old one has ended after %v, the new one is ready after %v", ended, time.Since(begin))
			replaced(t, l, mark, count, c)
			if diff := cmp.Diff(held, found(l.R1, tt.held)); diff != "" {
				t.Errorf("addresses (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(indexes, l.R1.Indexes()); diff != "" {
				t.Errorf("devices (-before +after):\n%s", diff)
			}
			for _, ask := range tt.asks {
				ip := netip.MustParseAddr(ask)
				if ip.Is4() && len(l.WhoHas(ip)) != 1 || ip.Is6() && len(l.Solicit(ip)) != 1 {
					t.Errorf("%v: not one answer", ip)
				}
			}
			if b.Said(heard, "backup->active") || b.Said(0, "packets dropped") {
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

// replaced waits for advertisements of a daemon that has taken the place of
// another, and checks that from a mark on nobody else advertised, and none of
// the virtual routers said goodbye.
func replaced(t *testing.T, l *lab.Lab, mark, count int, p *lab.Process) {
	t.Helper()
	type router struct {
		vrid int
		ipv6 bool
	}
	until := time.Now().Add(5 * interval3)
	l.Tap.Await(mark, 2*time.Second, "the new one's advertisements", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.Time.After(until) }))
	last, longest := map[router]time.Time{}, time.Duration(0)
	for _, f := range l.Tap.From(mark) {
		if f.VRRP == nil {
			continue
		}
		if f.Port != l.R1.Name || f.VRRP.Priority != high {
			t.Fatalf("a role changed: %s\nthe new one said\n%s", f, p.Output())
		}
		r := router{f.VRRP.VRID, f.VRRP.Src.Is6()}
		if before, seen := last[r]; seen {
			longest = max(longest, f.Time.Sub(before))
		}
		last[r] = f.Time
	}
	t.Logf("the longest gap between two advertisements was %v, of an Active_Down_Interval of %v", longest, lab.Router{Version: 3, Interval: interval3, Priority: low}.ActiveDown())
	if len(last) != count {
		t.Errorf("%d virtual routers advertise", len(last))
	}
}

// TestHandoverRefused: with a configuration that the next daemon would refuse
// there is no handover but an orderly end; what only the walls of this one
// keep from it is for the next one.
func TestHandoverRefused(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	before := l.R1.AtRest()
	b := startReloaded(t, l.R2, reloads(1, low, ""))
	a := startReloaded(t, l.R1, reloads(1, high, ""))
	a.AwaitLine(0, 10*time.Second, "backup->active")
	a.write("[[vrouter]]\ngroup = 300\n")
	mark := l.Tap.Len()
	a.Signal(syscall.SIGUSR2)
	if status := a.AwaitExit(5 * time.Second); status != 0 || !a.Said(0, "cannot hand over to the next daemon: stopping instead.*300 is out of range") {
		t.Errorf("status %d; it said\n%s", status, a.Output())
	}
	l.Tap.Await(mark, time.Second, "the goodbye", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Priority == 0 }))
	b.AwaitLine(0, time.Second, "backup->active")
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}

	a = startReloaded(t, l.R1, reloads(1, high, ""))
	a.AwaitLine(0, 10*time.Second, "backup->active")
	elsewhere := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(elsewhere, []byte(key1), 0o600); err != nil {
		t.Fatal(err)
	}
	a.write(strings.ReplaceAll(hmacConfig(1, high, "permissive", 1, "1", ""), key1, "file:"+elsewhere))
	a.Signal(syscall.SIGUSR2)
	a.AwaitExit(5 * time.Second)
	c := l.R1.Start(lab.Binary("rvrrpd"), "-m1", "-c", a.file)
	c.AwaitLine(0, 5*time.Second, "taken over from the daemon before.*routers=1 active=1")
	c.Terminate(5 * time.Second)
}

// TestHandoverToNobody: if the next daemon comes too late, the addresses have
// fallen silent and a peer has them; it begins as Backup and gives back what
// was left. If its configuration is another, what it does not have any more
// goes.
func TestHandoverToNobody(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	before := l.R1.AtRest()
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
	// Settings of the interface are looked at each second.
	for range 5 {
		l.Tap.Await(l.Tap.Len(), time.Second, "r2's next advertisement", lab.From(l.R2, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.VRID == 1 }))
	}
	left := map[string]string{"10.9.0.21": "", "10.9.0.22": ""}
	if !lab.Until(5*time.Second, func() bool { return len(found(l.R1, left)) <= 1 }) { // 3 may be Active by now
		t.Errorf("it holds %v; it said\n%s", found(l.R1, left), c.Output())
	}
	c.Terminate(5 * time.Second)
	if c.Said(0, "somebody else") {
		t.Errorf("it blames somebody else for what it has swept itself:\n%s", c.Output())
	}
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}
