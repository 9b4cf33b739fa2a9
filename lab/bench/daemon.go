package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// subject is who is measured.
type subject string

const (
	rvrrpd     subject = "rvrrpd"
	keepalived subject = "keepalived"
	// floor is a bare loop that sends as many frames.
	floor subject = "floor"
)

// Priorities of the Active and of the Backup.
const (
	high = 200
	low  = 100
)

// link is an interface with virtual routers: network is the beginning of their
// addresses, the VRID the end.
type link struct{ device, network string }

// virtualRouters are a configuration: so many on each link from VRID first on.
type virtualRouters struct {
	links        []link
	count, first int
	interval     time.Duration
	priority     int
	// ipv6 gives each a link-local and another address instead of one of IPv4.
	ipv6 bool
}

// addresses are those of one, as configurations have them.
func (v virtualRouters) addresses(l link, vrid int) []string {
	if v.ipv6 {
		return []string{fmt.Sprintf("fe80::9:%x/64", vrid), fmt.Sprintf("2001:db8:9::%x/64", vrid)}
	}
	return []string{fmt.Sprintf("%s%d/32", l.network, vrid)}
}

// activeDown is RFC 9568's Active_Down_Interval.
func (v virtualRouters) activeDown() time.Duration {
	return lab.Router{Version: 3, Priority: v.priority, Interval: v.interval}.ActiveDown()
}

// total is how many there are.
func (v virtualRouters) total() int { return v.count * len(v.links) }

// each calls f for each of them, with the name of its macvlan.
func (v virtualRouters) each(f func(l link, vrid int, device string)) {
	for i, l := range v.links {
		for n := range v.count {
			f(l, v.first+n, fmt.Sprintf("v%d-%d", i, v.first+n))
		}
	}
}

// rvrrpd writes its configuration. The user is a number that nobody has: there
// need not be a user rvrrpd here.
func (v virtualRouters) rvrrpd(state string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "user = \"61000\"\nstate_dir = %q\n", state)
	v.each(func(l link, vrid int, device string) {
		fmt.Fprintf(&b, "[[vrouter]]\ngroup = %d\ninterface = %q\nvip = [\"%s\"]\npriority = %d\nversion = 3\niftype = \"macvlan\"\nvifname = %q\npreemption = true\ntimers = { advert = %v }\n",
			vrid, l.device, strings.Join(v.addresses(l, vrid), `", "`), v.priority, device, v.interval.Seconds())
	})
	return b.String()
}

// keepalived writes its configuration.
func (v virtualRouters) keepalived() string {
	var b strings.Builder
	b.WriteString("global_defs {\n    router_id bench\n}\n")
	v.each(func(l link, vrid int, device string) {
		fmt.Fprintf(&b, "vrrp_instance %s {\n    state BACKUP\n    interface %s\n    virtual_router_id %d\n    priority %d\n    version 3\n    advert_int %v\n    use_vmac %s\n    virtual_ipaddress {\n        %s\n    }\n}\n",
			device, l.device, vrid, v.priority, v.interval.Seconds(), device, strings.Join(v.addresses(l, vrid), "\n        "))
	})
	return b.String()
}

// keepalivedBinary is Debian's, unless told otherwise.
func keepalivedBinary() string {
	if path := os.Getenv("KEEPALIVED_BIN"); path != "" {
		return path
	}
	return "keepalived"
}

// start starts a daemon on a node.
func (t *trial) start(n *lab.Node, who subject, v virtualRouters) *lab.Process {
	dir := t.TempDir()
	file := filepath.Join(dir, "conf")
	text, argv := v.keepalived(), []string{keepalivedBinary(), "-n", "-l", "-G", "-P", "-f", file,
		"-p", filepath.Join(dir, "pid"), "-r", filepath.Join(dir, "vrrp.pid"), "-c", filepath.Join(dir, "check.pid")}
	if who == rvrrpd {
		state := filepath.Join(dir, "state")
		if err := os.Mkdir(state, 0o700); err != nil {
			t.Fatalf("%v", err)
		}
		text, argv = v.rvrrpd(state), []string{lab.Binary("rvrrpd"), "-m1", "-c", file}
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	return n.Launch(argv...)
}

// stopTime is how long a daemon may take to end.
const stopTime = 30 * time.Second

// stop ends a daemon in order, and says how long that took.
func stop(p *lab.Process) time.Duration {
	began := time.Now()
	p.Terminate(stopTime)
	return time.Since(began)
}

// devices counts the macvlans of a node's virtual routers.
func devices(n *lab.Node) (count int) {
	for name := range n.Indexes() {
		if strings.HasPrefix(name, "v") && strings.Contains(name, "-") {
			count++
		}
	}
	return count
}
