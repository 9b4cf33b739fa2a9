//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
	"golang.org/x/sys/unix"
)

// everybody lists the processes of a daemon, those first that must leave a
// signal to the parent.
func everybody(d *lab.Daemon) (pids []int) {
	pids = append(lab.Descendants(d.PID), d.PID)
	slices.Sort(pids)
	slices.Reverse(pids)
	return pids
}

// TestSignalToAll: a signal that all processes of the daemon get at once, as
// from pkill(1), killall5(8) or a supervisor, has the effect of one that the
// parent alone gets.
func TestSignalToAll(t *testing.T) {
	t.Parallel()
	for _, unprivileged := range []bool{false, true} {
		for _, s := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE} {
			t.Run(fmt.Sprintf("%s %t", unix.SignalName(s), unprivileged), func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				before := l.R1.Snapshot()
				p := start(t, l, lab.Router{Kind: lab.Rvrrpd, Priority: high, Unprivileged: unprivileged}, lab.Router{Kind: lab.Rvrrpd, Priority: low})
				pids, child := everybody(p.a), p.a.Child()
				if len(pids) != 4 {
					t.Fatalf("processes %v, not four", pids)
				}
				mark, said, heard := l.Tap.Len(), p.a.Len(), p.b.Len()
				signal(t, s, pids...)
				switch s {
				case unix.SIGUSR2:
					if status := p.a.AwaitExit(10 * time.Second); status != 0 {
						t.Errorf("it ended with status %d; it said\n%s", status, p.a.Output())
					}
					p.a = p.a.Again()
					p.a.AwaitLine(0, 10*time.Second, "initialize->active")
				case unix.SIGTERM, unix.SIGINT:
				default:
					if s == unix.SIGHUP {
						p.a.AwaitLine(said, 10*time.Second, "configuration loaded")
					}
					awaitAdverts(l, l.R1, p.a.Router, 2)
					if p.a.Child() != child || p.a.Said(said, "network process|initialize|backup") {
						t.Errorf("it has not just gone on; it said\n%s", p.a.Output())
					}
				}
				if s != unix.SIGTERM && s != unix.SIGINT {
					if got := lab.Select(l.Tap.From(mark), lab.AdvertOf(l.R1, 0)); len(got) > 0 || p.b.TurnedActive(heard) {
						t.Errorf("it said goodbye: %v; the peer\n%s", got, p.b.Output())
					}
					signal(t, unix.SIGTERM, everybody(p.a)...)
				}
				endsOnce(t, p, before, mark, heard)
			})
		}
	}
}

// endsOnce checks that r1 ends in order: it says so once, and r2 takes over.
func endsOnce(t *testing.T, p *pair, before lab.Snapshot, mark, heard int) {
	t.Helper()
	if status := p.a.AwaitExit(10 * time.Second); status != 0 {
		t.Errorf("it ended with status %d; it said\n%s", status, p.a.Output())
	}
	p.b.AwaitActive(heard)
	p.Tap.Await(mark, 2*time.Second, "r2's advertisement", lab.AdvertOf(p.R2, low))
	if got := lab.Select(p.Tap.From(mark), lab.AdvertOf(p.R1, 0)); len(got) != 1 {
		t.Errorf("%d advertisements of priority 0: %v", len(got), got)
	}
	if p.a.Said(0, "network process (lost|crashed|killed|says)") {
		t.Errorf("the signal was not the parent's alone; it said\n%s", p.a.Output())
	}
	if diff := before.Diff(p.R1.Snapshot()); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// TestSignalTwice: who is told to stop once more does not cut its goodbye short.
func TestSignalTwice(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	before := l.R1.Snapshot()
	p := start(t, l, lab.Router{Kind: lab.Rvrrpd, Priority: high}, lab.Router{Kind: lab.Rvrrpd, Priority: low})
	mark, heard := l.Tap.Len(), p.b.Len()
	// The child cannot answer before the second has come.
	child := p.a.Child()
	signal(t, unix.SIGSTOP, child)
	signal(t, unix.SIGTERM, p.a.PID)
	p.a.AwaitLine(0, 5*time.Second, "msg=stopping signal=SIGTERM")
	signal(t, unix.SIGINT, p.a.PID)
	p.a.AwaitLine(0, 5*time.Second, "msg=stopping signal=SIGINT")
	signal(t, unix.SIGCONT, child)
	endsOnce(t, p, before, mark, heard)
}

// catches says whether a daemon in the foreground catches signals: it has its name by then.
func catches(pid int) bool {
	exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return filepath.Base(exe) == "rvrrpd-parent" && lab.Status(pid)["Name"] == "rvrrpd" && caught(pid)
}

// caught says whether a process has got ready for signals: its main thread
// leaves these, and no others, to another thread.
func caught(pid int) bool {
	var want uint64
	for _, s := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE} {
		want |= 1 << (s - 1)
	}
	blocked, _ := strconv.ParseUint(lab.Status(pid)["SigBlk"], 16, 64)
	return blocked == want
}

