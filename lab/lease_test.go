//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestNothingAnswersTwice: whatever becomes of the Active's processes, once
// the other has taken over its addresses answer neither ARP nor neighbor
// discovery nor packets any more, and the next start removes what is left.
func TestNothingAnswersTwice(t *testing.T) {
	t.Parallel()
	stop := func(pids ...int) {
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGSTOP)
		}
	}
	for _, tt := range []struct {
		name string
		do   func(d *lab.Daemon)
	}{
		{"both killed", func(d *lab.Daemon) { d.Kill() }},
		{"parent killed", func(d *lab.Daemon) { d.Signal(syscall.SIGKILL) }},
		{"both stopped", func(d *lab.Daemon) { stop(d.PID, d.Child()) }},
		{"parent stopped", func(d *lab.Daemon) { stop(d.PID) }},
		{"child stopped", func(d *lab.Daemon) { stop(d.Child()) }},
	} {
		goesOn := strings.HasSuffix(tt.name, "stopped")
		for _, r := range []lab.Router{
			{Kind: lab.Rvrrpd, Version: 3, Interval: interval3},
			{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, IPv6: true},
			{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, OnInterface: true},
			{Kind: lab.Rvrrpd, Version: 2},
			{Kind: lab.Rvrrpd, Version: 3, IPv6: true},
			{Kind: lab.Rvrrpd, Version: 2, OnInterface: true},
			{Kind: lab.Rvrrpd, Version: 3, IPv6: true, OnInterface: true},
		} {
			t.Run(fmt.Sprintf("%s, version %d, %v, IPv6 %v, on the interface %v", tt.name, r.Version, r.AdverInterval(), r.IPv6, r.OnInterface), func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				l.Client.IP("addr add 2001:db8:9::9/64 dev " + lab.Interface + " nodad")
				forward(l.R1) // or else it does not answer as a router
				forward(l.R2)
				from, to := r, r
				from.Priority, to.Priority = high, low
				a := l.R1.Run(from)
				l.Tap.Await(0, from.ActiveDown()+10*time.Second, "r1's advertisement", advertisement(l.R1))
				l.R2.Run(to).AwaitBackup()
				awaitAdverts(l, l.R1, from, 2)
				answers(t, l, l.R1, r)
				if !accepts(t, l, r.VIPs()[0]) {
					t.Error("the Active does not answer")
				}
				// Another interface does not take what is for an IPv6 address.
				direct := r.OnInterface || !r.IPv6
				if direct && !acceptsAt(t, l, l.R1, r.VIPs()[len(r.VIPs())-1]) {
					t.Error("the Active does not answer at its own MAC address") // nor could it be seen below
				}
				seen := l.Tap.Len()
				family := []int{a.PID, a.Child()}
				tt.do(a)
				l.Tap.Await(seen, to.ActiveDown()+2*time.Second, "r2's takeover", advertisement(l.R2))
				for _, vip := range r.VIPs() {
					var got []lab.Answer
					// The first to ask may be quicker than r2 with its addresses.
					if !lab.Until(time.Second, func() bool {
						if got = l.WhoHas(vip); r.IPv6 {
							got = neighbors(t, l, vip, r)
						}
						if slices.ContainsFunc(got, func(a lab.Answer) bool { return a.From == l.R1.Name }) {
							t.Errorf("who has %v: %v", vip, got)
						}
						return len(got) == 1 && got[0].From == l.R2.Name
					}) {
						t.Errorf("who has %v: %v, want r2 alone", vip, got)
					}
				}
				if !accepts(t, l, r.VIPs()[0]) {
					t.Error("the new Active does not answer")
				}
				for taken := time.Now(); direct && time.Since(taken) < time.Second; {
					if vip := r.VIPs()[len(r.VIPs())-1]; acceptsAt(t, l, l.R1, vip) {
						t.Fatalf("r1 still answers as %v, %v after the takeover", vip, time.Since(taken))
					}
				}
				if !goesOn {
					return
				}
				signal(t, syscall.SIGCONT, family...)
				vip := r.VIPs()[0]
				var got []lab.Answer
				if !lab.Until(from.ActiveDown()+5*time.Second, func() bool { // it has the higher priority
					if got = l.WhoHas(vip); r.IPv6 {
						got = neighbors(t, l, vip, r)
					}
					return len(got) == 1 && got[0].From == l.R1.Name
				}) {
					t.Errorf("r1 goes on; who has %v: %v; it said\n%s", vip, got, a.Output())
				}
			})
		}
	}
}

