package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// TB is what the lab needs of a testing.TB; the demo brings its own. Fatalf
// does not return, and functions given to Cleanup run in any case.
type TB interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	TempDir() string
}

// Implementation constants.
const (
	// prefix begins the names of our namespaces; the pid of their maker follows.
	prefix = "rvlab"
	// Interface is the name of each node's interface.
	Interface = "eth0"
	// bridge is the switch.
	bridge = "br0"
)

// Lab is a LAN of its own.
type Lab struct {
	TB
	// Switch holds the bridge; R1, R2 and Client hang on it.
	Switch, R1, R2, Client *Node
	// Tap sees every VRRP and ARP frame that a node sends.
	Tap *Tap
	// started are the processes of the test, in order.
	started Record[*Process]
}

// Node is a network namespace.
type Node struct {
	lab *Lab
	// Name is what the node is called in the lab, and the name of its port.
	Name string
	// Namespace is what ip(8) calls it.
	Namespace string
	// Addr and MAC are those of its interface; zero in the switch.
	Addr netip.Addr
	// MAC is the interface's own hardware address.
	MAC string
	// LinkLocal is its IPv6 address.
	LinkLocal netip.Addr
	past      history
}

// labs counts those of this process.
var labs atomic.Int32

// New makes a LAN and removes it when the test ends, whatever its outcome.
func New(t TB) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatalf("the lab needs root: it makes network namespaces")
	}
	sweep()
	l := &Lab{TB: t}
	began := time.Now()
	t.Cleanup(func() { l.explain(began) })
	name := fmt.Sprintf("%s%d.%d", prefix, os.Getpid(), labs.Add(1))
	l.Switch = l.node(name, "switch", "")
	l.R1 = l.node(name, "r1", "10.9.0.1")
	l.R2 = l.node(name, "r2", "10.9.0.2")
	l.Client = l.node(name, "client", "10.9.0.3")
	l.build()
	l.Tap = newTap(l)
	return l
}

// explain shows, of a test that has failed, what each of its processes said
// and when, and what the machine was like.
func (l *Lab) explain(began time.Time) {
	if !failed(l.TB) {
		return
	}
	longest, sum := withheld(began, time.Now())
	l.Logf("the machine has withheld a processor for %v of %v, at most %v at a stretch", sum, time.Since(began), longest)
	for _, p := range l.started.From(0) {
		if lines := p.From(0); len(lines) > 0 {
			l.Logf("%s said\n%s", p.name, said(lines))
		}
	}
}

// said shows the last lines of a process, with the time at which they were read.
func said(lines []Line) (s string) {
	const most = 200
	for _, line := range lines[max(0, len(lines)-most):] {
		s += "\t" + line.Time.Format("15:04:05.000000") + " " + line.Text + "\n"
	}
	return s
}

// Nodes lists what hangs on the switch.
func (l *Lab) Nodes() []*Node { return []*Node{l.R1, l.R2, l.Client} }

func (l *Lab) node(lab, name, addr string) *Node {
	l.Helper()
	n := &Node{lab: l, Name: name, Namespace: lab + "." + name}
	if addr != "" {
		n.Addr = netip.MustParseAddr(addr)
	}
	l.Cleanup(func() {
		n.removeLocks()
		n.removeDevices()
		if err := exec.Command("ip", "netns", "del", n.Namespace).Run(); err != nil {
			l.Errorf("namespace %s: %v", n.Namespace, err)
		}
	})
	l.ip("", "netns add "+n.Namespace)
	return n
}

// locksDir is where rvrrpd keeps its locks, named after the namespace's inode.
const locksDir = "/run/rvrrpd"

// removeLocks removes what daemons that were killed have left: locks die with
// their holders, their files do not; nor does what is written down for a next daemon. The numbers
// of namespaces are used again.
func (n *Node) removeLocks() {
	var st syscall.Stat_t
	if err := syscall.Stat(filepath.Join(namespacesDir, n.Namespace), &st); err != nil {
		return
	}
	files, _ := filepath.Glob(fmt.Sprintf("%s/%d.*", locksDir, st.Ino))
	for _, f := range files {
		os.Remove(f)
	}
}

// removeDevices removes the devices that our daemons have left, all of a group
// at once. The kernel would remove them with the namespace, but one after the
// other; and it changes no interface of any other lab meanwhile, for as long as
// 15 seconds.
func (n *Node) removeDevices() {
	out, err := exec.Command("ip", "-n", n.Namespace, "-j", "link", "show", "type", "macvlan").Output()
	var links []struct{ Group string }
	if err != nil || len(out) == 0 || json.Unmarshal(out, &links) != nil {
		return
	}
	groups := make(map[string]bool)
	for _, l := range links {
		if l.Group != "" && l.Group != "default" && !groups[l.Group] {
			groups[l.Group] = true
			exec.Command("ip", "-n", n.Namespace, "link", "del", "group", l.Group).Run()
		}
	}
}