// TestReloadWhileStarting: a reload that is asked for again and again, from the
// moment on in which Go runs the first line of ours, kills nobody, and is done
// in the end.
func TestReloadWhileStarting(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	r := lab.Router{Kind: lab.Rvrrpd, Priority: high}
	for range 5 {
		d := l.R1.Run(r)
		if !lab.Until(10*time.Second, func() bool { return caught(d.PID) }) {
			t.Fatalf("it catches nothing; it said\n%s", d.Output())
		}
		sent := 0
		if !lab.Until(10*time.Second, func() bool {
			sent++
			syscall.Kill(d.PID, unix.SIGHUP)
			return d.Said(0, "configuration loaded")
		}) {
			t.Errorf("it did not survive %d signals; it said\n%s", sent, d.Output())
		}
		if status := d.Terminate(5 * time.Second); status != 0 {
			t.Errorf("status %d; it said\n%s", status, d.Output())
		}
	}
}

// TestStopOfDaemonDuringStart sends SIGTERM to all processes of rvrrpd -m2 at
// every stage of its start: the command says that all is well, and nothing is
// left, neither on the interface nor of the processes.
func TestStopOfDaemonDuringStart(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	before := l.R1.Snapshot()
	b := background{t.TempDir(), l.R1}
	conf := filepath.Join(b.dir, "rvrrpd.conf")
	text := fmt.Sprintf("pid = \"pid\"\nworking_dir = %q\nmain_log = \"main.log\"\nerror_log = \"error.log\"\nstate_dir = %q\nuser = \"61002\"\n%s", b.dir, b.path("state"), auditConfiguration)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if status, said, _ := b.start(conf); status != 0 {
		t.Fatalf("status %d: %s", status, said)
	}
	whole := time.Since(began)
	endAll(t, l.R1)
	const steps = 25
	for i := range steps {
		launcher := l.R1.Start(lab.Binary("rvrrpd"), "-m2", "-c", conf)
		// On a machine that has not run us for a while, it may have done all by now.
		if !lab.Until(10*time.Second, func() bool { return caught(launcher.PID) || launcher.Ended() }) {
			t.Fatalf("the command catches nothing; it said\n%s", launcher.Output())
		}
		// The moment itself is what is tested: there is nothing to wait for.
		time.Sleep(time.Duration(i) * whole / steps)
		termAll(l.R1)
		if status := launcher.AwaitExit(20 * time.Second); status != 0 || launcher.Len() > 0 {
			t.Errorf("stopped at step %d, the command ended with status %d; it said\n%s", i, status, launcher.Output())
		}
		if !lab.Until(10*time.Second, func() bool { return len(processesOn(l.R1)) == 0 }) {
			t.Errorf("stopped at step %d, it goes on; it said\n%s", i, b.read("main.log"))
			endAll(t, l.R1)
		}
		if _, err := os.Stat(b.path("pid")); err == nil {
			t.Errorf("stopped at step %d, it leaves its pid file", i)
		}
		// A process is not on the node any more a little before its sockets are closed.
		diff := ""
		if !lab.Until(5*time.Second, func() bool { diff = before.Diff(l.R1.Snapshot()); return diff == "" }) {
			t.Fatalf("stopped at step %d, it leaves behind:\n%s", i, diff)
		}
	}
	if said := b.read("main.log"); strings.Contains(said, "network process lost") || strings.Contains(said, "network process crashed") {
		t.Errorf("the signal was not the parent's alone:\n%s", said)
	}
}

