package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Snapshot is the network state of a namespace, one fact a line: interfaces,
// addresses, routes, rules, multicast memberships, interface settings and
// nftables.
type Snapshot []string

// Snapshot reads the state.
func (n *Node) Snapshot() Snapshot {
	n.lab.Helper()
	facts := make(map[string]bool)
	add := func(kind string, objects []map[string]any) {
		for _, object := range objects {
			for _, fact := range flatten(kind, object) {
				facts[fact] = true
			}
		}
	}
	add("link", n.json("-d", "link show")[0])
	for i, list := range n.json("", "addr show", "maddr show") {
		add([]string{"address", "maddr"}[i], list)
	}
	for _, family := range []string{"-4", "-6"} {
		for i, list := range n.json(family, "route show table all", "rule show") {
			add([]string{"route", "rule"}[i]+family, list)
		}
	}
	for path, value := range n.settings() {
		facts["sysctl "+path+" = "+value] = true
	}
	for _, line := range n.ruleset() {
		facts["nft "+line] = true
	}
	return slices.Sorted(maps.Keys(facts))
}

// AtRest reads the state when the kernel has done what it does by itself: a
// moment after an interface has come up it adds addresses, and after these
// their routes.
func (n *Node) AtRest() Snapshot {
	n.lab.Helper()
	Until(2*time.Second, func() bool { return !n.underWay() })
	return n.Snapshot()
}

// underWay says whether an address is being looked for, or one that the kernel
// gives an interface that carries is not there yet, or the route to one.
func (n *Node) underWay() bool {
	n.lab.Helper()
	routed := make(map[any]bool)
	for _, r := range n.json("-6", "route show table local type local")[0] {
		routed[r["dst"]] = true
	}
	for _, link := range n.json("-d", "addr show up")[0] { // with -6 it leaves out who has no address yet
		flags, _ := link["flags"].([]any)
		waits := slices.Contains(flags, any("LOWER_UP")) && !slices.Contains(flags, any("LOOPBACK")) && link["inet6_addr_gen_mode"] != "none"
		infos, _ := link["addr_info"].([]any)
		for _, info := range infos {
			m, _ := info.(map[string]any)
			if m["family"] != "inet6" {
				continue
			}
			if m["tentative"] == true || !routed[m["local"]] {
				return true
			}
			waits = waits && m["scope"] != "link"
		}
		if waits {
			return true
		}
	}
	return false
}

// ruleset is what nft(8) lists, nothing where it is not installed: the demo
// does without.
func (n *Node) ruleset() (lines []string) {
	n.lab.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		return nil
	}
	var out []byte
	err := n.Do(func() (err error) { // in the namespace, but with our mounts: to make its own takes ip(8) longer
		out, err = exec.Command("nft", "list", "ruleset").CombinedOutput()
		return err
	})
	if err != nil {
		n.lab.Fatalf("%s: nft: %v: %s", n.Name, err, out)
	}
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// Diff lists what differs, lost facts with a minus, new ones with a plus.
func (s Snapshot) Diff(now Snapshot) string {
	var out strings.Builder
	for _, fact := range s {
		if _, found := slices.BinarySearch(now, fact); !found {
			fmt.Fprintln(&out, "\t-", fact)
		}
	}
	for _, fact := range now {
		if _, found := slices.BinarySearch(s, fact); !found {
			fmt.Fprintln(&out, "\t+", fact)
		}
	}
	return out.String()
}

// lists are the members of ip(8)'s objects that are a fact an entry.
var lists = []string{"addr_info", "maddr"}

// flatten turns an object of ip(8)'s into facts, less what changes by itself.
func flatten(kind string, object map[string]any) (facts []string) {
	delete(object, "expires")
	if info, is := object["linkinfo"].(map[string]any); is { // of a port of a bond
		if port, is := info["info_slave_data"].(map[string]any); is {
			delete(port, "link_failure_count")
			delete(port, "state")
		}
	}
	if kind == "address" {
		object = map[string]any{"ifname": object["ifname"], "addr_info": object["addr_info"]}
	}
	owner := fmt.Sprint(kind, " ", object["ifname"], " ")
	for _, list := range lists {
		entries, _ := object[list].([]any)
		delete(object, list)
		for _, e := range entries {
			if a, is := e.(map[string]any); is { // how long it lives yet; whether deprecated is a fact
				for _, passing := range []string{"valid_life_time", "preferred_life_time", "dynamic"} {
					delete(a, passing)
				}
			}
			b, _ := json.Marshal(e)
			facts = append(facts, owner+string(b))
		}
	}
	b, _ := json.Marshal(object)
	return append(facts, owner+string(b))
}

