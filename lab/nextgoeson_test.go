//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
	"golang.org/x/sys/unix"
)

// below is a process of a program below another one.
func below(t *testing.T, pid int, program string) int {
	t.Helper()
	pids := lab.Named(pid, program)
	if len(pids) == 0 {
		t.Fatalf("%s does not run", program)
	}
	return pids[0]
}

// standing is the file in which a daemon writes down what there is on the interface of a node, for a next one.
func standing(t *testing.T, n *lab.Node) string {
	t.Helper()
	var ns unix.Stat_t
	if err := unix.Stat(filepath.Join("/run/netns", n.Namespace), &ns); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("/run/rvrrpd/%d.%s.handover", ns.Ino, lab.Interface)
}

// TestSpawnerDies: a daemon whose spawner is killed can start nobody any more. It says goodbye, and so a peer takes over
// at once, and ends; nobody and nothing is left behind.
func TestSpawnerDies(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		t.Run(family.name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t, family.router, "r1")
			before := v.R1.AtRest()
			a, b := v.run(t)
			spawner, heard, seen := below(t, a.PID, "rvrrpd-spawn"), b.Len(), v.Tap.Len()
			gone := []func(time.Duration) bool{lab.WatchExit(a.Child()), lab.WatchExit(keeperOf(t, a.PID))}
			lab.KillChild(spawner)
			v.Tap.Await(seen, 2*time.Second, "r1's goodbye", advertOf(v.R1, 0))
			if status := a.AwaitExit(5 * time.Second); status != 1 || !a.Said(0, "spawner lost") || a.Said(0, "network process (lost|crashed)") {
				t.Errorf("status %d; it said\n%s", status, a.Output())
			}
			for _, wait := range gone {
				if !wait(5 * time.Second) {
					t.Error("a process is left behind")
				}
			}
			b.AwaitActive(heard)
			if diff := before.Diff(v.R1.Snapshot()); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
		})
	}
}

// supervised is a daemon that a service manager starts, again and again.
type supervised struct {
	*lab.Lab
	manager *serviceManager
	file    string
	router  lab.Router
}

func newSupervised(t *testing.T, r lab.Router) *supervised {
	t.Helper()
	r.Priority = high
	s := &supervised{Lab: lab.New(t), manager: newServiceManager(t), file: filepath.Join(t.TempDir(), "conf"), router: r}
	if err := os.WriteFile(s.file, []byte(r.Configuration("")), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *supervised) start() *lab.Process {
	return s.R1.Start("env", "NOTIFY_SOCKET="+s.manager.path, lab.Binary("rvrrpd"), "-m1", "-c", s.file)
}

// run starts it as the Active, and a Backup, and waits until what there is has been written down.
func (s *supervised) run(t *testing.T) (a *lab.Process, b *lab.Daemon) {
	t.Helper()
	a = s.start()
	a.AwaitLine(0, 10*time.Second, "backup->active")
	to := s.router
	to.Priority = low
	b = s.R2.Run(to)
	b.AwaitBackup()
	path := standing(t, s.R1)
	if !lab.Until(5*time.Second, func() bool {
		text, _ := os.ReadFile(path)
		return strings.Contains(string(text), `"held":true`)
	}) {
		t.Fatalf("%s does not say that it is Active", path)
	}
	return a, b
}

// ends ends it in order, and nothing is left.
func (s *supervised) ends(t *testing.T, p *lab.Process, before lab.Snapshot) {
	t.Helper()
	if status := p.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d; it said\n%s", status, p.Output())
	}
	if diff := before.Diff(s.R1.Snapshot()); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
	if _, err := os.Lstat(standing(t, s.R1)); !os.IsNotExist(err) {
		t.Errorf("left behind: what is written down for a next daemon: %v", err)
	}
}

