//go:build lab

package lab_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// keeperOf is the keeper of a daemon, once it is behind its walls.
func keeperOf(t *testing.T, pid int) (keeper int) {
	t.Helper()
	if !lab.Until(10*time.Second, func() bool {
		keeper = 0
		for _, p := range lab.Named(pid, "rvrrpd-keeper") {
			if lab.Status(p)["Seccomp"] == "2" {
				keeper = p
			}
		}
		return keeper != 0
	}) {
		t.Fatal("no keeper")
	}
	return keeper
}

// TestKeeperDies: a keeper that is killed takes no advertisement and no state along, and
// another one writes what it had not read.
func TestKeeperDies(t *testing.T) {
	t.Parallel()
	for _, unprivileged := range []bool{false, true} {
		t.Run(fmt.Sprintf("unprivileged %t", unprivileged), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Unprivileged: unprivileged}
			r.Priority = high
			a := l.R1.Run(r)
			a.AwaitActive(0)
			r.Priority = low
			b := l.R2.Run(r)
			b.AwaitBackup()
			heard, child := b.Len(), a.Child()
			for range 5 {
				mark, seen, pid := a.Len(), l.Tap.Len(), keeperOf(t, a.PID)
				if !lab.KillChild(pid)(5 * time.Second) {
					t.Fatal("it survives SIGKILL")
				}
				a.AwaitLine(mark, 10*time.Second, "keeper lost.*SIGKILL")
				awaitAdverts(l, l.R1, a.Router, 3)
				if got := lab.Select(l.Tap.From(seen), lab.AdvertOf(l.R1, 0)); len(got) > 0 {
					t.Errorf("it said goodbye: %v", got)
				}
			}
			if b.TurnedActive(heard) || a.Child() != child || a.Said(0, "network process crashed|->initialize") {
				t.Errorf("it has not just gone on; it said\n%s\nthe peer\n%s", a.Output(), b.Output())
			}
			if d, _ := audited(t); len(failures(one(t, d, a.PID))) > 0 {
				t.Errorf("broken: %q", failures(one(t, d, a.PID)))
			}
			if status := a.Terminate(5 * time.Second); status != 0 || !a.Said(0, "msg=ended") {
				t.Errorf("status %d; it said\n%s", status, a.Output())
			}
		})
	}
}

// TestKeeperStopped: while the keeper does not run, the daemon takes over, hands back, reloads
// and follows its links; once it runs again all that stands in the log, in order. Without it
// the daemon ends in order, too.
func TestKeeperStopped(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	b := startReloaded(t, l.R2, auditConfiguration)
	b.AwaitLine(0, 10*time.Second, "backup->active")
	keeper := keeperOf(t, b.PID)
	syscall.Kill(keeper, syscall.SIGSTOP)
	t.Cleanup(func() { syscall.Kill(keeper, syscall.SIGCONT) })
	awaitAdverts(l, l.R2, lab.Router{Kind: lab.Rvrrpd}, 1) // and what it has written comes here
	mark := b.Len()
	a := startReloaded(t, l.R1, strings.Replace(auditConfiguration, "priority = 100", "priority = 200\npreemption = true", 1))
	a.AwaitLine(0, 10*time.Second, "backup->active")
	seen := l.Tap.Len()
	a.Terminate(5 * time.Second)
	l.Tap.Await(seen, 10*time.Second, "the stopped keeper's daemon takes over", lab.From(l.R2, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Priority > 0 }))
	b.Signal(syscall.SIGHUP)
	awaitAdverts(l, l.R2, lab.Router{Kind: lab.Rvrrpd}, 2)
	if b.Len() > mark {
		t.Errorf("who writes this?\n%s", b.Output())
	}
	syscall.Kill(keeper, syscall.SIGCONT)
	var at []int
	text := func() string { return strings.Join(lines(b.From(mark)), "\n") }
	for _, want := range []string{"active->backup", "backup->active", "configuration loaded"} {
		b.AwaitLine(mark, 10*time.Second, want)
		at = append(at, strings.Index(text(), want))
	}
	if !slices.IsSorted(at) || b.Said(mark, "log lines lost|keeper lost") {
		t.Errorf("it said\n%s", text())
	}
	syscall.Kill(keeper, syscall.SIGSTOP)
	seen = l.Tap.Len()
	if status := b.Terminate(10 * time.Second); status != 0 {
		t.Errorf("status %d", status)
	}
	l.Tap.Await(seen, 5*time.Second, "a goodbye", lab.AdvertOf(l.R2, 0))
}

// lines are what a process has said, without times of ours.
func lines(all []lab.Line) (out []string) {
	for _, l := range all {
		out = append(out, l.Text)
	}
	return out
}
