//go:build lab

package lab_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/lab"
)

// movable is a virtual router whose addresses a reload moves.
type movable struct {
	vrid    int
	vips    string // with spaces
	device  string // "" is the interface
	vifname bool   // device stands in the file
}

// text is the configuration of virtual routers at 300 ms.
func text(priority int, routers []movable) string {
	var b strings.Builder
	for _, r := range routers {
		vips := strings.Fields(r.vips)
		for i, v := range vips {
			vips[i] = fmt.Sprintf("%q", v)
		}
		fmt.Fprintf(&b, "[[vrouter]]\ngroup = %d\ninterface = %q\nvip = [%s]\npriority = %d\npreemption = true\nversion = 3\n"+timers3+"\niftype = %q\n",
			r.vrid, lab.Interface, strings.Join(vips, ", "), priority, map[bool]string{true: "ether", false: "macvlan"}[r.device == ""])
		if r.vifname {
			fmt.Fprintf(&b, "vifname = %q\n", r.device)
		}
	}
	return b.String()
}

// places says where the addresses of virtual routers are to be.
func places(routers []movable) map[string]string {
	want := map[string]string{}
	for _, r := range routers {
		for _, v := range strings.Fields(r.vips) {
			want[strings.Split(v, "/")[0]] = cmp.Or(r.device, lab.Interface)
		}
	}
	return want
}

// found says where they are.
func found(n *lab.Node, want map[string]string) map[string]string {
	got := map[string]string{}
	for device := range n.Links() {
		for _, a := range n.Addresses(device) {
			if _, ours := want[a.String()]; ours {
				got[a.String()] = device
			}
		}
	}
	return got
}

