//go:build lab

package lab_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestRenameRestores: the settings of an interface that was renamed while we
// were on it are restored, under whatever name it has.
func TestRenameRestores(t *testing.T) {
	t.Parallel()
	for _, back := range []bool{true, false} {
		l := lab.New(t)
		r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
		a := l.R1.Run(r)
		a.AwaitActive(0)
		mark := a.Len()
		l.R1.IP("link set eth0 name eth9")
		a.AwaitLine(mark, 3*time.Second, "active->initialize.*reason=link-down")
		name := "eth9"
		if back {
			l.R1.IP("link set eth9 name eth0")
			a.AwaitLine(mark, 5*time.Second, "backup->active")
			name = "eth0"
		}
		if status := a.Terminate(5 * time.Second); status != 0 {
			t.Errorf("status %d", status)
		}
		for _, s := range []string{"arp_ignore", "arp_announce"} {
			if got := l.R1.Setting("net/ipv4/conf/" + name + "/" + s); got != "0" {
				t.Errorf("renamed back %v: %s/%s = %s after the end, want 0", back, name, s, got)
			}
		}
	}
}

// TestStartsInBridge: an interface that is a port of a bridge at the start is
// waited for like one that is not there.
func TestStartsInBridge(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.IP("link add br9 type bridge", "link set br9 up", "link set eth0 master br9")
	a := l.R1.Run(lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high})
	a.AwaitLine(0, 5*time.Second, "waiting for the link")
	l.R1.IP("link set eth0 nomaster")
	a.AwaitLine(0, 5*time.Second, "backup->active")
}

// TestAppearsInBridge: the same for one that appears in a bridge later.
func TestAppearsInBridge(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.IP("link set eth0 name eth9")
	a := l.R1.Run(lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high})
	a.AwaitLine(0, 5*time.Second, "msg=ready")
	mark := a.Len()
	l.R1.IP("link add br9 type bridge", "link set br9 up", "link set eth9 master br9", "link set eth9 name eth0")
	time.Sleep(3 * time.Second)
	n := 0
	for _, line := range a.From(mark) {
		t.Log(line.Text)
		n++
	}
	if n > 2 {
		t.Errorf("%d lines about a bridge port", n)
	}
	l.R1.IP("link set eth0 nomaster")
	a.AwaitLine(mark, 5*time.Second, "backup->active")
}

// TestAnotherInterfaceAtOnce: the interface is exchanged for another of the
// same name between two looks of the daemon: it must leave, and come back with
// its addresses on the new one.
func TestAnotherInterfaceAtOnce(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		for _, tt := range []struct {
			name string
			do   func(v *victim)
		}{
			{"deleted and created again", func(v *victim) {
				mishaps[4].away(v)
				mishaps[4].back(v)
				if !lab.Until(2*time.Second, func() bool { return len(v.Node.Addresses(lab.Interface)) == 2 }) {
					v.Errorf("the interface does not come up")
				}
			}},
			{"names exchanged", func(v *victim) {
				v.Node.IP("link set eth0 name eth9", "link set other name eth0")
			}},
		} {
			for _, stopped := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %s, stopped %v", family.name, tt.name, stopped), func(t *testing.T) {
					t.Parallel()
					v := newVictim(t, family.router, "r1")
					// A second cable into the same switch.
					v.Switch.IP("link add far type veth peer name other netns "+v.Namespace, "link set far mtu 1500 master br0 up")
					v.Node.IP("addr add 10.9.0.55/24 brd + dev other", "link set other mtu 1500 up")
					a, _ := v.run(t)
					holdsAll(t, v.Lab, v.R1, v.router)
					mark := a.Len()
					if stopped { // for less than any lease
						signal(t, syscall.SIGSTOP, a.PID)
					}
					tt.do(v)
					if stopped {
						signal(t, syscall.SIGCONT, a.PID)
					}
					// Whatever the way: who advertises holds the addresses.
					lab.Until(2*time.Second, func() bool { return a.Said(mark, "backup->active") })
					if tt.name == "names exchanged" { // the tap does not know the other cable
						holdsAll(t, v.Lab, v.R1, v.router)
					} else {
						awaitAdverts(v.Lab, v.R1, v.router, 10)
						holdsAll(t, v.Lab, v.R1, v.router)
						answers(t, v.Lab, v.R1, v.router)
					}
					if t.Failed() {
						t.Logf("r1 said\n%s", a.Output())
					}
				})
			}
		}
	}
}

// TestReplacedLinkIsNew: an interface that has come up in the place of another
// waits for link_up_delay, however long the one before had been up.
func TestReplacedLinkIsNew(t *testing.T) {
	t.Parallel()
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	v := newVictim(t, r, "r1")
	a := runText(t, v.R1, r.Configuration("")+"link_up_delay = 1.5\n")
	a.AwaitLine(0, 5*time.Second, "backup->active")
	mark := a.Len()
	mishaps[0].away(v)
	a.AwaitLine(mark, 5*time.Second, "active->initialize")
	mishaps[0].back(v)
	a.AwaitLine(mark, 5*time.Second, "backup->active") // it has been up since
	mark = a.Len()
	signal(t, syscall.SIGSTOP, a.PID)
	mishaps[4].away(v)
	mishaps[4].back(v)
	if !lab.Until(2*time.Second, func() bool { return len(v.Node.Addresses(lab.Interface)) == 2 }) {
		t.Error("the interface does not come up")
	}
	// Its wait begins when it looks, and that is later than this.
	goesOn := time.Now()
	signal(t, syscall.SIGCONT, a.PID)
	a.AwaitLine(mark, 5*time.Second, "link down.*cause=link_up_delay")
	started := a.AwaitLine(mark, 5*time.Second, "initialize->backup")
	between(t, "the start on the new interface", goesOn, started.Said(), 1490*time.Millisecond, 2*time.Second)
}
