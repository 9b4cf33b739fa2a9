package lab

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// frrDir is where Debian puts FRR's daemons; none of them is in the path.
const frrDir = "/usr/lib/frr"

// frrUser is whom FRR's daemons become; it must own what they write.
const frrUser = "frr"

// frr is vrrpd's configuration file. Intervals are in milliseconds, and used
// in whole centiseconds, in version 2 as well. vrrpd prints what it does only
// when its debugging is on.
func (r Router) frr() string {
	var s strings.Builder
	line := func(format string, args ...any) {
		fmt.Fprintf(&s, " vrrp %d "+format+"\n", append([]any{VRID}, args...)...)
	}
	fmt.Fprintf(&s, "log stdout debugging\ndebug vrrp protocol\ninterface %s\n", Interface)
	line("version %d", max(2, r.Version))
	line("priority %d", r.Priority)
	line("advertisement-interval %d", r.AdverInterval().Milliseconds())
	if r.NoPreempt {
		s.WriteString(" no")
		line("preempt")
	}
	family := "ip"
	if r.IPv6 {
		family = "ipv6"
	}
	for _, vip := range r.VIPs() {
		line("%s %s", family, vip)
	}
	return s.String()
}

// frrLink makes what FRR wants its administrator to make: a macvlan with the
// virtual MAC and the addresses on it, up. vrrpd finds it by its MAC, and has
// zebra take its carrier away as long as it is Backup. The link-local address
// that vrrpd sends from over IPv6 must not derive from that MAC. The node's
// own interface answers for its own addresses only.
func (n *Node) frrLink(r Router) {
	n.lab.Helper()
	generate := "none"
	if r.IPv6 {
		generate = "random"
	}
	n.Set("net/ipv4/conf/all/arp_ignore", "1")
	commands := []string{
		fmt.Sprintf("link add link %s name %s address %s type macvlan mode bridge", Interface, Device, r.MAC()),
		fmt.Sprintf("link set %s addrgenmode %s", Device, generate),
	}
	for _, vip := range r.VIPs() {
		commands = append(commands, fmt.Sprintf("addr add %s dev %s", r.prefix(vip), Device))
	}
	n.IP(append(commands, fmt.Sprintf("link set %s up", Device))...)
}

// startFRR starts zebra, which tells vrrpd of the node's interfaces, and
// returns vrrpd's command line. Their files are in a directory of their own.
func (n *Node) startFRR(r Router) (argv []string) {
	n.lab.Helper()
	n.frrLink(r)
	for _, all := range n.lab.Nodes() { // it sends Router Advertisements over IPv6
		all.past.foreign = all.past.foreign || r.IPv6
	}
	// A test's own directory has a name too long for a socket.
	home, err := os.MkdirTemp("", "frr")
	if err == nil {
		n.lab.Cleanup(func() { os.RemoveAll(home) })
		err = furnish(home, r.frr())
	}
	if err != nil {
		n.lab.Fatalf("frr: %v", err)
	}
	socket := filepath.Join(home, "zserv")
	command := func(name string) []string {
		return []string{filepath.Join(frrDir, name), "-f", filepath.Join(home, name+".conf"), "-i", filepath.Join(home, name+".pid"),
			"-z", socket, "--vty_socket", home, "-A", "127.0.0.1", "-P", "0", "--log", "stdout"}
	}
	zebra := n.Start(command("zebra")...)
	zebra.AwaitLine(0, 10*time.Second, "starting: vty")
	if !Until(5*time.Second, func() bool { _, err := os.Stat(socket); return err == nil }) {
		n.lab.Fatalf("frr: zebra does not listen; it said\n%s", zebra.Output())
	}
	return command("vrrpd")
}

// furnish writes the configuration files into a directory that belongs to
// FRR's user, as they do.
func furnish(dir, vrrpd string) error {
	u, err := user.Lookup(frrUser)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"vrrpd.conf": vrrpd, "zebra.conf": ""} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
		if err := os.Chown(path, uid, -1); err != nil {
			return err
		}
	}
	return os.Chown(dir, uid, -1)
}