// TestReloadMoves: addresses that a reload moves to another device, or to
// another virtual router, are there at once, and nobody on the LAN notices.
// Not beside other tests: gaps are measured to half an interval.
func TestReloadMoves(t *testing.T) {
	var many, flat []movable
	for i := range 40 {
		many = append(many, movable{vrid: 50 + i, vips: fmt.Sprintf("10.9.0.%d/24", 50+i), device: fmt.Sprintf("standby%d", 50+i)})
		flat = append(flat, movable{vrid: 50 + i, vips: fmt.Sprintf("10.9.0.%d/24", 50+i)})
	}
	seven := movable{vrid: 7, vips: "10.9.0.27/24", device: "standby7"}
	seven6 := movable{vrid: 7, vips: "fe80::9:7 2001:db8:9::7/64", device: "standby7-2"}
	named := func(vrid int, name string) movable {
		return movable{vrid: vrid, vips: fmt.Sprintf("10.9.0.%d/24", 20+vrid), device: name, vifname: true}
	}
	on := func(vrid int, device string, vips ...string) movable {
		return movable{vrid: vrid, vips: strings.Join(vips, " "), device: device}
	}
	const x, y, z = "10.9.0.210/24", "10.9.0.211/24", "10.9.0.212/24"
	const far, farther, last = "10.77.0.1/24", "10.77.0.2/24", "10.77.0.3/24" // of a subnet that the interface is not in
	steps := []move{
		{"", []movable{seven, named(8, "one"), named(9, "two"), on(10, "", x, y, far, farther), on(11, "", z, last)}},
		{"another in front", []movable{seven6, seven, named(8, "one"), named(9, "two"), on(10, "", x, y, far, farther), on(11, "", z, last)}},
		{"another order", []movable{seven, seven6, named(8, "one"), named(9, "two"), on(10, "", x, y, far, farther), on(11, "", z, last)}},
		{"swapped names", []movable{seven, seven6, named(8, "two"), named(9, "one"), on(10, "", x, y, far, farther), on(11, "", z, last)}},
		{"IPv6 to the interface", []movable{seven, on(7, "", "fe80::9:7", "2001:db8:9::7/64"), named(8, "two"), named(9, "one"), on(10, "", x, y, far, farther), on(11, "", z, last)}},
		{"one more of IPv6, and back", []movable{seven, on(7, "standby7-2", "fe80::9:7", "2001:db8:9::77/64", "2001:db8:9::7/64"), named(8, "two"), named(9, "one"), on(10, "", x, y, far, farther), on(11, "", z, last)}},
		{"another of IPv6", []movable{seven, on(7, "standby7-2", "fe80::9:7", "2001:db8:9::7/64", "2001:db8:9::78/64"), named(8, "two"), named(9, "one"), on(10, "", x, y, far, farther), on(11, "", z, last)}},
		{"the name of one that goes", []movable{seven, seven6, named(9, "two"), on(10, "", x, y, far, farther), on(11, "", z, last)}},
		{"an address to the next", []movable{seven, seven6, named(9, "two"), on(10, "", x, farther), on(11, "", z, y, far, last)}},
		{"and back", []movable{seven, seven6, named(9, "two"), on(10, "", x, y, far, farther), on(11, "", z, last)}},
		{"exchanged", []movable{seven, seven6, named(9, "two"), on(10, "", x, z, farther, far), on(11, "", y, last)}},
		{"to devices", []movable{seven, seven6, named(9, "two"), on(10, "standby10", x, z, farther, far), on(11, "standby11", y, last)}},
		{"between devices", []movable{seven, seven6, named(9, "two"), on(10, "standby10", x, farther), on(11, "standby11", y, last, z, far)}},
		{"to the interface, and one to a device", []movable{on(7, "", "10.9.0.27/24"), seven6, named(9, "two"), on(10, "", x, farther), on(11, "standby11", y, last, z, far)}},
		{"forty new", append([]movable{on(7, "", "10.9.0.27/24"), seven6, named(9, "two"), on(10, "", x, farther), on(11, "standby11", y, last, z, far)}, many...)},
		{"forty to the interface", append([]movable{on(7, "", "10.9.0.27/24"), seven6, named(9, "two"), on(10, "", x, farther), on(11, "standby11", y, last, z, far)}, flat...)},
		{"forty back", append([]movable{on(7, "", "10.9.0.27/24"), seven6, named(9, "two"), on(10, "", x, farther), on(11, "standby11", y, last, z, far)}, many...)},
		{"forty gone", []movable{on(7, "", "10.9.0.27/24"), seven6, named(9, "two"), on(10, "", x, farther), on(11, "standby11", y, last, z, far)}},
	}
	for _, some := range []struct {
		name        string
		first, last int
	}{{"names and IPv6", 0, 6}, {"between virtual routers and to devices", 6, 12}, {"many", 12, len(steps) - 1}} {
		t.Run(some.name, func(t *testing.T) {
			t.Parallel()
			moves(t, steps[some.first:some.last+1])
		})
	}
}

// move is what a reload makes of a configuration.
type move struct {
	name    string
	routers []movable
}

