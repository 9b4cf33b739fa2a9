//go:build lab

package lab_test

import (
	"fmt"
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
		for _, r := range []lab.Router{
			{Kind: lab.Rvrrpd, Version: 3, Interval: interval3},
			{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, IPv6: true},
			{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, OnInterface: true},
			{Kind: lab.Rvrrpd, Version: 2},
		} {
			t.Run(fmt.Sprintf("%s, version %d, IPv6 %v, on the interface %v", tt.name, r.Version, r.IPv6, r.OnInterface), func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				l.Client.IP("addr add 2001:db8:9::9/64 dev " + lab.Interface + " nodad")
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
				seen := l.Tap.Len()
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
			})
		}
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
			killed := time.Now()
			if !lab.Until(5*time.Second, func() bool { return !l.R1.Holds(r.VIPs()[0]) && !l.R1.Holds(r.VIPs()[len(r.VIPs())-1]) }) {
				t.Fatal("the addresses stay")
			}
			if took := time.Since(killed); took > 3300*time.Millisecond {
				t.Errorf("the addresses went after %v", took)
			}
			if said := a.Output(); strings.Contains(said, "put back") {
				t.Errorf("it said\n%s", said)
			}
		})
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
