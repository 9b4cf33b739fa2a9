//go:build lab

package lab_test

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestRoutesAcrossReloads: a reload that changes who is Active, or how, takes
// no route away that stays in the configuration; one after which nobody is
// Active leaves none.
func TestRoutesAcrossReloads(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	before := routes(t, l.R1)
	route := func(to string) string {
		return "[[protocols.static]]\nroute = \"" + to + "\"\nnh = \"10.9.0.99\"\n"
	}
	config := func(vrid, priority int) string {
		r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: priority}
		return strings.Replace(r.Configuration(""), "group = 10", fmt.Sprintf("group = %d", vrid), 1)
	}
	a := startReloaded(t, l.R1, config(10, low)+route("10.64.0.0/16")+route("10.65.0.0/16"))
	a.AwaitLine(0, 5*time.Second, "route installed.*10.65")
	monitor := l.R1.Start("stdbuf", "-oL", "ip", "monitor", "route")
	if !lab.Until(5*time.Second, func() bool { // once it says something it listens
		for _, do := range []string{"add", "del"} {
			exec.Command("ip", "-n", l.R1.Namespace, "route", do, "10.77.0.0/16", "via", "10.9.0.99").Run()
		}
		return monitor.Said(0, "Deleted 10.77")
	}) {
		t.Fatal("nothing monitored")
	}

	a.reload(config(10, low+1)+route("10.64.0.0/16")+route("10.65.0.0/16"), "configuration loaded")
	a.reload(config(10, low+2)+route("10.64.0.0/16")+route("10.66.0.0/16"), "configuration loaded")
	a.AwaitLine(0, 5*time.Second, "route installed.*10.66")
	monitor.AwaitLine(0, 5*time.Second, "^10.66")
	if !monitor.Said(0, "Deleted 10.65") || monitor.Said(0, "Deleted 10.64") {
		t.Errorf("routes have changed: %s", monitor.Output())
	}

	b := runText(t, l.R2, config(11, high))
	b.AwaitLine(0, 5*time.Second, "backup->active")
	a.reload(config(11, low)+route("10.64.0.0/16"), "configuration loaded")
	if !lab.Until(2*time.Second, func() bool { return routes(t, l.R1) == before }) {
		t.Errorf("as Backup: %s, want %s", routes(t, l.R1), before)
	}
	if status := a.Terminate(5 * time.Second); status != 0 || routes(t, l.R1) != before {
		t.Errorf("status %d, left: %s, want %s", status, routes(t, l.R1), before)
	}
}

// TestReloadWhileALinkAppears: an interface that appears, or is replaced, while
// the network process has not taken over the next configuration, is used as
// soon as it has.
func TestReloadWhileALinkAppears(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	before := l.R1.AtRest()
	config := func(priority int) string {
		r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: priority}
		return r.Configuration("")
	}
	away, back := []string{"link set " + lab.Interface + " down", "link set " + lab.Interface + " name away0"}, []string{"link set away0 name " + lab.Interface, "link set " + lab.Interface + " up"}
	a := startReloaded(t, l.R1, config(low))
	a.AwaitLine(0, 5*time.Second, "backup->active")
	for i, during := range [][]string{append(away, back...), back} {
		if i > 0 {
			mark := a.Len()
			l.R1.IP(away...)
			a.AwaitLine(mark, 5*time.Second, "link down")
		}
		mark := a.Len()
		a.write(config(low + 1 + i))
		child := lab.Children(a.PID)[0]
		signal(t, syscall.SIGSTOP, child)
		a.Signal(syscall.SIGHUP)
		l.R1.IP(during...)
		signal(t, syscall.SIGCONT, child)
		a.AwaitLine(mark, 5*time.Second, "configuration loaded")
		l.Tap.Await(l.Tap.Len(), 5*time.Second, "r1's advertisements", lab.AdvertOf(l.R1, low+1+i))
		if !lab.Until(5*time.Second, func() bool {
			return strings.Contains(device(l.R1), " UP ") && strings.Contains(device(l.R1), lab.VIP.String())
		}) {
			t.Errorf("device: %s; it said\n%s", device(l.R1), a.Output())
		}
	}
	if status := a.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d; it said\n%s", status, a.Output())
	}
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// device is a node's macvlan with its addresses.
func device(n *lab.Node) string {
	out, _ := exec.Command("ip", "-n", n.Namespace, "-br", "address", "show", "dev", lab.Device).CombinedOutput()
	return string(out)
}