// acceptsAt says whether a node answers packets to an address that are sent
// to the MAC address of its own interface, whoever has the address.
func acceptsAt(t *testing.T, l *lab.Lab, n *lab.Node, ip netip.Addr) bool {
	t.Helper()
	neighbor := fmt.Sprintf("%v dev %s", ip, lab.Interface)
	l.Client.IP("neigh replace " + neighbor + " lladdr " + n.MAC + " nud permanent")
	defer l.Client.IP("neigh del " + neighbor)
	return acceptsWithin(t, l, ip, 1) // what it passes on is not its answer
}

// TestBackupHears: a Backup that itself talks to a virtual address learns from
// the announcement where that is now; its own lease does not make it deaf.
func TestBackupHears(t *testing.T) {
	t.Parallel()
	for _, r := range []lab.Router{
		{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, OnInterface: true},
		{Kind: lab.Rvrrpd, Version: 3, Interval: interval3},
		{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, OnInterface: true, IPv6: true},
	} {
		t.Run(fmt.Sprintf("IPv6 %v, on the interface %v", r.IPv6, r.OnInterface), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			l.Client.IP("addr add 2001:db8:9::9/64 dev " + lab.Interface + " nodad")
			first, second, third := r, r, r
			first.Priority, second.Priority, third.Priority = high, low, low/2
			a := l.R1.Run(first)
			a.AwaitActive(0)
			l.R2.Run(second).AwaitBackup()
			l.Client.Run(third).AwaitBackup()
			vip := r.VIPs()[0]
			if !accepts(t, l, vip) {
				t.Fatal("the Active does not answer")
			}
			knows := func(n *lab.Node) bool {
				mac := r.MAC()
				if r.OnInterface {
					mac = n.MAC
				}
				out, err := exec.Command("ip", "-n", l.Client.Namespace, "neigh", "show", vip.String(), "dev", lab.Interface).CombinedOutput()
				if err != nil {
					t.Fatalf("neigh: %v: %s", err, out)
				}
				return strings.Contains(string(out), mac)
			}
			if !knows(l.R1) {
				t.Fatal("the Backup does not know the Active's MAC address")
			}
			a.Kill()
			if !lab.Until(second.ActiveDown()+2*time.Second, func() bool { return knows(l.R2) }) {
				t.Error("the Backup has not heard of the new Active")
			}
		})
	}
}

// TestLifetimes: with lease = "lifetime" the kernel removes the addresses.
func TestLifetimes(t *testing.T) {
	t.Parallel()
	for _, r := range []lab.Router{{}, {IPv6: true}, {OnInterface: true}, {OnInterface: true, IPv6: true}} {
		t.Run(fmt.Sprintf("IPv6 %v, on the interface %v", r.IPv6, r.OnInterface), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			r.Kind, r.Version, r.Priority = lab.Rvrrpd, 3, high
			a := runText(t, l.R1, "lease = \"lifetime\"\n"+r.Configuration(""))
			a.AwaitLine(0, 10*time.Second, "backup->active")
			for range 5 { // it lives longer than its lifetime
				awaitAdverts(l, l.R1, r, 1)
				for _, vip := range r.VIPs() {
					if !l.R1.Holds(vip) {
						t.Fatalf("%v is gone; it said\n%s", vip, a.Output())
					}
				}
			}
			a.Kill()
			if r.IPv6 && r.OnInterface {
				l.R1.Owes("the kernel removes the route to the prefix some time after the address")
			}
			killed := time.Now()
			if !lab.Until(5*time.Second, func() bool { return !l.R1.Holds(r.VIPs()[0]) && !l.R1.Holds(r.VIPs()[len(r.VIPs())-1]) }) {
				t.Fatal("the addresses stay")
			}
			if over(killed, time.Now(), 3300*time.Millisecond) {
				t.Errorf("the addresses went after %v", time.Since(killed))
			}
			if said := a.Output(); strings.Contains(said, "put back") {
				t.Errorf("it said\n%s", said)
			}
		})
	}
}

