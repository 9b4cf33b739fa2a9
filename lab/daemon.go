package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Kind is a VRRP implementation.
type Kind string

// The kinds the lab knows.
const (
	Rvrrpd     Kind = "rvrrpd"
	Keepalived Kind = "keepalived"
)

// The virtual router of the lab.
const (
	// VRID is its number.
	VRID = 10
	// Device is the macvlan that rvrrpd and keepalived make for it.
	Device = "vrrp10"
	// AdverInterval is its Advertisement_Interval.
	AdverInterval = time.Second
	prefixLen     = 24
)

// VIP is its address.
var VIP = netip.MustParseAddr("10.9.0.254")

// Router is the configuration of a VRRPv2 daemon.
type Router struct {
	Kind     Kind
	Priority int
	// NoPreempt turns off preemption.
	NoPreempt bool
	// OnInterface puts the address on eth0 itself instead of a macvlan.
	OnInterface bool
}

// SkewTime is RFC 3768's Skew_Time.
func SkewTime(priority int) time.Duration {
	return time.Duration(256-priority) * time.Second / 256
}

// MasterDown is RFC 3768's Master_Down_Interval, RFC 9568's
// Active_Down_Interval.
func MasterDown(priority int) time.Duration { return 3*AdverInterval + SkewTime(priority) }

// Daemon is a VRRP daemon on a node.
type Daemon struct {
	*Process
	Node   *Node
	Router Router
	argv   []string
}

// Run writes a configuration and starts the daemon with it.
func (n *Node) Run(r Router) *Daemon {
	n.lab.Helper()
	d := &Daemon{Node: n, Router: r}
	dir := n.lab.TempDir()
	file := filepath.Join(dir, "conf")
	d.argv = []string{Binary("rvrrpd"), "-m1", "-c", file}
	if r.Kind == Keepalived {
		d.argv = []string{"keepalived", "-n", "-l", "-D", "-G", "-P", "-f", file,
			"-p", filepath.Join(dir, "pid"), "-r", filepath.Join(dir, "vrrp.pid"), "-c", filepath.Join(dir, "check.pid")}
	}
	if err := os.WriteFile(file, []byte(r.Configuration(n.Name)), 0o600); err != nil {
		n.lab.Fatalf("%v", err)
	}
	d.Process = n.Start(d.argv...)
	return d
}

// Again starts the daemon again, with the same configuration.
func (d *Daemon) Again() *Daemon {
	d.Node.lab.Helper()
	again := *d
	again.Process = d.Node.Start(d.argv...)
	return &again
}

// Command is the command line of the daemon.
func (d *Daemon) Command() string { return strings.Join(d.argv, " ") }

// Child is the process number of the daemon's only child; it ends the test
// when there is none, or another one.
func (d *Daemon) Child() int {
	d.Node.lab.Helper()
	pids := Descendants(d.PID)
	if len(pids) != 1 {
		d.Node.lab.Fatalf("%s has %d children, not 1; it said\n%s", d.name, len(pids), d.Output())
	}
	return pids[0]
}

// words are the regular expressions of a daemon's log lines.
var words = map[Kind]struct{ backup, active, left string }{
	Rvrrpd:     {`"?initialize->backup"? `, `(backup|initialize)->active"? `, `active->backup"? `},
	Keepalived: {`Entering BACKUP STATE`, `Entering MASTER STATE`, `Entering BACKUP STATE`},
}

// AwaitBackup waits until the daemon says that it has started as Backup.
func (d *Daemon) AwaitBackup() Line {
	d.Node.lab.Helper()
	return d.AwaitLine(0, 5*time.Second, words[d.Router.Kind].backup)
}

// AwaitActive waits until the daemon says that it has become Active.
func (d *Daemon) AwaitActive(mark int) Line {
	d.Node.lab.Helper()
	return d.AwaitLine(mark, MasterDown(d.Router.Priority)+5*time.Second, words[d.Router.Kind].active)
}

// AwaitStepBack waits until the daemon says that it has become Backup again.
func (d *Daemon) AwaitStepBack(mark int) Line {
	d.Node.lab.Helper()
	return d.AwaitLine(mark, 5*time.Second, words[d.Router.Kind].left)
}

// SteppedBack says whether the daemon has left the Active state since a mark.
func (d *Daemon) SteppedBack(mark int) bool { return d.Said(mark, words[d.Router.Kind].left) }

// TurnedActive says whether the daemon has become Active since a mark.
func (d *Daemon) TurnedActive(mark int) bool { return d.Said(mark, words[d.Router.Kind].active) }

// Root is the directory of the sources.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	if dir := filepath.Dir(filepath.Dir(file)); filepath.IsAbs(dir) {
		return dir
	}
	return "." // built with -trimpath, and run from the sources
}

// Binary is where make build puts a program.
func Binary(name string) string {
	path, err := filepath.Abs(filepath.Join(Root(), "bin", name))
	if err != nil {
		return name
	}
	return path
}

// Configuration is the daemon's configuration file on a node.
func (r Router) Configuration(node string) string {
	if r.Kind == Keepalived {
		return r.keepalived(node)
	}
	return r.rvrrpd()
}

func (r Router) rvrrpd() string {
	device := fmt.Sprintf("iftype = \"macvlan\"\nvifname = %q\n", Device)
	if r.OnInterface {
		device = "iftype = \"ether\"\n"
	}
	return fmt.Sprintf(`[[vrouter]]
group = %d
interface = %q
vip = "%s/%d"
priority = %d
preemption = %t
timers = { advert = %d }
%s`, VRID, Interface, VIP, prefixLen, r.Priority, !r.NoPreempt, AdverInterval/time.Second, device)
}

func (r Router) keepalived(name string) string {
	var options string
	if r.NoPreempt {
		options += "    nopreempt\n"
	}
	if !r.OnInterface {
		options += "    use_vmac " + Device + "\n"
	}
	return fmt.Sprintf(`global_defs {
    router_id %s
    vrrp_version 2
}
vrrp_instance lab {
    state BACKUP
    interface %s
    virtual_router_id %d
    priority %d
    advert_int %d
%s    virtual_ipaddress {
        %s/%d
    }
}
`, name, Interface, VRID, r.Priority, AdverInterval/time.Second, options, VIP, prefixLen)
}