// moves goes through some of them: the first is what there is at the start.
func moves(t *testing.T, steps []move) {
	l := lab.New(t)
	before := l.R1.AtRest()
	a := startReloaded(t, l.R1, text(high, steps[0].routers))
	awaitVRIDs := func(mark int, routers []movable) {
		for _, r := range routers {
			six := strings.Contains(r.vips, ":")
			l.Tap.Await(mark, 5*time.Second, fmt.Sprintf("r1's advertisements of %d", r.vrid), lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.VRID == r.vrid && f.VRRP.Src.Is6() == six }))
		}
	}
	awaitVRIDs(0, steps[0].routers)
	monitor := l.R1.Start("stdbuf", "-oL", "ip", "monitor", "address")
	for i := 1; i < len(steps); i++ {
		was, step := steps[i-1], steps[i]
		key := func(r movable) string { return fmt.Sprint(r.vrid, strings.Contains(r.vips, ":")) }
		lasting := slices.DeleteFunc(slices.Clone(step.routers), func(r movable) bool {
			return !slices.ContainsFunc(was.routers, func(w movable) bool { return key(w) == key(r) })
		})
		b := startReloaded(t, l.R2, text(low, lasting))
		b.AwaitLine(0, 5*time.Second, "ready")
		mark, said, indexes, heard := l.Tap.Len(), a.Len(), l.R1.Indexes(), monitor.Len()
		a.reload(text(high, step.routers), "configuration loaded")
		awaitVRIDs(l.Tap.Len(), step.routers)
		until := time.Now().Add(5 * interval3)
		l.Tap.Await(mark, 2*time.Second, "some more", func(f lab.Frame) bool { return f.VRRP != nil && f.Time.After(until) })
		frames := slices.DeleteFunc(slices.Clone(l.Tap.From(mark)), func(f lab.Frame) bool {
			return f.VRRP != nil && !slices.ContainsFunc(lasting, func(r movable) bool {
				return r.vrid == f.VRRP.VRID && strings.Contains(r.vips, ":") == f.VRRP.Src.Is6()
			})
		})
		steady(t, frames, l.R1, len(lasting))
		want := places(step.routers)
		if diff := gocmp.Diff(want, found(l.R1, want)); diff != "" {
			t.Errorf("%s: addresses (-want +got):\n%s", step.name, diff)
		}
		for device, index := range indexes {
			named := func(w movable) bool { return w.device == device }
			before, now := slices.IndexFunc(was.routers, named), slices.IndexFunc(step.routers, named)
			if before >= 0 && now >= 0 && key(was.routers[before]) == key(step.routers[now]) && l.R1.Indexes()[device] != index {
				t.Errorf("%s: %s was made anew", step.name, device)
			}
		}
		if strings.HasPrefix(step.name, "an address to") || step.name == "and back" || step.name == "exchanged" {
			for ip, device := range places(step.routers) {
				if monitor.Said(heard, `Deleted .*`+device+`.* `+ip+`/`) {
					t.Errorf("%s: %s was taken away for a moment", step.name, ip)
				}
			}
		}
		for _, line := range a.From(said) {
			if strings.Contains(line.Text, "level=ERROR") || strings.Contains(line.Text, "somebody else") || strings.Contains(line.Text, "active->backup") {
				t.Errorf("%s: it said %s", step.name, line.Text)
			}
		}
		if t.Failed() {
			t.Fatalf("%s: it said\n%s", step.name, a.Output())
		}
		b.Kill()
	}
	toDevices := slices.ContainsFunc(steps[1:], func(m move) bool { return m.name == "to devices" })
	if toDevices && !monitor.Said(0, `Deleted .*eth0.* 10.9.0.210/`) {
		t.Errorf("the monitor sees nothing:\n%s", monitor.Output())
	}
	monitor.Kill()
	if status := a.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d; it said\n%s", status, a.Output())
	}
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// TestReloadMoveFails: an Active that cannot have its addresses where a reload
// wants them hands over.
func TestReloadMoveFails(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	here, there := []movable{{vrid: 10, vips: "10.9.0.254/24"}}, []movable{{vrid: 10, vips: "10.9.0.254/24", device: "taken", vifname: true}}
	l.R1.IP("link add taken type veth peer name other")
	a := startReloaded(t, l.R1, text(high, here))
	a.AwaitLine(0, 5*time.Second, "backup->active")
	b := startReloaded(t, l.R2, text(low, here))
	b.AwaitLine(0, 5*time.Second, "initialize->backup")
	mark := l.Tap.Len()
	a.reload(text(high, there), "handing over")
	l.Tap.Await(mark, time.Second, "the goodbye", lab.AdvertOf(l.R1, 0))
	b.AwaitLine(0, 2*time.Second, "backup->active")
	said := a.Len()
	l.R1.IP("link del taken")
	a.AwaitLine(said, 5*time.Second, "backup->active")
	if want := places(there); !lab.Until(time.Second, func() bool { return gocmp.Equal(found(l.R1, want), want) }) {
		t.Errorf("addresses: %v; it said\n%s", found(l.R1, want), a.Output())
	}
	a.Terminate(5 * time.Second)
}

