//go:build lab

package lab_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestChildCrash kills the network process of the Active, and then that of
// the Backup: each is started again, and nobody notices.
func TestChildCrash(t *testing.T) {
	t.Parallel()
	p := startPair(t, lab.Rvrrpd, lab.Rvrrpd)
	ping := p.Ping(lab.VIP, nil)
	if !lab.Until(2*time.Second, ping.Answering) {
		t.Fatalf("%v does not answer", lab.VIP)
	}
	for _, d := range []*lab.Daemon{p.a, p.b} {
		frames, mark := p.Tap.Len(), d.Len()
		old := d.Child()
		lab.KillChild(old)
		d.AwaitLine(mark, 2*time.Second, "network process crashed")
		d.AwaitLine(mark, 2*time.Second, `msg=ready`)
		if now := d.Child(); now == old {
			t.Errorf("%s: child is still %d", d.Node.Name, old)
		}
		for range 3 {
			p.Tap.Await(frames, 2*time.Second, "an advertisement of r1", lab.Advert(p.R1))
			frames = p.Tap.Len()
		}
	}
	adverts := lab.Select(p.Tap.From(0), func(f lab.Frame) bool { return f.VRRP != nil })
	for i, f := range adverts {
		if f.VRRP.Src != p.R1.Addr || f.VRRP.Priority != high {
			t.Errorf("not the Active's usual advertisement: %s", f)
		}
		if i > 0 && over(adverts[i-1].Time, f.Time, 1500*time.Millisecond) {
			t.Errorf("no advertisement for %v before %s", f.Time.Sub(adverts[i-1].Time), f)
		}
	}
	if p.b.TurnedActive(0) || p.a.SteppedBack(0) {
		t.Errorf("a role changed; r1 said\n%sr2 said\n%s", p.a.Output(), p.b.Output())
	}
	p.holdsAlone(t, p.R1)
	p.answersAlone(t, p.R1)
	if sent, lost := ping.Counts(); lost > 0 {
		t.Errorf("%d of %d probes lost", lost, sent)
	}
}

// TestCrashGap: at 300 ms a crash of the network process delays an
// advertisement by less than 30 ms.
func TestCrashGap(t *testing.T) {
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	l := lab.New(t)
	a := l.R1.Run(r)
	a.AwaitActive(0)
	to := r
	to.Priority = low
	l.R2.Run(to).AwaitBackup()
	awaitAdverts(l, l.R1, r, 3)
	mark, seen := a.Len(), l.Tap.Len()
	lab.KillChild(a.Child())
	a.AwaitLine(mark, 2*time.Second, `msg=ready`)
	awaitAdverts(l, l.R1, r, 5)
	adverts := lab.Select(l.Tap.From(seen-1), func(f lab.Frame) bool { return f.VRRP != nil })
	for i, f := range adverts {
		if f.Port != l.R1.Name || f.VRRP.Priority != high {
			t.Errorf("a role changed: %s", f)
		}
		if i > 0 && over(adverts[i-1].Time, f.Time, interval3+30*time.Millisecond) {
			t.Errorf("no advertisement for %v", f.Time.Sub(adverts[i-1].Time))
		}
	}
}

// TestParentCrash kills the parent alone. Its child dies with it, what it did
// stays until the next start, and that one removes it, and nothing else.
func TestParentCrash(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.IP(
		"link add mine link eth0 type macvlan mode private", "link set mine alias mine up", "addr add 10.9.7.1/32 dev mine",
		"link add other type veth peer name far", "link set far up", "link set other up", "addr add 10.9.8.1/24 dev other", "route add 10.9.9.0/24 dev other",
	)
	before := l.R1.AtRest()
	a := l.R1.Run(lab.Router{Kind: lab.Rvrrpd, Priority: high})
	a.AwaitActive(0)
	if changed := "net/ipv4/conf/eth0/arp_ignore"; l.R1.Setting(changed) == "0" {
		t.Fatalf("an Active router does not change %s", changed)
	}

	wait := lab.WatchExit(a.Child())
	a.Signal(syscall.SIGKILL)
	if !wait(time.Second) {
		t.Errorf("the child outlives its parent")
	}
	a.AwaitExit(time.Second)
	if left := l.R1.Links()[lab.Device]; left.Kind != "macvlan" || left.Alias == "" || !l.R1.Holds(lab.VIP) {
		t.Errorf("left behind: %+v", left)
	}

	again := a.Again()
	again.AwaitLine(0, 5*time.Second, "sweeping devices left behind.*"+lab.Device)
	again.AwaitBackup()
	if l.R1.Holds(lab.VIP) {
		t.Errorf("a Backup holds %v", lab.VIP)
	}
	if again.Said(0, "sweeping.*(mine|other)") {
		t.Errorf("it swept what is not its own:\n%s", again.Output())
	}
	again.AwaitActive(0)
	if status := again.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d", status)
	}
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("state before and after differ:\n%s", diff)
	}
}

// TestUndo compares the kernel's state before a start and after a stop, as
// Active and as Backup, with a macvlan and without.
func TestUndo(t *testing.T) {
	t.Parallel()
	for name, onInterface := range map[string]bool{"macvlan": false, "ether": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			before1, before2 := l.R1.AtRest(), l.R2.AtRest()
			p := start(t, l, lab.Router{Kind: lab.Rvrrpd, Priority: high, OnInterface: onInterface},
				lab.Router{Kind: lab.Rvrrpd, Priority: low, OnInterface: onInterface})
			for _, d := range []*lab.Daemon{p.b, p.a} {
				if status := d.Terminate(5 * time.Second); status != 0 {
					t.Errorf("%s: status %d", d.Node.Name, status)
				}
			}
			if diff := before1.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("r1 before and after:\n%s", diff)
			}
			if diff := before2.Diff(l.R2.Snapshot()); diff != "" {
				t.Errorf("r2 before and after:\n%s", diff)
			}
		})
	}
}

// TestStopDuringStart sends SIGTERM at every stage of the start. Whatever has
// been done by then is undone.
func TestStopDuringStart(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	before := l.R1.AtRest()
	router := lab.Router{Kind: lab.Rvrrpd, Priority: high}
	d := l.R1.Run(router)
	d.AwaitBackup()
	whole := time.Since(d.From(0)[0].Time) // from the first line on
	d.Terminate(5 * time.Second)
	const steps = 25
	for i := range steps {
		d := d.Again()
		if !lab.Until(10*time.Second, func() bool { return catches(d.PID) }) {
			t.Fatalf("it catches nothing; it said\n%s", d.Output())
		}
		// The moment itself is what is tested: there is nothing to wait for.
		time.Sleep(time.Duration(i) * (whole + 40*time.Millisecond) / steps)
		if status := d.Terminate(5 * time.Second); status != 0 {
			t.Errorf("stopped at step %d, it ended with status %d; it said\n%s", i, status, d.Output())
		}
		if diff := before.Diff(l.R1.Snapshot()); diff != "" {
			t.Fatalf("stopped at step %d, it leaves behind:\n%sit said\n%s", i, diff, d.Output())
		}
	}
}
