//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// onIt ends ip(8) commands with the interface.
func onIt(commands ...string) []string {
	for i := range commands {
		commands[i] += " dev " + lab.Interface
	}
	return commands
}

// TestIOCTLRoutes: no route is lost, of whatever kind, and none is away while
// the virtual address is in the place of the one that is its source.
func TestIOCTLRoutes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		commands []string
		routes   []string
	}{
		{"as NetworkManager has them", append(onIt("addr flush", "addr add 10.9.0.1/24 noprefixroute"),
			"route add 10.9.0.0/24 dev eth0 proto kernel scope link src 10.9.0.1 metric 100",
			"route add default via 10.9.0.99 dev eth0 proto dhcp src 10.9.0.1 metric 100"), []string{"default", "metric 100"}},
		{"one through another", onIt("route add 192.0.2.1/32 scope link src 10.9.0.1", "route add default via 192.0.2.1 src 10.9.0.1"), []string{"default", "192.0.2.1 dev"}},
		{"by a nexthop object", []string{"nexthop add id 7 via 10.9.0.99 dev eth0", "route add 198.51.100.0/24 nhid 7 src 10.9.0.1 proto bgp"}, []string{"198.51.100.0/24"}},
		{"multipath, one down", []string{"link add d0 type veth peer name d1", "link set d0 up", "addr add 10.8.0.1/24 dev d0",
			"route add 198.51.100.0/24 src 10.9.0.1 nexthop via 10.9.0.98 dev eth0 nexthop via 10.8.0.9 dev d0"}, []string{"198.51.100.0/24"}},
		{"two of one metric", []string{"route append 198.51.100.0/24 via 10.9.0.98 src 10.9.0.1", "route append 198.51.100.0/24 via 10.9.0.99 src 10.9.0.1"}, []string{"10.9.0.98", "10.9.0.99"}},
		{"beside one on the loopback interface", []string{"addr add 10.9.0.1/32 dev lo", "route add 198.51.100.0/24 via 10.9.0.99 src 10.9.0.1"}, []string{"198.51.100.0/24"}},
		{"point to point", onIt("addr add 10.7.0.1 peer 10.7.0.2/32", "route add 198.51.100.0/24 via 10.7.0.2 src 10.7.0.1"), []string{"198.51.100.0/24"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			l.R1.IP(tt.commands...)
			was := addressesAndRoutes(t, l.R1)
			a := runText(t, l.R1, byLabel(10, high, lab.VIP.String()))
			a.AwaitLine(0, 5*time.Second, "backup->active")
			only(t, l.R1, "Active", lab.VIP)
			for _, route := range tt.routes {
				if got := addressesAndRoutes(t, l.R1); !strings.Contains(got, route) {
					t.Errorf("Active: no route %q in\n%s", route, got)
				}
			}
			if status := a.Terminate(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, a.Output())
			}
			is(t, l.R1, was, "stopped")
		})
	}
}

