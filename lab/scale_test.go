//go:build lab

package lab_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// The routers of the scale test: links between r1 and r2, and virtual routers
// on each.
const (
	scaleLinks   = 4
	scaleRouters = 250
)

// scaled is a configuration of many virtual routers.
func scaled(links, routers, priority int) string {
	var b strings.Builder
	for i := range links {
		for v := range routers {
			fmt.Fprintf(&b, "[[vrouter]]\ngroup = %d\ninterface = \"link%d\"\nvip = \"10.%d.1.%d\"\niftype = \"macvlan\"\nvifname = \"v%d-%d\"\nversion = 3\npreemption = true\npriority = %d\n",
				v+1, i, 100+i, v+1, i, v+1, priority)
		}
	}
	return b.String()
}

// cables joins r1 and r2 directly.
func cables(l *lab.Lab, links int) {
	for i := range links {
		l.R1.IP(fmt.Sprintf("link add link%d type veth peer name link%d netns %s", i, i, l.R2.Namespace))
		for n, node := range []*lab.Node{l.R1, l.R2} {
			node.IP(fmt.Sprintf("addr add 10.%d.0.%d/16 dev link%d", 100+i, n+1, i), fmt.Sprintf("link set link%d up", i))
		}
	}
	for i := range links { // the kernel gives them their own addresses when they carry
		for _, node := range []*lab.Node{l.R1, l.R2} {
			lab.Until(5*time.Second, func() bool { return len(node.Addresses(fmt.Sprintf("link%d", i))) == 2 })
		}
	}
}

// transitions are the lines of a daemon from a mark on about a transition.
func transitions(p *lab.Process, mark int, what string) []lab.Line {
	return slices.DeleteFunc(slices.Clone(p.From(mark)), func(l lab.Line) bool { return !strings.Contains(l.Text, "msg="+what) })
}

// awaitAll waits until all virtual routers have made a transition, and
// returns how long it took from the first to the last.
func awaitAll(t testing.TB, p *lab.Process, mark int, what string, count int, timeout time.Duration) time.Duration {
	t.Helper()
	if !lab.Until(timeout, func() bool { return len(transitions(p, mark, what)) >= count }) {
		t.Fatalf("%s: %d of %d within %v", what, len(transitions(p, mark, what)), count, timeout)
	}
	lines := transitions(p, mark, what)
	return lines[len(lines)-1].Time.Sub(lines[0].Time)
}

// TestScale: a thousand virtual routers on four links start, are taken over,
// handed back, and end. Not in parallel: it takes all there is.
func TestScale(t *testing.T) {
	const count = scaleLinks * scaleRouters
	l := lab.New(t)
	cables(l, scaleLinks)
	before1, before2 := l.R1.AtRest(), l.R2.AtRest()
	start := time.Now()
	a := runText(t, l.R1, scaled(scaleLinks, scaleRouters, high))
	awaitAll(t, a, 0, "backup->active", count, 20*time.Second)
	t.Logf("all Active %v after the start, Active_Down_Interval included", time.Since(start))
	b := runText(t, l.R2, scaled(scaleLinks, scaleRouters, low))
	awaitAll(t, b, 0, "initialize->backup", count, 20*time.Second)

	a.Kill()
	killed := time.Now()
	took := awaitAll(t, b, 0, "backup->active", count, 10*time.Second)
	t.Logf("taken over from first to last in %v, %v after the kill", took, time.Since(killed))
	if took > time.Second {
		t.Errorf("the takeover took %v", took)
	}

	mark := b.Len()
	again := runText(t, l.R1, scaled(scaleLinks, scaleRouters, high))
	took = awaitAll(t, again, 0, "backup->active", count, 20*time.Second)
	t.Logf("taken back from first to last in %v", took)
	took = awaitAll(t, b, mark, "active->backup", count, 10*time.Second)
	t.Logf("given back from first to last in %v", took)
	for _, end := range []struct {
		p *lab.Process
		n *lab.Node
	}{{again, l.R1}, {b, l.R2}} {
		p := end.p
		began := time.Now()
		addresses, exit, status := stopAll(t, end.n, p, count)
		if status != 0 {
			t.Errorf("status %d", status)
		}
		// Nobody else has a part in how much of a processor the end takes. How long that
		// takes is the machine's doing, too, and a benchmark's matter.
		slack := lab.Slack(began, time.Now())
		t.Logf("the addresses were gone after %v, the end took %v, and %v of a processor; slack %v", addresses, exit.elapsed, exit.computed, slack)
		if addresses > time.Second+slack || exit.computed > time.Second {
			t.Errorf("the addresses were gone after %v, the end took %v of a processor", addresses, exit.computed)
		}
		for _, line := range p.From(0) {
			if strings.Contains(line.Text, "level=ERROR") || strings.Contains(line.Text, "lease lost") {
				t.Errorf("it said %s", line.Text)
			}
		}
	}
	if diff := before1.Diff(l.R1.Snapshot()) + before2.Diff(l.R2.Snapshot()); diff != "" {
		t.Errorf("left behind:\n%s", diff)
	}
}

// cost is how long something took, and how much of a processor.
type cost struct{ elapsed, computed time.Duration }

// stopAll ends a daemon that is Active for so many addresses of a node, and
// returns how long it took until all of them were gone, and until its exit.
func stopAll(t testing.TB, n *lab.Node, p *lab.Process, count int) (addresses time.Duration, exit cost, status int) {
	t.Helper()
	if !lab.Until(10*time.Second, func() bool {
		return len(transitions(p, 0, "backup->active"))-len(transitions(p, 0, "active->backup")) >= count
	}) {
		t.Fatal("it is not Active")
	}
	gone, before, begin := n.CountRemovals(count, 20*time.Second), lab.ProcessorTime(append(lab.Descendants(p.PID), p.PID)...), time.Now()
	status = p.Terminate(20 * time.Second)
	exit = cost{time.Since(begin), p.ProcessorTime() - before}
	at := <-gone
	if at.IsZero() {
		t.Fatalf("not all of %d addresses are gone", count)
	}
	return at.Sub(begin), exit, status
}