// build lays the cables, and waits until they carry.
func (l *Lab) build() {
	l.Helper()
	for _, n := range append(l.Nodes(), l.Switch) {
		n.Set("net/ipv6/conf/default/accept_dad", "0")
		n.Set("net/ipv6/conf/default/router_solicitations", "0")
	}
	// Where the kernel lets bridges filter IP, it trims padding, too.
	if _, err := os.Stat("/proc/sys/net/bridge"); err == nil {
		l.Switch.Set("net/bridge/bridge-nf-call-iptables", "0")
		l.Switch.Set("net/bridge/bridge-nf-call-arptables", "0")
	}
	// The bridge comes first: it takes the first interface number, so that no
	// two ends of a cable have the same, which the kernel takes for a device
	// whose carrier may be reported a second late.
	l.ip(l.Switch.Namespace, "link set lo up", "link add "+bridge+" type bridge stp_state 0 mcast_snooping 0", "link set "+bridge+" up")
	var cables, ports []string
	for _, n := range l.Nodes() {
		cables = append(cables, fmt.Sprintf("link add name %s netns %s type veth peer name %s netns %s",
			n.Name, l.Switch.Namespace, Interface, n.Namespace))
		ports = append(ports, fmt.Sprintf("link set %s mtu 1500 master %s up", n.Name, bridge))
	}
	l.ip("", cables...)
	l.ip(l.Switch.Namespace, ports...)
	for _, n := range l.Nodes() {
		l.ip(n.Namespace, "link set lo up",
			fmt.Sprintf("addr add %s/24 brd + dev %s", n.Addr, Interface),
			fmt.Sprintf("link set %s mtu 1500 up", Interface))
		n.MAC = n.linkMAC()
		if !Until(5*time.Second, n.settled) {
			l.Fatalf("%s: %s does not come up", n.Name, Interface)
		}
		n.LinkLocal = n.linkLocal()
	}
	l.R1.Set("net/ipv4/ip_forward", "1")
	l.R2.Set("net/ipv4/ip_forward", "1")
}

// settled says whether the node's interface carries, and has the address that
// the kernel gives it when it does.
func (n *Node) settled() bool {
	n.lab.Helper()
	_, err := os.Stat("/proc/sys/net/ipv6")
	up, ipv6 := false, err != nil
	for _, link := range n.json("", "addr show dev "+Interface)[0] {
		up = link["operstate"] == "UP"
		infos, _ := link["addr_info"].([]any)
		for _, info := range infos {
			m, _ := info.(map[string]any)
			ipv6 = ipv6 || m["family"] == "inet6"
		}
	}
	if ipv6 && err == nil { // its route is there a moment later
		ipv6 = slices.ContainsFunc(n.json("-6", "route show table local type local")[0], func(r map[string]any) bool { return r["dev"] == Interface })
	}
	return up && ipv6
}

// Partition pulls a node's cable out of the switch. Its carrier stays.
func (l *Lab) Partition(n *Node) { l.ip(l.Switch.Namespace, "link set "+n.Name+" nomaster") }

// Heal plugs it in again.
func (l *Lab) Heal(n *Node) { l.ip(l.Switch.Namespace, "link set "+n.Name+" master "+bridge) }

// IP runs ip(8) commands in the node's namespace.
func (n *Node) IP(commands ...string) {
	n.lab.Helper()
	n.past.altered = n.past.watched
	n.lab.ip(n.Namespace, commands...)
}

// Nft runs nft(8) commands in the node's namespace.
func (n *Node) Nft(commands ...string) {
	n.lab.Helper()
	n.past.altered = n.past.watched
	cmd := exec.Command("ip", "netns", "exec", n.Namespace, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		n.lab.Fatalf("nft: %v\n%s\n%s", err, strings.Join(commands, "\n"), bytes.TrimSpace(out))
	}
}

// ip runs ip(8) commands in a namespace, or in ours.
func (l *Lab) ip(namespace string, commands ...string) {
	l.Helper()
	args := []string{"-batch", "-"}
	if namespace != "" {
		args = append([]string{"-n", namespace}, args...)
	}
	cmd := exec.Command("ip", args...)
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		l.Fatalf("ip %s: %v\n%s\n%s", strings.Join(args, " "), err, strings.Join(commands, "\n"), bytes.TrimSpace(out))
	}
}

// Set writes a sysctl in the node's namespace.
func (n *Node) Set(name, value string) {
	n.lab.Helper()
	n.past.altered = n.past.watched
	err := n.Do(func() error { return os.WriteFile("/proc/sys/"+name, []byte(value), 0) })
	if err != nil {
		n.lab.Fatalf("%s: %v", n.Name, err)
	}
}

// namespacesDir is where ip(8) keeps namespaces.
const namespacesDir = "/run/netns"

var ours = regexp.MustCompile(`^` + prefix + `(\d+)\.\d+\.\w+$`)

// Leftovers lists the namespaces of labs made by the process, and by
// processes that are gone.
func Leftovers(pid int) (names []string) {
	entries, err := os.ReadDir(namespacesDir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		m := ours.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		maker, err := strconv.Atoi(m[1])
		if err == nil && (maker == pid || errors.Is(syscall.Kill(maker, 0), syscall.ESRCH)) {
			names = append(names, e.Name())
		}
	}
	return names
}

// sweep removes namespaces of labs whose process is gone. Most daemons died
// with it; those that changed their user did not.
func sweep() {
	for _, name := range Leftovers(-1) {
		out, _ := exec.Command("ip", "netns", "pids", name).Output()
		for _, field := range strings.Fields(string(out)) {
			if pid, err := strconv.Atoi(field); err == nil {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		// Another lab may be sweeping as well: what is gone is gone.
		exec.Command("ip", "netns", "del", filepath.Base(name)).Run()
	}
}