// TestNextGoesOn: where a service manager starts the next daemon, that one goes on for one that
// was killed, or has lost its spawner, and the peer does not notice.
func TestNextGoesOn(t *testing.T) {
	t.Parallel()
	for _, of := range []string{"parent", "spawner"} {
		for _, six := range []bool{false, true} {
			for _, onInterface := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, IPv6 %t, on the interface %t", of, six, onInterface), func(t *testing.T) {
					t.Parallel()
					s := newSupervised(t, lab.Router{Kind: lab.Rvrrpd, Version: 3, IPv6: six, OnInterface: onInterface})
					forward(s.R1) // or else it does not answer as a router on the interface
					before := s.R1.AtRest()
					a, b := s.run(t)
					awaitAdverts(s.Lab, s.R1, s.router, 1)
					heard, seen := b.Len(), s.Tap.Len()
					if of == "parent" {
						gone := lab.WatchExit(below(t, a.PID, "rvrrpd-netproc"))
						a.Signal(syscall.SIGKILL)
						if !gone(5 * time.Second) {
							t.Error("the network process outlives its parent")
						}
						a.AwaitExit(5 * time.Second)
					} else {
						lab.KillChild(below(t, a.PID, "rvrrpd-spawn"))
						if status := a.AwaitExit(5 * time.Second); status != 1 || !a.Said(0, "handing over to the next daemon.*active=1") {
							t.Errorf("status %d; it said\n%s", status, a.Output())
						}
					}
					c := s.start()
					c.AwaitLine(0, 5*time.Second, "taken over from the daemon before.*routers=1 active=1")
					for since := time.Now(); time.Since(since) < b.Router.ActiveDown()*3/2; {
						awaitAdverts(s.Lab, s.R1, s.router, 1)
					}
					gap := gapsUpTo(t, s.Tap.From(max(0, seen-1)), s.R1, 2*lab.AdverInterval)
					t.Logf("longest gap %v", gap)
					if b.Said(heard, "backup->active") || c.Said(0, "sweeping|put back|->backup") {
						t.Errorf("the peer said\n%sand the next daemon\n%s", b.Output(), c.Output())
					}
					answers(t, s.Lab, s.R1, s.router)
					holdsAll(t, s.Lab, s.R1, s.router)
					s.ends(t, c, before)
				})
			}
		}
	}
}

// TestNextDoesNotGoOn: once the kernel silences the addresses of a daemon that was killed, or somebody has taken one
// away, its role is a peer's, and the next one begins as a Backup.
func TestNextDoesNotGoOn(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(s *supervised, b *lab.Daemon, heard int){
		"too late": func(_ *supervised, b *lab.Daemon, heard int) { b.AwaitActive(heard) },
		"somebody else's now": func(s *supervised, _ *lab.Daemon, _ int) {
			s.R1.IP(fmt.Sprintf("addr del %v/24 dev %s", lab.VIP, lab.Device))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSupervised(t, lab.Router{Kind: lab.Rvrrpd, Version: 3})
			before := s.R1.AtRest()
			a, b := s.run(t)
			heard := b.Len()
			a.Signal(syscall.SIGKILL)
			a.AwaitExit(5 * time.Second)
			meanwhile(s, b, heard)
			c := s.start()
			c.AwaitLine(0, 5*time.Second, "sweeping devices left behind")
			c.AwaitLine(0, 5*time.Second, "initialize->backup")
			if c.Said(0, "taken over|put back") || s.R1.Holds(lab.VIP) {
				t.Errorf("it said\n%s", c.Output())
			}
			c.AwaitLine(0, 10*time.Second, "backup->active")
			s.ends(t, c, before)
		})
	}
}

// TestStandingFiles: what is written down for a next daemon is removed with the interface that it is
// about, by a reload, and not by a start that fails before it has read it.
func TestStandingFiles(t *testing.T) {
	t.Parallel()
	s := newSupervised(t, lab.Router{Kind: lab.Rvrrpd, Version: 3})
	uplinks(s.Lab)
	s.R1.IP("tuntap add dev t0 mode tun", "link set t0 up")
	before := s.R1.AtRest()
	one := s.router.Configuration("")
	another := func(iface string) string {
		return one + fmt.Sprintf("[[vrouter]]\ngroup = 11\ninterface = %q\nvip = \"10.8.0.254/24\"\npriority = 200\nversion = 3\niftype = \"macvlan\"\n", iface)
	}
	write := func(text string) {
		if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := standing(t, s.R1)
	other := strings.Replace(path, lab.Interface, "uplink", 1)
	held := func(path string) func() bool {
		return func() bool {
			text, _ := os.ReadFile(path)
			return strings.Contains(string(text), `"held":true`)
		}
	}
	write(another("uplink"))
	a := s.start()
	if !lab.Until(10*time.Second, held(path)) || !lab.Until(10*time.Second, held(other)) {
		t.Fatalf("nothing is written down; it said\n%s", a.Output())
	}
	write(one)
	a.Signal(syscall.SIGHUP)
	a.AwaitLine(0, 5*time.Second, "configuration loaded")
	if !lab.Until(5*time.Second, func() bool { _, err := os.Lstat(other); return os.IsNotExist(err) }) || !held(path)() {
		t.Errorf("what is written down of another interface outlives it; it said\n%s", a.Output())
	}
	awaitAdverts(s.Lab, s.R1, s.router, 1)
	a.Signal(syscall.SIGKILL)
	a.AwaitExit(5 * time.Second)
	write(another("t0"))
	if status := s.start().AwaitExit(5 * time.Second); status != 78 || !held(path)() {
		t.Errorf("a start that fails early: status %d, and what is written down is there: %t", status, held(path)())
	}
	write(one)
	c := s.start()
	c.AwaitLine(0, 5*time.Second, "taken over from the daemon before.*routers=1 active=1")
	s.ends(t, c, before)
}
