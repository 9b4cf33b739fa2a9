package lab

import (
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// history is what a node has been through since the first of our daemons
// started on it, to be held against what is left when the test ends.
type history struct {
	watched bool
	before  Snapshot
	altered bool     // by the test itself
	foreign bool     // other daemons ran here, too
	last    *Process // of our daemons, the one that was killed last
}

// Owes says why the state of a node need not be as it was before: what the
// test has done to it cannot be undone by a daemon.
func (n *Node) Owes(why string) {
	n.lab.Helper()
	n.lab.Logf("%s is not compared with what it was: %s", n.Name, why)
	n.past.foreign = true
}

// isDaemon says whether a command line runs one of our daemons, behind
// whatever wrapper.
func isDaemon(argv []string) bool {
	return slices.Contains(argv, Binary("rvrrpd")) && (slices.Contains(argv, "-m1") || slices.Contains(argv, "-m2"))
}

// watch takes down how the node is before the first of our daemons runs.
func (n *Node) watch(p *Process, argv []string) {
	n.lab.Helper()
	if !isDaemon(argv) {
		// A sniffer that comes or goes beside a daemon turns promiscuity on or off.
		n.past.foreign = n.past.foreign || isPeer(argv) || slices.Contains(argv, "-m0")
		return
	}
	p.daemon, p.argv = n, argv
	if !n.past.watched {
		n.past.watched = true
		n.past.before = n.AtRest()
		n.lab.Cleanup(n.compare)
	}
}

// end ends one of our daemons in order, whatever the test has stopped.
func (p *Process) end() {
	if p.daemon == nil {
		p.Kill()
		return
	}
	if !p.Ended() {
		for _, pid := range append(Descendants(p.PID), p.PID) {
			syscall.Kill(pid, syscall.SIGCONT)
		}
		p.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
			p.lab.Errorf("%s: does not end; it said\n%s", p.name, p.Output())
			p.Kill()
		}
	}
	if p.killed() {
		p.daemon.past.last = p
	}
}

// killed says whether it ended without a chance to undo anything.
func (p *Process) killed() bool {
	status, ok := p.state().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// mark is what tells our leftovers from what a test has left: the alias of a
// device, the names of tables, the protocol of addresses and routes, settings
// of links that are not those of a new one.
var mark = regexp.MustCompile(`^\t\+ .*(rvrrpd|"protocol":"(112|vrrp)"|/(arp_ignore|arp_announce|accept_local) = [^0])`)

// compare holds the node against what it was. After a kill the next daemon
// undoes what the killed one could not.
func (n *Node) compare() {
	if n.past.foreign || failed(n.lab.TB) {
		return
	}
	if p := n.past.last; p != nil {
		again := n.Start(p.argv...)
		again.Wait(0, 10*time.Second, func(l Line) bool { return strings.Contains(l.Text, "msg=ready") })
		again.Signal(syscall.SIGTERM)
		select {
		case <-again.done:
		case <-time.After(10 * time.Second):
			n.lab.Errorf("%s: does not end; it said\n%s", again.name, again.Output())
			again.Kill()
		}
	}
	var diff string
	Until(2*time.Second, func() bool { // carriers and addresses of the kernel's own follow
		diff = ""
		for line := range strings.Lines(n.past.before.Diff(n.Snapshot())) {
			if !n.past.altered || mark.MatchString(line) {
				diff += line
			}
		}
		return diff == ""
	})
	if diff != "" {
		n.lab.Errorf("%s: left behind (-before +after):\n%s", n.Name, diff)
	}
}

// failed says whether the test has failed already.
func failed(t TB) bool {
	f, ok := t.(interface{ Failed() bool })
	return ok && f.Failed()
}