// json lists what some commands of ip(8) show, with options that are for all of them:
// starting it takes longer than all it has to say.
func (n *Node) json(options string, commands ...string) (lists [][]map[string]any) {
	n.lab.Helper()
	cmd := exec.Command("ip", strings.Fields("-n "+n.Namespace+" -j "+options+" -batch -")...)
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	out, err := cmd.Output()
	for d := json.NewDecoder(bytes.NewReader(out)); err == nil && d.More(); {
		var list []map[string]any
		err = d.Decode(&list)
		lists = append(lists, list)
	}
	if err == nil && len(lists) != len(commands) {
		err = fmt.Errorf("%d answers", len(lists))
	}
	if err != nil {
		n.lab.Fatalf("%s: ip %s %q: %v", n.Name, options, commands, err)
	}
	return lists
}

// Setting reads one sysctl.
func (n *Node) Setting(name string) string {
	n.lab.Helper()
	var value string
	err := n.Do(func() error {
		b, err := os.ReadFile("/proc/sys/" + name)
		value = strings.TrimSpace(string(b))
		return err
	})
	if err != nil {
		n.lab.Fatalf("%s: %v", n.Name, err)
	}
	return value
}

// Holds says whether the node has an address, on an interface that is up.
func (n *Node) Holds(ip netip.Addr) bool {
	n.lab.Helper()
	return slices.ContainsFunc(n.json("", "addr show up")[0], func(link map[string]any) bool {
		return slices.Contains(addressesOf(link), ip)
	})
}

// RemoveAddresses removes each address of an interface once. To flush, as ip(8) does,
// is to remove again and again until nothing is there, and fails where a daemon is as
// fast to put them back.
func (n *Node) RemoveAddresses(device string) {
	n.lab.Helper()
	var commands []string
	for _, link := range n.json("", "addr show dev "+device)[0] {
		for _, p := range prefixesOf(link) {
			commands = append(commands, fmt.Sprintf("addr del %v dev %s", p, device))
		}
	}
	n.IP(commands...)
}

// Addresses lists the addresses on an interface.
func (n *Node) Addresses(device string) (ips []netip.Addr) {
	n.lab.Helper()
	for _, link := range n.json("", "addr show dev "+device)[0] {
		ips = append(ips, addressesOf(link)...)
	}
	return ips
}

// AllAddresses lists the addresses on all interfaces, by name.
func (n *Node) AllAddresses() map[string][]netip.Addr {
	n.lab.Helper()
	all := make(map[string][]netip.Addr)
	for _, link := range n.json("", "addr show")[0] {
		name, _ := link["ifname"].(string)
		all[name] = addressesOf(link)
	}
	return all
}

// addressesOf reads an object of ip(8)'s.
func addressesOf(link map[string]any) (ips []netip.Addr) {
	for _, p := range prefixesOf(link) {
		ips = append(ips, p.Addr())
	}
	return ips
}

// prefixesOf is addressesOf with the lengths of their prefixes.
func prefixesOf(link map[string]any) (all []netip.Prefix) {
	infos, _ := link["addr_info"].([]any)
	for _, info := range infos {
		m, _ := info.(map[string]any)
		if p, err := netip.ParsePrefix(fmt.Sprintf("%v/%v", m["local"], m["prefixlen"])); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// Holders lists the nodes that have an address.
func (l *Lab) Holders(ip netip.Addr) (names []string) {
	l.Helper()
	for _, n := range l.Nodes() {
		if n.Holds(ip) {
			names = append(names, n.Name)
		}
	}
	return names
}

// Link is an interface.
type Link struct {
	Name, Kind, Alias, MAC string
	Up                     bool
	MTU                    int
}

// Links lists the node's interfaces by name.
func (n *Node) Links() map[string]Link {
	n.lab.Helper()
	links := make(map[string]Link)
	for _, object := range n.json("-d", "link show")[0] {
		text := func(key string) string { s, _ := object[key].(string); return s }
		l := Link{Name: text("ifname"), Alias: text("ifalias"), MAC: text("address")}
		if info, ok := object["linkinfo"].(map[string]any); ok {
			l.Kind, _ = info["info_kind"].(string)
		}
		flags, _ := object["flags"].([]any)
		l.Up = slices.Contains(flags, any("UP"))
		mtu, _ := object["mtu"].(float64)
		l.MTU = int(mtu)
		links[l.Name] = l
	}
	return links
}

// Indexes are the numbers of the node's interfaces, by name: one that was made
// anew has another.
func (n *Node) Indexes() map[string]int {
	all := make(map[string]int)
	err := n.Do(func() error {
		ifis, err := net.Interfaces()
		for _, i := range ifis {
			all[i.Name] = i.Index
		}
		return err
	})
	if err != nil {
		n.lab.Fatalf("interfaces: %v", err)
	}
	return all
}
