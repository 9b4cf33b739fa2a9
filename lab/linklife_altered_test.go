//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// alterations are what a virtual router goes on through.
var alterations = []struct {
	name string
	do   func(v *victim)
	// source is the address that advertisements come from afterwards, "" for
	// the same as before.
	source4, source6 string
	leaves           bool // for a moment
}{
	{"MTU", func(v *victim) { v.Node.IP("link set eth0 mtu 1400") }, "", "", false},
	{"hardware address", func(v *victim) { v.Node.IP("link set eth0 address 02:00:00:00:09:77") }, "", "", false},
	{"primary address, new one first", func(v *victim) {
		if v.router.IPv6 {
			v.Node.IP("addr add fe80::77/64 dev eth0 nodad")
		} else {
			v.Node.IP("addr add 10.9.0.77/25 brd + dev eth0")
		}
		v.Node.IP("addr del " + v.own() + " dev eth0")
	}, "10.9.0.77", "fe80::77", false},
	{"primary address, old one first", func(v *victim) {
		v.Node.IP("addr del " + v.own() + " dev eth0")
		if v.router.IPv6 {
			v.Node.IP("addr add fe80::77/64 dev eth0 nodad")
		} else {
			v.Node.IP("addr add 10.9.0.77/24 brd + dev eth0")
		}
	}, "10.9.0.77", "fe80::77", true},
	{"bridge, which the kernel refuses", func(v *victim) {
		v.Node.IP("link add br9 type bridge", "link set br9 up")
		if out, err := exec.Command("ip", "-n", v.Namespace, "link", "set", "eth0", "master", "br9").CombinedOutput(); err == nil {
			v.Errorf("a bridge takes an interface with a macvlan: %s", out)
		}
		v.Node.IP("link del br9")
	}, "", "", false},
}

// TestAlteredLink: what is done to an interface that stays usable changes no
// role, or only for the moment without an address; frames keep the virtual
// MAC, and come from the address that is there.
func TestAlteredLink(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		for _, c := range alterations {
			for _, who := range []string{"r1", "r2"} {
				t.Run(fmt.Sprintf("%s, %s, %s", family.name, c.name, who), func(t *testing.T) {
					t.Parallel()
					v := newVictim(t, family.router, who)
					a, b := v.run(t)
					from1, from2, seen := a.Len(), b.Len(), v.Tap.Len()
					c.do(v)
					if c.leaves && who == "r1" { // to Active again, if it left
						lab.Until(2*time.Second, func() bool { return a.Said(from1, "backup->active") })
					}
					awaitAdverts(v.Lab, v.R1, family.router, 10)
					holdsAll(t, v.Lab, v.R1, family.router)
					answers(t, v.Lab, v.R1, family.router)
					if !c.leaves && (a.Said(from1, "->") || b.Said(from2, "->")) {
						t.Errorf("a role changed; r1 said\n%sr2 said\n%s", a.Output(), b.Output())
					}
					settled := v.Tap.Len()
					awaitAdverts(v.Lab, v.R1, family.router, 5)
					alone(t, v.Tap.From(settled), v.R1, time.Time{})
					leaves := 0
					for _, f := range lab.Select(v.Tap.From(seen), lab.From(v.R1, func(f lab.Frame) bool { return f.VRRP != nil })) {
						if f.Src != v.router.MAC() {
							t.Errorf("not from the virtual MAC: %s", f)
						}
						if f.VRRP.Priority == 0 {
							leaves++
						}
					}
					if leaves > 0 && (!c.leaves || who == "r2") || leaves > 1 {
						t.Errorf("r1 said goodbye %d times", leaves)
					}
					want := c.source4
					if family.router.IPv6 {
						want = c.source6
					}
					if want == "" || who == "r2" {
						want, _, _ = strings.Cut((&victim{Node: v.R1, router: v.router}).own(), "/")
					}
					if last := awaitAdverts(v.Lab, v.R1, family.router, 1); last.VRRP.Src.String() != want {
						t.Errorf("advertises from %v, want %s", last.VRRP.Src, want)
					}
					if complained(a, 0) || complained(b, 0) {
						t.Errorf("r1 said\n%sr2 said\n%s", a.Output(), b.Output())
					}
				})
			}
		}
	}
}

// TestOverrunWhileAway: what happens while the kernel's reports find no room
// is not lost. The daemon is stopped so that they really find none.
func TestOverrunWhileAway(t *testing.T) {
	t.Parallel()
	v := newVictim(t, lab.Router{Kind: lab.Rvrrpd, Version: 3}, "r1")
	a, b := v.run(t)
	v.Node.IP("link add other type bridge")
	var burst []string
	for i := range 2000 {
		verb := []string{"up", "down"}[i%2]
		burst = append(burst, "link set other "+verb)
	}

	t.Log("nothing of ours among them")
	from1, from2 := a.Len(), b.Len()
	v.overrun(t, a, burst...)
	awaitAdverts(v.Lab, v.R1, v.router, 2)
	if a.Said(from1, "->") || b.Said(from2, "->") || complained(a, 0) || complained(b, 0) {
		t.Errorf("r1 said\n%sr2 said\n%s", a.Output(), b.Output())
	}

	t.Log("our address at the end of them")
	v.overrun(t, a, append(slices.Clone(burst), "addr flush dev eth0")...)
	a.AwaitLine(from1, 2*time.Second, "active->initialize.*reason=link-down")
	v.overrun(t, a, append(slices.Clone(burst), "addr add "+v.own()+" brd + dev eth0")...)
	a.AwaitLine(from1, 2*time.Second, "initialize->backup.*reason=startup")
	a.AwaitActive(from1)
	holdsAll(t, v.Lab, v.R1, v.router)
}

// overrun runs commands while the daemon cannot look, and checks that it has
// missed something.
func (v *victim) overrun(t *testing.T, d *lab.Daemon, commands ...string) {
	t.Helper()
	lost := missed(t, d.PID)
	signal(t, syscall.SIGSTOP, d.PID)
	v.Node.IP(commands...)
	signal(t, syscall.SIGCONT, d.PID)
	if now := missed(t, d.PID); now == lost {
		t.Errorf("no report was lost, still %d: this shows nothing", now)
	}
}

// missed is how many reports of the kernel the process's namespace has lost.
func missed(t *testing.T, pid int) (n int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/netlink", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 9 {
			drops, _ := strconv.Atoi(f[8])
			n += drops
		}
	}
	return n
}
