package main

import (
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// scene is a lab with its wire, and links between r1 and r2.
type scene struct {
	*lab.Lab
	*trial
	wire  *wire
	links []link
	// r1 and r2 are where the wire sees what they send: the ports of the switch.
	r1, r2 []uint8
}

// newScene builds it. With no links the routers are on the lab's own LAN, with
// the client.
func (t *trial) newScene(links int) *scene {
	s := &scene{Lab: lab.New(t.Stage), trial: t, wire: &wire{Stage: t.Stage}}
	s.Lab.Tap.Close() // it would read every frame
	t.Stage.Cleanup(func() { removeDevices(s.R1); removeDevices(s.R2) })
	if links == 0 {
		s.links = []link{{lab.Interface, "10.9.0."}}
		s.r1, s.r2 = []uint8{s.wire.add(s.Switch, "r1")}, []uint8{s.wire.add(s.Switch, "r2")}
		return s
	}
	for i, port := range s.MoreLinks(links) {
		n := s.wire.add(s.Switch, port)
		if i%2 == 0 {
			s.r1 = append(s.r1, n)
			s.links = append(s.links, link{fmt.Sprintf("link%d", i/2), fmt.Sprintf("10.%d.1.", 100+i/2)})
		} else {
			s.r2 = append(s.r2, n)
		}
	}
	last := s.links[links-1].device
	if !lab.Until(10*time.Second, func() bool { return len(s.R1.Addresses(last)) == 2 && len(s.R2.Addresses(last)) == 2 }) {
		t.Stage.Fatalf("the links do not come up")
	}
	return s
}

// routers are virtual routers on all links, so many together.
func (s *scene) routers(total int, interval time.Duration, priority int) virtualRouters {
	return virtualRouters{links: s.links, count: total / len(s.links), first: 1, interval: interval, priority: priority}
}

// startActive starts an Active on r1 and waits until all of its virtual
// routers are advertised; it returns how much longer than Active_Down_Interval
// that took, too.
func (s *scene) startActive(who subject, v virtualRouters) (p *lab.Process, late time.Duration) {
	began := time.Now()
	s.wire.forget()
	p = s.start(s.R1, who, v)
	s.wire.awaitAll(startTime+v.activeDown(), fmt.Sprintf("%s as Active", who), v.total(), s.r1...)
	var last int64
	for _, at := range firsts(of(s.wire.records, advert, s.r1...)) {
		last = max(last, at)
	}
	return p, time.Unix(0, last).Sub(began) - v.activeDown()
}

// startBackup starts a Backup on r2 and waits until it has its devices.
func (s *scene) startBackup(who subject, v virtualRouters) *lab.Process {
	p := s.start(s.R2, who, v)
	for end := time.Now().Add(startTime); devices(s.R2) < v.total(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) || p.Ended() {
			s.trial.Fatalf("%s as Backup: %d of %d devices; it said\n%s", who, devices(s.R2), v.total(), lastLines(p))
		}
	}
	return p
}

// startTime is how long daemons may take to start, besides Active_Down_Interval.
const startTime = 30 * time.Second

// lastLines are the end of what a process has said.
func lastLines(p *lab.Process) string {
	lines := strings.Split(strings.TrimRight(p.Output(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// removeDevices removes the macvlans that daemons have left on a node, all at
// once: one after the other they would keep the kernel busy, and with it the
// next measurement.
func removeDevices(n *lab.Node) {
	var script strings.Builder
	for name := range n.Indexes() {
		if strings.HasPrefix(name, "v") && strings.Contains(name, "-") {
			fmt.Fprintf(&script, "link set %s group 99\n", name)
		}
	}
	if script.Len() == 0 {
		return
	}
	script.WriteString("link del group 99\n")
	cmd := exec.Command("ip", "-n", n.Namespace, "-force", "-batch", "-")
	cmd.Stdin = strings.NewReader(script.String())
	_ = cmd.Run() // the namespace goes, and what is left with it
}
