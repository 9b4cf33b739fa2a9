//go:build lab

package lab_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestManyLinks: on more interfaces than the kernel lets one socket join a
// group on, a Backup hears the Active on each, also after a reload that needs
// other sockets, and takes over on each.
func TestManyLinks(t *testing.T) {
	l := lab.New(t)
	const count = 45 // in 20s
	for i := range count {
		name := fmt.Sprintf("many%d", i)
		out, err := exec.Command("ip", "-n", l.R1.Namespace, "link", "add", name, "type", "veth", "peer", "name", name, "netns", l.R2.Namespace).CombinedOutput()
		if err != nil {
			t.Fatalf("ip link: %v: %s", err, out)
		}
		for host, n := range []*lab.Node{l.R1, l.R2} {
			n.IP(fmt.Sprintf("addr add 10.77.%d.%d/24 dev %s", i, host+1, name), "link set "+name+" addrgenmode none", "link set "+name+" up")
		}
	}
	if !lab.Until(5*time.Second, func() bool {
		out, err := exec.Command("ip", "-n", l.R2.Namespace, "-br", "link").Output()
		return err == nil && !strings.Contains(string(out), "NO-CARRIER")
	}) {
		t.Fatal("no carrier")
	}
	config := func(vrids, priority int) string {
		var s strings.Builder
		for vrid := range vrids {
			for i := range count {
				fmt.Fprintf(&s, "[[vrouter]]\ngroup = %d\ninterface = \"many%d\"\nvip = \"10.77.%d.%d/24\"\npriority = %d\nversion = 3\niftype = \"ether\"\ntimers = { advert = 0.3 }\n", vrid+1, i, i, 250+vrid, priority)
			}
		}
		return s.String()
	}
	a := runText(t, l.R2, config(1, high))
	a.AwaitLine(0, 10*time.Second, "backup->active")
	b := startReloaded(t, l.R1, config(1, low))
	all := func(p *lab.Process, words string) func() bool {
		return func() bool { return len(linesOf(p, words)) == count }
	}
	if !lab.Until(5*time.Second, all(a, "backup->active")) || !lab.Until(5*time.Second, all(b.Process, "initialize->backup")) {
		t.Fatalf("Active on %d, Backup on %d links of %d; it said\n%s", len(linesOf(a, "backup->active")), len(linesOf(b.Process, "initialize->backup")), count, b.Output())
	}
	b.reload(config(2, low), "configuration loaded")
	mark := b.Len()
	b.reload(config(1, low), "configuration loaded")
	if line, took := b.Wait(mark, 2*time.Second, func(line lab.Line) bool {
		return strings.Contains(line.Text, "/1/ipv4") && strings.Contains(line.Text, "active")
	}); took {
		t.Errorf("a role changed: %s", line.Text)
	}
	a.Kill()
	if !lab.Until(5*time.Second, func() bool { return len(linesOf(b.Process, "verdict=silent")) == count }) {
		t.Errorf("taken over: %d of %d; it said\n%s", len(linesOf(b.Process, "verdict=silent")), count, b.Output())
	}
	if status := b.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d", status)
	}
}