// TestReloadMeans: the way in which an interface gets the address changes by a
// reload, at once, without a change of role, and the end leaves nothing of
// any.
func TestReloadMeans(t *testing.T) {
	t.Parallel()
	means := []string{"", "ether_mac = true\n", byIOCTL, "ether_mac = true\n" + byIOCTL}
	for i, from := range means {
		for j, to := range means {
			if i == j {
				continue
			}
			t.Run(fmt.Sprintf("%d to %d", i, j), func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				router := text(high, []movable{{vrid: lab.VRID, vips: lab.VIP.String() + "/24"}})
				before := l.R1.AtRest()
				a := startReloaded(t, l.R1, router+from)
				a.AwaitLine(0, 5*time.Second, "backup->active")
				mark := l.Tap.Len()
				a.reload(router+to, "configuration loaded")
				mac := l.R1.MAC
				if strings.Contains(to, "ether_mac") {
					mac = lab.VirtualMAC(lab.VRID)
				}
				if got := l.R1.Links()[lab.Interface].MAC; got != mac || !l.R1.Holds(lab.VIP) {
					t.Errorf("the interface has %s, want %s; holds the address: %v", got, mac, l.R1.Holds(lab.VIP))
				}
				out, err := exec.Command("ip", "-n", l.R1.Namespace, "addr", "show", "to", lab.VIP.String()).CombinedOutput()
				if err != nil || strings.Contains(string(out), ":rvr") != strings.Contains(to, "ioctl") {
					t.Errorf("%v: %s", err, out)
				}
				l.Tap.Await(mark, time.Second, "the announcement", lab.From(l.R1, func(f lab.Frame) bool {
					return f.ARP != nil && f.ARP.SenderIP == lab.VIP && f.ARP.SenderMAC == mac
				}))
				if answers := l.WhoHas(lab.VIP); len(answers) != 1 || answers[0].MAC != mac {
					t.Errorf("who has %v: %v", lab.VIP, answers)
				}
				if a.Said(0, "active->") {
					t.Errorf("it said\n%s", a.Output())
				}
				a.Signal(syscall.SIGTERM)
				if status := a.AwaitExit(5 * time.Second); status != 0 {
					t.Errorf("status %d; it said\n%s", status, a.Output())
				}
				if diff := before.Diff(l.R1.Snapshot()); diff != "" {
					t.Errorf("left behind (-before +after):\n%s", diff)
				}
			})
		}
	}
}