// TestSecondLine: whoever flushes nftables after a death, or while the daemon
// hangs, makes the addresses answer again for some seconds at the most: then the
// kernel removes them. They stay while the daemon runs; one that hung says that
// it has put them back.
func TestSecondLine(t *testing.T) {
	t.Parallel()
	const life = 15 * time.Second
	for _, killed := range []bool{true, false} {
		for _, r := range []lab.Router{{}, {IPv6: true}, {OnInterface: true}, {OnInterface: true, IPv6: true}} {
			t.Run(fmt.Sprintf("killed %v, IPv6 %v, on the interface %v", killed, r.IPv6, r.OnInterface), func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				l.Client.IP("addr add 2001:db8:9::9/64 dev " + lab.Interface + " nodad")
				forward(l.R1)
				r.Kind, r.Version, r.Priority, r.Interval = lab.Rvrrpd, 3, high, interval3
				a := l.R1.Run(r)
				a.AwaitActive(0)
				awaitAdverts(l, l.R1, r, 2) // with the first after the takeover they get their lifetime
				vip := r.VIPs()[0]
				held := func() bool { return l.R1.Holds(vip) || l.R1.Holds(r.VIPs()[len(r.VIPs())-1]) }
				for began := time.Now(); time.Since(began) < life+2*time.Second; {
					awaitAdverts(l, l.R1, r, 1)
					if seconds, there := lifetimeOf(t, l.R1, vip.String()); !there || seconds > uint32(life/time.Second) {
						t.Fatalf("lifetime %d, there: %v", seconds, there)
					}
				}
				if a.Said(0, "put back|given back|lease not") {
					t.Errorf("it took its own doing for another's:\n%s", a.Output())
				}
				from, since := a.Len(), time.Now()
				if killed {
					a.Kill()
				} else {
					syscall.Kill(a.PID, syscall.SIGSTOP)
				}
				if r.IPv6 && r.OnInterface {
					l.R1.Owes("the kernel removes the route to the prefix some time after the address")
				}
				if out, err := exec.Command("ip", "netns", "exec", l.R1.Namespace, "nft", "flush", "ruleset").CombinedOutput(); err != nil {
					t.Fatalf("nft: %v: %s", err, out)
				}
				if !accepts(t, l, vip) {
					t.Error("it does not answer without its leases") // nor could it be seen below
				}
				if !lab.Until(life+5*time.Second, func() bool { return !held() }) || over(since, time.Now(), life+1100*time.Millisecond) {
					t.Errorf("the addresses stay for %v", time.Since(since))
				}
				if accepts(t, l, vip) {
					t.Error("it still answers")
				}
				if killed {
					return
				}
				signal(t, syscall.SIGCONT, a.PID)
				a.AwaitLine(from, 5*time.Second, "put back what the kernel has removed.*lifetime|lease lost")
				a.AwaitLine(from, 5*time.Second, "put back what somebody else has removed.*leases=")
				if !lab.Until(5*time.Second, func() bool { return l.R1.Holds(vip) && accepts(t, l, vip) }) {
					t.Errorf("they do not come back; it said\n%s", a.Output())
				}
			})
		}
	}
}

// TestLeasesAreSwept: the next start removes the tables that a killed daemon
// has left, an orderly end removes its own, and lease = "off" makes none.
func TestLeasesAreSwept(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	tables := func() string {
		out, err := exec.Command("ip", "netns", "exec", l.R1.Namespace, "nft", "list", "tables").CombinedOutput()
		if err != nil {
			t.Fatalf("nft: %v: %s", err, out)
		}
		return string(out)
	}
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	a := l.R1.Run(r)
	a.AwaitActive(0)
	if !strings.Contains(tables(), "rvrrpd-lease-"+lab.Interface) {
		t.Errorf("no table: %s", tables())
	}
	a.Kill()
	if !strings.Contains(tables(), "rvrrpd-lease-"+lab.Interface) {
		t.Errorf("the table is gone with the daemon: %s", tables())
	}
	off := runText(t, l.R1, "lease = \"off\"\n"+r.Configuration(""))
	off.AwaitLine(0, 5*time.Second, "backup->active")
	if strings.Contains(tables(), "lease") {
		t.Errorf("tables with lease = off: %s", tables())
	}
	if status := off.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d", status)
	}
	again := a.Again()
	again.AwaitActive(0)
	if status := again.Terminate(5 * time.Second); status != 0 || strings.Contains(tables(), "rvrrpd") {
		t.Errorf("status %d, left: %s", status, tables())
	}
}