// TestIOCTLOthers: what others do to an interface whose addresses are aside is
// not undone, and costs nobody an address.
func TestIOCTLOthers(t *testing.T) {
	t.Parallel()
	vip := lab.VIP.String()
	virtual := byLabel(10, high, vip)
	for _, tt := range []struct {
		name          string
		before        []string
		conf          string
		then          []string
		killed        bool
		has, has1, no string // in the end: these, and not that
	}{
		{"one of the subnet", nil, virtual, onIt("addr add 10.9.0.50/24"), false, "10.9.0.1/24", "10.9.0.50/24", vip},
		{"one of the subnet, after a kill", nil, virtual, onIt("addr add 10.9.0.50/24"), true, "10.9.0.1/24", "10.9.0.50/24", vip},
		{"one of the subnet of one beside", nil, byLabel(10, high, "192.0.2.1/24"), onIt("addr add 192.0.2.50/24"), false, "10.9.0.1/24", "192.0.2.50/24", "192.0.2.1/24"},
		{"the virtual one", nil, virtual, onIt("addr del "+vip+"/24", "addr add "+vip+"/24"), false, "10.9.0.1/24", "127.0.0.1/8", "127.112.112.112"},
		{"one of another scope", onIt("addr add 172.31.0.1/16", "addr add 172.30.0.1/16"), virtual, onIt("addr add 172.31.0.7/16 scope link"), false, "10.9.0.1/24", "172.30.0.1/16", vip},
		{"renumbered", nil, virtual, onIt("addr flush", "addr add 10.9.0.200/24"), false, "10.9.0.200/24", "127.0.0.1/8", "10.9.0.1/24"},
		{"renumbered after a kill", nil, virtual, onIt("addr flush", "addr add 10.9.0.200/24"), true, "10.9.0.200/24", "127.0.0.1/8", "10.9.0.1/"},
		{"with a lifetime", onIt("addr add 10.9.0.77/24 valid_lft 3000 preferred_lft 3000"), virtual, onIt("addr replace 10.9.0.77/24 valid_lft 9000 preferred_lft 9000"), false, "10.9.0.1/24", "valid_lft 8999sec", vip},
		{"an own one with a lifetime", nil, virtual, onIt("addr add 10.9.0.1/24 valid_lft 9000 preferred_lft 9000"), false, "10.9.0.1/24", "valid_lft 8999sec", vip},
	} {
		for _, promote := range []string{"0", "1"} {
			t.Run(tt.name+", promote_secondaries "+promote, func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				l.R1.Owes("the test gives it other addresses")
				l.R1.Set("net/ipv4/conf/all/promote_secondaries", promote)
				l.R1.IP(tt.before...)
				a := runText(t, l.R1, tt.conf)
				a.AwaitLine(0, 5*time.Second, "backup->active")
				laid(t, l.R1)
				if tt.killed {
					a.Kill()
				}
				// The daemon may be quicker to put back what they remove.
				if !lab.Until(5*time.Second, func() bool {
					ip := exec.Command("ip", "-n", l.R1.Namespace, "-batch", "-")
					ip.Stdin = strings.NewReader(strings.Join(tt.then, "\n") + "\n")
					return ip.Run() == nil
				}) {
					t.Fatal(tt.then)
				}
				if tt.killed {
					a = runText(t, l.R1, tt.conf)
					a.AwaitLine(0, 5*time.Second, "initialize->backup")
				} else {
					awaitAdverts(l, l.R1, lab.Router{Interval: interval3}, 1)
				}
				if status := a.Terminate(5 * time.Second); status != 0 {
					t.Errorf("status %d; it said\n%s", status, a.Output())
				}
				right := func() bool {
					got := addressesAndRoutes(t, l.R1)
					return strings.Contains(got, tt.has) && strings.Contains(got, tt.has1) && !strings.Contains(got, tt.no)
				}
				if !lab.Until(2*time.Second, right) {
					t.Errorf("r1 has\n%s\nit said\n%s", addressesAndRoutes(t, l.R1), a.Output())
				}
			})
		}
	}
}

// TestIOCTLRefused: an address that the kernel does not take back yet is put
// back later, by the next daemon if need be.
func TestIOCTLRefused(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed %v", killed), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			l.R1.IP(onIt("addr add 172.31.0.1/16", "addr add 172.30.0.1/16")...)
			was := addressesAndRoutes(t, l.R1)
			conf := byLabel(10, high, lab.VIP.String())
			a := runText(t, l.R1, conf)
			a.AwaitLine(0, 5*time.Second, "backup->active")
			laid(t, l.R1)
			l.R1.IP(onIt("addr add 172.31.0.7/16 scope link")...)
			if killed {
				a.Kill()
			} else {
				a.Terminate(5 * time.Second)
			}
			a = runText(t, l.R1, conf)
			a.AwaitLine(0, 5*time.Second, "initialize->backup")
			a.Terminate(5 * time.Second)
			if got := l.R1.Addresses(lab.Interface); !slices.Contains(got, netip.MustParseAddr("172.30.0.1")) {
				t.Errorf("r1 has %v", got)
			}
			l.R1.IP(onIt("addr del 172.31.0.7/16")...)
			a = runText(t, l.R1, conf)
			a.AwaitLine(0, 5*time.Second, "initialize->backup")
			a.Terminate(5 * time.Second)
			if got := addressesAndRoutes(t, l.R1); !strings.Contains(got, "172.31.0.1/16") || strings.Contains(got, "127.112.112.112") || strings.Count(got, "inet ") != strings.Count(was, "inet ") {
				t.Errorf("r1 has\n%s\nwant\n%s", got, was)
			}
		})
	}
}