// TestReloadExchange: two virtual routers of one interface exchange addresses,
// or the virtual MAC address, whichever way they have them.
func TestReloadExchange(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	before := l.R1.AtRest()
	pair := func(first, second, one, two string) string {
		return text(high, []movable{{vrid: 10, vips: first}}) + one + text(high, []movable{{vrid: 11, vips: second}}) + two
	}
	const x, y, ioctl, mac = "10.9.0.254/24", "10.9.0.253/24", byIOCTL, "ether_mac = true\n"
	a := startReloaded(t, l.R1, pair(x, y, ioctl, ioctl+mac))
	a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/10/")
	a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/11/")
	for _, step := range []struct{ text, mac string }{
		{pair(y, x, ioctl, ioctl+mac), lab.VirtualMAC(11)},
		{pair(y, x, ioctl+mac, ioctl), lab.VirtualMAC(10)},
		{pair(x, y, mac, ""), lab.VirtualMAC(10)},
		{pair(y, x, "", mac), lab.VirtualMAC(11)},
		{pair(y, x, "", ""), l.R1.MAC},
	} {
		a.reload(step.text, "configuration loaded")
		if got := l.R1.Links()[lab.Interface].MAC; got != step.mac || !l.R1.Holds(netip.MustParseAddr("10.9.0.254")) || !l.R1.Holds(netip.MustParseAddr("10.9.0.253")) {
			t.Fatalf("the interface has %s, want %s, and %v; it said\n%s", got, step.mac, l.R1.Addresses(lab.Interface), a.Output())
		}
	}
	if a.Said(0, "active->") || a.Said(0, "level=ERROR") {
		t.Errorf("it said\n%s", a.Output())
	}
	if status := a.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d; it said\n%s", status, a.Output())
	}
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// TestReloadThereAndBack: an interface whose last macvlan has gone by a reload
// is as one that never had any, settings included.
func TestReloadThereAndBack(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	flat := []movable{{vrid: 10, vips: "10.9.0.254/24"}, {vrid: 11, vips: "fe80::9:11 2001:db8:9::11/64"}}
	devices := []movable{{vrid: 10, vips: "10.9.0.254/24", device: "standby10"}, {vrid: 11, vips: "fe80::9:11 2001:db8:9::11/64", device: "standby11"}}
	a := startReloaded(t, l.R1, text(high, flat))
	a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/10/")
	a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/11/")
	if want := places(flat); !lab.Until(2*time.Second, func() bool { return gocmp.Equal(found(l.R1, want), want) }) {
		t.Fatalf("addresses: %v", found(l.R1, want))
	}
	state := func() lab.Snapshot { // but for the leases, which run
		return slices.DeleteFunc(l.R1.Snapshot(), func(fact string) bool { return strings.Contains(fact, " expires ") })
	}
	before := state()
	a.reload(text(high, devices), "configuration loaded")
	if diff := before.Diff(state()); !strings.Contains(diff, "arp_ignore") {
		t.Errorf("there (-before +after):\n%s", diff)
	}
	a.reload(text(high, flat), "configuration loaded")
	var diff string
	if !lab.Until(2*time.Second, func() bool { diff = before.Diff(state()); return diff == "" }) {
		t.Errorf("and back (-before +after):\n%s", diff)
	}
	a.Terminate(5 * time.Second)
}

// TestReloadMovesInACrash: the network process dies while a reload moves the
// addresses; the next one goes on with them where they are to be. Not in
// parallel: a crash has the time of an advertisement.
func TestReloadMovesInACrash(t *testing.T) {
	l := lab.New(t)
	before := l.R1.AtRest()
	flat, devices := []movable{{vrid: 10, vips: "10.9.0.254/24"}}, []movable{{vrid: 10, vips: "10.9.0.254/24", device: "standby10"}}
	a := startReloaded(t, l.R1, text(high, flat))
	a.AwaitLine(0, 5*time.Second, "backup->active")
	b := startReloaded(t, l.R2, text(low, flat))
	b.AwaitLine(0, 5*time.Second, "initialize->backup")
	for i, routers := range [][]movable{devices, flat, devices} { // no more crashes than are answered at once, or nearly
		mark, said := l.Tap.Len(), a.Len()
		a.write(text(high, routers))
		child := lab.Children(a.PID)[0]
		syscall.Kill(child, syscall.SIGSTOP) // it does not say that it is ready
		a.Signal(syscall.SIGHUP)
		lab.KillChild(child)
		a.AwaitLine(said, 5*time.Second, "configuration loaded")
		a.AwaitLine(said, 5*time.Second, "network process confined")
		want := places(routers)
		if !lab.Until(2*time.Second, func() bool { return gocmp.Equal(found(l.R1, want), want) }) {
			t.Errorf("crash %d: addresses: %v; it said\n%s", i+1, found(l.R1, want), a.Output())
		}
		l.Tap.Await(l.Tap.Len(), 2*time.Second, "r1's advertisements", lab.AdvertOf(l.R1, high))
		for _, f := range l.Tap.From(mark) {
			if f.VRRP != nil && (f.Port != l.R1.Name || f.VRRP.Priority == 0) {
				t.Errorf("crash %d: a role changed: %s", i+1, f)
			}
		}
	}
	if status := a.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d; it said\n%s", status, a.Output())
	}
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}
