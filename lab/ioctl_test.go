//go:build lab

package lab_test

import (
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

const byIOCTL = "netdrv = \"ioctl\"\n"

// byLabel is a virtual router of VRID vrid whose address goes through ioctl(2).
func byLabel(vrid, priority int, vip string) string {
	return text(priority, []movable{{vrid: vrid, vips: vip}}) + byIOCTL
}

// promoting runs a test in a lab whose routers lose the other addresses of a
// subnet with its first, as is the kernel's default, and in one where they do not.
func promoting(t *testing.T, test func(t *testing.T, l *lab.Lab)) {
	for _, promote := range []string{"0", "1"} {
		t.Run("promote_secondaries "+promote, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			for _, n := range []*lab.Node{l.R1, l.R2} {
				n.Set("net/ipv4/conf/all/promote_secondaries", promote)
			}
			test(t, l)
		})
	}
}

// second gives a node another interface, d0 with 10.8.0.1/24.
func second(t *testing.T, n *lab.Node) {
	t.Helper()
	n.IP("link add d0 type veth peer name d1", "link set d0 up", "link set d1 up", "addr add 10.8.0.1/24 dev d0")
	if !lab.Until(5*time.Second, func() bool { return len(n.Addresses("d0")) == 2 && len(n.Addresses("d1")) == 1 }) {
		t.Fatal("d0 does not come up")
	}
}

// addressesAndRoutes is what a node has of IPv4, addresses in the kernel's order.
func addressesAndRoutes(t *testing.T, n *lab.Node) (text string) {
	t.Helper()
	for _, args := range []string{"-4 addr show", "-4 route show table all"} {
		out, err := exec.Command("ip", strings.Fields("-n "+n.Namespace+" "+args)...).Output()
		if err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
		lines := slices.Collect(strings.Lines(string(out)))
		if strings.Contains(args, "route") {
			slices.Sort(lines)
		}
		text += strings.Join(lines, "")
	}
	return text
}

// furnish gives an interface all that the exchange of its addresses could lose
// or reorder, and returns its addresses.
func furnish(l *lab.Lab, n *lab.Node) (own []netip.Addr) {
	n.IP("addr add 172.31.0.1/16 brd 172.31.255.255 dev "+lab.Interface,
		"addr add 10.9.0.77/24 brd + dev "+lab.Interface,
		"addr add 10.9.0.78/24 metric 77 dev "+lab.Interface,
		"route add default via 10.9.0.99 dev "+lab.Interface,
		"route add 198.51.100.0/24 via 10.9.0.99 src 10.9.0.78 metric 5 dev "+lab.Interface,
		"route add 203.0.113.0/24 via 172.31.0.9 src 172.31.0.1 mtu 1400 dev "+lab.Interface)
	for _, a := range n.Addresses(lab.Interface) {
		if a.Is4() {
			own = append(own, a)
		}
	}
	return own
}

// laid waits until a node has a virtual address by ioctl: the log is ahead of it.
func laid(t *testing.T, n *lab.Node) {
	t.Helper()
	if !lab.Until(2*time.Second, func() bool { return strings.Contains(addressesAndRoutes(t, n), ":rvr") }) {
		t.Errorf("%s has no virtual address:\n%s", n.Name, addressesAndRoutes(t, n))
	}
}

// is checks what a node has of IPv4, in the end.
func is(t *testing.T, n *lab.Node, want, when string) {
	t.Helper()
	if !lab.Until(2*time.Second, func() bool { return addressesAndRoutes(t, n) == want }) {
		t.Errorf("%s: %s has\n%s\nwant\n%s", when, n.Name, addressesAndRoutes(t, n), want)
	}
}

// only checks that a node has no other IPv4 address on its interface, but for
// the one that keeps its routes.
func only(t *testing.T, n *lab.Node, when string, want ...netip.Addr) {
	t.Helper()
	get := func() (has []netip.Addr) {
		return slices.DeleteFunc(n.Addresses(lab.Interface), func(a netip.Addr) bool { return !a.Is4() || a.IsLoopback() })
	}
	if !lab.Until(2*time.Second, func() bool { return slices.Equal(get(), want) }) {
		t.Errorf("%s: %s has %v, want %v", when, n.Name, get(), want)
	}
}

// TestIOCTL: with netdrv = "ioctl" the virtual address takes the place of the
// interface's own, which come back as they were with everything that depends on
// them: when it is given back, at the end, and after kill -9. Advertisements
// come from the interface's address all the time.
func TestIOCTL(t *testing.T) {
	t.Parallel()
	promoting(t, testIOCTL)
}