// TestIOCTLOwner: a virtual router that a reload adds as the owner of an address
// that is aside has it, before it is Active.
func TestIOCTLOwner(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.IP(onIt("addr add 10.9.0.77/24")...)
	one := byLabel(10, high, lab.VIP.String())
	a := startReloaded(t, l.R1, one)
	a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/10/")
	only(t, l.R1, "Active", lab.VIP)
	a.reload(one+text(high, []movable{{vrid: 11, vips: "10.9.0.77"}}), "configuration loaded")
	a.AwaitLine(0, 5*time.Second, "->active vr=eth0/11/")
	if got := l.R1.Addresses(lab.Interface); !slices.Contains(got, netip.MustParseAddr("10.9.0.77")) || !slices.Contains(got, lab.VIP) {
		t.Errorf("r1 has %v; it said\n%s", got, a.Output())
	}
	a.Terminate(5 * time.Second)
	if got := l.R1.Addresses(lab.Interface); !slices.Contains(got, l.R1.Addr) || slices.Contains(got, lab.VIP) {
		t.Errorf("stopped: r1 has %v", got)
	}
}

// TestIOCTLMixed: one virtual address by netlink and one by ioctl, whoever is
// first of the subnet for the kernel: the subnet can be reached.
func TestIOCTLMixed(t *testing.T) {
	t.Parallel()
	promoting(t, func(t *testing.T, l *lab.Lab) {
		was := addressesAndRoutes(t, l.R1)
		one := text(high, []movable{{vrid: 11, vips: "10.9.0.253"}})
		two := byLabel(10, high, lab.VIP.String())
		a := startReloaded(t, l.R1, one)
		a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/11/")
		for _, step := range []string{one + two, two} {
			a.reload(step, "configuration loaded")
			a.AwaitLine(0, 5*time.Second, "->active vr=eth0/10/")
			if !lab.Until(time.Second, func() bool { return strings.Contains(addressesAndRoutes(t, l.R1), "10.9.0.0/24 dev") }) {
				t.Errorf("no route to the subnet:\n%s", addressesAndRoutes(t, l.R1))
			}
		}
		a.Terminate(5 * time.Second)
		is(t, l.R1, was, "stopped")
	})
}

// TestIOCTLRenamed: an interface that gets a longer name, for which the label
// has no room, loses the virtual address.
func TestIOCTLRenamed(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	a := runText(t, l.R1, byLabel(200, high, lab.VIP.String()))
	a.AwaitLine(0, 5*time.Second, "backup->active")
	laid(t, l.R1)
	l.R1.IP("link set " + lab.Interface + " name enp0s31f6")
	a.AwaitLine(0, 5*time.Second, "active->initialize")
	if !lab.Until(time.Second, func() bool { return !slices.Contains(l.R1.Addresses("enp0s31f6"), lab.VIP) }) {
		t.Errorf("it has %v", l.R1.Addresses("enp0s31f6"))
	}
	if got := l.R1.Addresses("enp0s31f6"); !slices.Contains(got, l.R1.Addr) {
		t.Errorf("it has %v, want %v", got, l.R1.Addr)
	}
	a.Terminate(5 * time.Second)
	l.R1.IP("link set enp0s31f6 name " + lab.Interface)
}

// TestIOCTLTwoDaemons: daemons that were killed and begin again side by side
// each find their interface free.
func TestIOCTLTwoDaemons(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	second(t, l.R1)
	conf := func(dev, vip, more string, n int) (text string) {
		for i := range n {
			text += fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = %q\nvip = %q\npriority = 200\nversion = 3\n"+timers3+"\n%s", i+1, dev, fmt.Sprintf(vip, i+100), more)
		}
		return text
	}
	one := conf(lab.Interface, "10.9.0.%d", "iftype = \"macvlan\"\n", 40)
	two := conf("d0", "10.8.0.%d", "iftype = \"ether\"\n"+byIOCTL, 1)
	for round := range 6 {
		a, b := runText(t, l.R1, one), runText(t, l.R1, two)
		a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/40/")
		b.AwaitLine(0, 5*time.Second, "backup->active vr=d0/1/")
		laid(t, l.R1)
		a.Kill()
		b.Kill()
		a = runText(t, l.R1, one)
		time.Sleep(time.Duration(round) * 4 * time.Millisecond) // into its sweep
		b = runText(t, l.R1, two)
		a.AwaitLine(0, 5*time.Second, "msg=ready")
		b.AwaitLine(0, 5*time.Second, "msg=ready")
		a.Terminate(5 * time.Second)
		b.Terminate(5 * time.Second)
	}
	out, err := exec.Command("ip", "-n", l.R1.Namespace, "-4", "addr", "show", "dev", "d0").CombinedOutput()
	if err != nil || strings.Count(string(out), "inet ") != 1 || !strings.Contains(string(out), "10.8.0.1/24") {
		t.Errorf("%v: %s", err, out)
	}
}
