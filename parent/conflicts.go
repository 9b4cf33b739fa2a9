package parent

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// conflict is a setting of the whole system that is in our way and not ours
// to change: others may rely on it.
type conflict struct {
	family  ipc.Family
	path    string // below /proc/sys
	bad     string // its values that are in the way, with spaces
	command string
	why     string
}

var conflicts = []conflict{
	{ipc.IPv4, "net/ipv4/ip_forward", "0", "sysctl -w net.ipv4.ip_forward=1", "what hosts send to the virtual router is not forwarded"},
	{ipc.IPv4, "net/ipv4/conf/all/arp_ignore", "2 3 8", "sysctl -w net.ipv4.conf.all.arp_ignore=1", "the virtual addresses may not answer ARP"},
	{ipc.IPv4, "net/ipv4/conf/all/arp_filter", "1", "sysctl -w net.ipv4.conf.all.arp_filter=0", "the virtual addresses may not answer ARP"},
	{ipc.IPv6, "net/ipv6/conf/all/forwarding", "0", "sysctl -w net.ipv6.conf.all.forwarding=1", "what hosts send to the virtual router is not forwarded"},
}

// conflictsIn lists the conflicts of a family that a system has.
func conflictsIn(root string, family ipc.Family) (out []conflict) {
	for _, c := range conflicts {
		value, err := os.ReadFile(filepath.Join(root, c.path))
		if err == nil && c.family == family && strings.Contains(" "+c.bad+" ", " "+strings.TrimSpace(string(value))+" ") {
			out = append(out, c)
		}
	}
	return out
}

// tellConflicts says once for each family what is in the way, with the
// command that puts it right.
func (d *daemon) tellConflicts(family ipc.Family) {
	if d.conflictsTold[family] {
		return
	}
	d.conflictsTold[family] = true
	for _, c := range conflictsIn("/proc/sys", family) {
		d.log.Warn("system setting in the way", "setting", strings.ReplaceAll(c.path, "/", "."), "hint", c.why, "command", c.command)
	}
}