func testIOCTL(t *testing.T, l *lab.Lab) {
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, OnInterface: true}
	config := func(priority int) string {
		r.Priority = priority
		return r.Configuration("") + byIOCTL
	}
	own := furnish(l, l.R1)
	before, was := l.R1.Snapshot(), addressesAndRoutes(t, l.R1)
	a := runText(t, l.R1, config(high))
	a.AwaitLine(0, 5*time.Second, "backup->active")
	only(t, l.R1, "Active", lab.VIP)
	answers(t, l, l.R1, r)
	if !accepts(t, l, lab.VIP) {
		t.Error("does not accept packets")
	}
	fromOwn := func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Src == own[0] && f.VRRP.Priority == high }
	l.Tap.Await(l.Tap.Len(), 2*time.Second, "an advertisement from the interface's own address", lab.From(l.R1, fromOwn))
	if !strings.Contains(addressesAndRoutes(t, l.R1), "default via 10.9.0.99") {
		t.Error("the default route is lost")
	}
	if !accepts(t, l, own[0]) {
		t.Error("the host cannot be reached by its own address any more")
	}
	mark := a.Len()
	l.R1.IP("addr del " + lab.VIP.String() + "/24 dev " + lab.Interface)
	a.AwaitLine(mark, 2*time.Second, "put back what somebody else has removed")
	answers(t, l, l.R1, r)

	b := runText(t, l.R2, config(high+1))
	b.AwaitLine(0, 5*time.Second, "backup->active")
	only(t, l.R2, "Active", lab.VIP)
	is(t, l.R1, was, "given back")
	b.Kill()
	only(t, l.R2, "killed", lab.VIP)
	a.AwaitLine(mark, 5*time.Second, "backup->active")
	laid(t, l.R1)
	again := runText(t, l.R2, config(low))
	again.AwaitLine(0, 5*time.Second, "putting back addresses that were put aside")
	only(t, l.R2, "swept", l.R2.Addr)
	again.AwaitLine(0, 5*time.Second, "initialize->backup")
	a.Terminate(5 * time.Second)
	again.AwaitLine(0, 5*time.Second, "backup->active")
	laid(t, l.R2)
	again.Kill()
	l.R2.IP("addr flush dev "+lab.Interface, "addr add 10.9.0.200/24 dev "+lab.Interface)
	again = runText(t, l.R2, config(low))
	again.AwaitLine(0, 5*time.Second, "initialize->backup")
	only(t, l.R2, "furnished by others meanwhile", netip.MustParseAddr("10.9.0.200"))
	a = runText(t, l.R1, config(high))
	a.AwaitLine(0, 5*time.Second, "backup->active")

	a.Kill()
	other := runText(t, l.R1, "[[vrouter]]\ninterface = \"elsewhere0\"\ngroup = 9\nvip = \"192.0.2.9\"\nversion = 3\n")
	is(t, l.R1, was, "swept by a daemon on another interface")
	other.Terminate(5 * time.Second)
	l.R1.IP("addr del 10.9.0.78/24 dev "+lab.Interface, "addr add 10.9.0.79/24 dev "+lab.Interface)
	was = addressesAndRoutes(t, l.R1)
	a = runText(t, l.R1, config(high))
	a.AwaitLine(0, 5*time.Second, "backup->active")
	only(t, l.R1, "Active again", lab.VIP)
	if status := a.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d; it said\n%s", status, a.Output())
	}
	is(t, l.R1, was, "stopped")
	l.R1.IP("addr del 10.9.0.79/24 dev " + lab.Interface)
	l.R1.IP("addr add 10.9.0.78/24 metric 77 dev "+lab.Interface, "route add 198.51.100.0/24 via 10.9.0.99 src 10.9.0.78 metric 5 dev "+lab.Interface)
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("r1 is not as it was:\n%s", diff)
	}
}

// TestIOCTLPair: the interface's own addresses are away as long as one of two
// virtual addresses is in their place, and the one that stays is there all the
// time. One of another subnet comes beside them.
func TestIOCTLPair(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	own := furnish(l, l.R1)
	was := addressesAndRoutes(t, l.R1)
	ofOther := func() []netip.Addr {
		return slices.DeleteFunc(l.R1.Addresses("other"), func(a netip.Addr) bool { return !a.Is4() })
	}
	x, y := lab.VIP, netip.MustParseAddr("10.9.0.253")
	one := byLabel(10, high, x.String())
	two := byLabel(11, high, y.String())
	a := startReloaded(t, l.R1, one+two)
	a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/10/")
	a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/11/")
	if got := l.R1.Addresses(lab.Interface); !slices.Contains(got, x) || !slices.Contains(got, y) || slices.Contains(got, l.R1.Addr) {
		t.Errorf("r1 has %v", got)
	}
	for _, step := range []struct {
		text string
		want netip.Addr
	}{{one, x}, {one + two, y}, {two, y}, {one + two, x}, {two, y}} {
		a.reload(step.text, "configuration loaded")
		if !lab.Until(2*time.Second, func() bool {
			got := l.R1.Addresses(lab.Interface)
			return slices.Contains(got, step.want) && !slices.Contains(got, l.R1.Addr)
		}) {
			t.Errorf("r1 has %v, want %v", l.R1.Addresses(lab.Interface), step.want)
		}
	}
	only(t, l.R1, "one is left", y)
	mark := a.Len()
	l.R1.IP("link set " + lab.Interface + " name other")
	a.AwaitLine(mark, 2*time.Second, "active->initialize")
	if !lab.Until(time.Second, func() bool { return slices.Equal(ofOther(), own) }) {
		t.Errorf("renamed, it has %v, want %v", ofOther(), own)
	}
	l.R1.IP("link set other name " + lab.Interface)
	a.AwaitLine(mark, 5*time.Second, "backup->active")
	only(t, l.R1, "Active again", y)
	beside := byLabel(12, high, "192.0.2.1")
	a.reload(beside, "configuration loaded")
	a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/12/")
	if got := l.R1.Addresses(lab.Interface); !slices.Contains(got, netip.MustParseAddr("192.0.2.1")) || !slices.Contains(got, l.R1.Addr) {
		t.Errorf("beside: r1 has %v", got)
	}
	if status := a.Terminate(5 * time.Second); status != 0 || a.Said(0, "level=ERROR") {
		t.Errorf("status %d; it said\n%s", status, a.Output())
	}
	// A rename gives all but the first address of an interface labels.
	labels := regexp.MustCompile(lab.Interface + ":[0-9]+\\b")
	if got := labels.ReplaceAllString(addressesAndRoutes(t, l.R1), lab.Interface); got != was {
		t.Errorf("stopped: r1 has\n%s\nwant\n%s", got, was)
	}
}