// TestStruckChildren: SIGTERM reaches a reader, a network process and a keeper before they can
// ignore it; who has them starts others, and goes on as if nothing had been.
func TestStruckChildren(t *testing.T) {
	t.Parallel()
	for _, unprivileged := range []bool{false, true} {
		t.Run(fmt.Sprintf("unprivileged %t", unprivileged), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			struck := map[string]int{}
			// Where this test is not given the processor in time, the programs have started before.
			for range 20 {
				d := l.R1.Run(lab.Router{Kind: lab.Rvrrpd, Priority: high, Unprivileged: unprivileged})
				ready := func() bool { return d.Ended() || d.Said(0, "msg=ready") }
				for name, n := range lab.Strike(d.PID, map[string]int{"rvrrpd-read": 2, "rvrrpd-netproc": 2, "rvrrpd-keeper": 2}, ready) {
					struck[name] += n
				}
				if !lab.Until(10*time.Second, ready) || d.Ended() || d.Said(0, "level=ERROR") {
					t.Fatalf("%v struck; it said\n%s", struck, d.Output())
				}
				if status := d.Terminate(5 * time.Second); status != 0 {
					t.Fatalf("status %d; it said\n%s", status, d.Output())
				}
				if min(struck["rvrrpd-read"], struck["rvrrpd-netproc"], struck["rvrrpd-keeper"]) > 1 {
					return
				}
			}
			t.Errorf("not two of each have been struck: %v", struck)
		})
	}
	t.Run("sniffer", func(t *testing.T) {
		t.Parallel()
		l := lab.New(t)
		l.R2.Run(lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}).AwaitActive(0)
		for struck, n := 0, 0; struck < 2; n++ {
			if n == 20 {
				t.Fatalf("struck %d times", struck)
			}
			p := l.R1.Start(lab.Binary("rvrrpd"), "-m0", "-i", lab.Interface, "--count", "1")
			struck += lab.Strike(p.PID, map[string]int{"rvrrpd-netproc": 2}, p.Ended)["rvrrpd-netproc"]
			if status := p.AwaitExit(5 * time.Second); status != 0 || p.Len() != 1 {
				t.Fatalf("status %d; it said\n%s", status, p.Output())
			}
		}
	})
}

// processesOn lists the processes in the network of a node, and those below them.
func processesOn(n *lab.Node) (pids []int) {
	out, _ := exec.Command("ip", "netns", "pids", n.Namespace).Output()
	for _, field := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(field); err == nil && strings.HasPrefix(lab.Status(pid)["Name"], "rvrrpd") {
			pids = append(append(lab.Descendants(pid), pid), pids...)
		}
	}
	return pids
}

// termAll sends SIGTERM once to each of our processes on a node, also to one that
// is started while the others are looked for.
func termAll(n *lab.Node) {
	sent := map[int]bool{}
	for more := true; more; {
		more = false
		for _, pid := range processesOn(n) {
			if !sent[pid] {
				sent[pid], more = true, true
				syscall.Kill(pid, unix.SIGTERM)
			}
		}
	}
}

// endAll ends what runs on a node, and waits for it.
func endAll(t *testing.T, n *lab.Node) {
	t.Helper()
	if !lab.Until(20*time.Second, func() bool {
		for _, pid := range processesOn(n) {
			syscall.Kill(pid, unix.SIGTERM)
		}
		return len(processesOn(n)) == 0
	}) {
		t.Fatalf("processes %v do not end", processesOn(n))
	}
}
