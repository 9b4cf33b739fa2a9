//go:build lab

package lab_test

import (
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestIOCTLReloads: a reload that alters one of two virtual routers in place of
// the interface's addresses, and the way of the other, costs neither its role.
func TestIOCTLReloads(t *testing.T) {
	t.Parallel()
	promoting(t, func(t *testing.T, l *lab.Lab) {
		was := addressesAndRoutes(t, l.R1)
		a := startReloaded(t, l.R1, byLabel(10, high, lab.VIP.String())+byLabel(11, high, "10.9.0.253"))
		a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/10/")
		a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/11/")
		mark := a.Len()
		a.reload(text(high, []movable{{vrid: 10, vips: lab.VIP.String()}})+byLabel(11, high+1, "10.9.0.253"), "configuration loaded")
		awaitAdverts(l, l.R1, lab.Router{Interval: interval3}, 3)
		if got := l.R1.Addresses(lab.Interface); slices.Contains(got, l.R1.Addr) || !slices.Contains(got, lab.VIP) || !slices.Contains(got, netip.MustParseAddr("10.9.0.253")) {
			t.Errorf("r1 has %v", got)
		}
		if a.Said(mark, "->initialize") || a.Said(mark, "link down") || a.Said(mark, "level=ERROR") {
			t.Errorf("it said\n%s", a.Output())
		}
		a.Terminate(5 * time.Second)
		is(t, l.R1, was, "stopped")
	})
}

// TestIOCTLRefusedBeside: what the kernel refuses is tried once a second, and no
// more, however much the attempts change.
func TestIOCTLRefusedBeside(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.Owes("the test gives it other addresses")
	l.R1.IP(onIt("addr add 172.31.0.1/16", "addr add 172.30.0.1/16")...)
	beside := byLabel(12, high, "192.0.2.1")
	a := startReloaded(t, l.R1, byLabel(10, high, lab.VIP.String())+beside)
	a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/10/")
	a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/12/")
	l.R1.IP(onIt("addr add 172.31.0.7/16 scope link")...)
	gone := l.R1.CountRemovals(20, 3*time.Second) // each attempt lays the other anew
	a.reload(beside, "configuration loaded")
	if at := <-gone; !at.IsZero() {
		t.Errorf("twenty attempts until %v; it said\n%s", at, a.Output())
	}
	l.R1.IP(onIt("addr del 172.31.0.7/16")...)
	a.AwaitLine(0, 3*time.Second, "the interface's own addresses are back")
	a.Terminate(5 * time.Second)
	if got := l.R1.Addresses(lab.Interface); !slices.Contains(got, l.R1.Addr) || !slices.Contains(got, netip.MustParseAddr("172.31.0.1")) {
		t.Errorf("r1 has %v", got)
	}
}

// TestIOCTLNameTaken: an interface is renamed, and another has its name at once:
// that one gets none of the addresses.
func TestIOCTLNameTaken(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.Owes("its interfaces are others now")
	a := startReloaded(t, l.R1, byLabel(10, high, lab.VIP.String())+byLabel(11, high, "10.9.0.253"))
	a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/10/")
	a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/11/")
	l.R1.IP("link set eth0 name other", "link add eth0 type veth peer name zz", "link set eth0 up", "link set zz up")
	if !lab.Until(3*time.Second, func() bool { return slices.Contains(l.R1.Addresses("other"), l.R1.Addr) }) {
		t.Errorf("it has %v", l.R1.Addresses("other"))
	}
	a.Terminate(5 * time.Second)
	if got := addressesAndRoutes(t, l.R1); strings.Contains(got, "10.9.0.254") || strings.Contains(got, "10.9.0.253") || strings.Contains(got, "127.112") {
		t.Errorf("r1 has\n%s\nit said\n%s", got, a.Output())
	}
}

// TestIOCTLOwnerBeside: what an operator has added is there after a reload brings
// the interface's addresses back beside the virtual one.
func TestIOCTLOwnerBeside(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.Owes("the test gives it other addresses")
	l.R1.IP(onIt("addr add 10.9.0.77/24")...)
	a := startReloaded(t, l.R1, byLabel(10, high, lab.VIP.String()))
	a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/10/")
	l.R1.IP(onIt("addr add 10.9.0.50/24")...)
	a.reload(byLabel(10, high, lab.VIP.String())+text(high, []movable{{vrid: 11, vips: "10.9.0.77"}}), "configuration loaded")
	a.AwaitLine(0, 5*time.Second, "->active vr=eth0/11/")
	own := []netip.Addr{l.R1.Addr, netip.MustParseAddr("10.9.0.77"), netip.MustParseAddr("10.9.0.50")}
	right := func() bool {
		got := l.R1.Addresses(lab.Interface)
		return !slices.ContainsFunc(own, func(a netip.Addr) bool { return !slices.Contains(got, a) }) && got[0] == own[0]
	}
	if !lab.Until(2*time.Second, right) {
		t.Errorf("r1 has %v; it said\n%s", l.R1.Addresses(lab.Interface), a.Output())
	}
	a.Terminate(5 * time.Second)
	if !lab.Until(2*time.Second, right) {
		t.Errorf("stopped: r1 has %v", l.R1.Addresses(lab.Interface))
	}
}

// TestIOCTLAndMAC: the hardware address comes back, too, when an address cannot.
func TestIOCTLAndMAC(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.Owes("the test gives it other addresses")
	l.R1.IP(onIt("addr add 172.31.0.1/16")...)
	conf := byLabel(10, high, lab.VIP.String()) + "ether_mac = true\n"
	a := runText(t, l.R1, conf)
	a.AwaitLine(0, 5*time.Second, "backup->active")
	laid(t, l.R1)
	l.R1.IP(onIt("addr add 172.31.0.7/16 scope link")...)
	a.Kill()
	for range 2 {
		a = runText(t, l.R1, conf)
		a.AwaitLine(0, 5*time.Second, "initialize->backup")
		a.Terminate(5 * time.Second)
		if got := l.R1.Links()[lab.Interface].MAC; got != l.R1.MAC {
			t.Errorf("it has %v, want %v; it said\n%s", got, l.R1.MAC, a.Output())
		}
	}
}

// TestIOCTLUnderReload: what others do while a reload waits for the network
// process, which looks at nothing else, is seen after it.
func TestIOCTLUnderReload(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		commands []string
	}{
		{"deleted", []string{"link del eth0"}},
		{"flushed", onIt("addr flush", "addr add 10.9.0.200/24")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			l.R1.Owes("the test alters its interface")
			a := startReloaded(t, l.R1, byLabel(10, high, lab.VIP.String()))
			a.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/10/")
			laid(t, l.R1)
			children := lab.Children(a.PID)
			for _, p := range children {
				syscall.Kill(p, syscall.SIGSTOP)
			}
			a.write(byLabel(10, high, "10.9.0.252"))
			a.Signal(syscall.SIGHUP)
			time.Sleep(60 * time.Millisecond) // into the reload, which says nothing yet
			l.R1.IP(tt.commands...)
			for _, p := range children {
				syscall.Kill(p, syscall.SIGCONT)
			}
			a.AwaitLine(0, 5*time.Second, "configuration loaded")
			a.Terminate(5 * time.Second)
			if got := addressesAndRoutes(t, l.R1); strings.Contains(got, "10.9.0.1/") || strings.Contains(got, "127.112") {
				t.Errorf("r1 has\n%s\nit said\n%s", got, a.Output())
			}
		})
	}
}

// TestReloadAdopts: a reload takes an interface that a killed daemon has left,
// and sweeps it first.
func TestReloadAdopts(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]string{
		"ioctl":   byLabel(10, high, lab.VIP.String()),
		"netlink": text(high, []movable{{vrid: 10, vips: lab.VIP.String()}}),
		"macvlan": text(high, []movable{{vrid: 10, vips: lab.VIP.String(), device: "gone"}}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			second(t, l.R1)
			was := addressesAndRoutes(t, l.R1)
			one := strings.ReplaceAll(text(high, []movable{{vrid: 1, vips: "10.8.0.9"}}), lab.Interface, "d0")
			a := startReloaded(t, l.R1, one)
			a.AwaitLine(0, 5*time.Second, "backup->active vr=d0/1/")
			b := runText(t, l.R1, left)
			b.AwaitLine(0, 5*time.Second, "backup->active vr=eth0/10/")
			if !lab.Until(2*time.Second, func() bool { return l.R1.Holds(lab.VIP) }) { // the log is ahead of it
				t.Error("it has not taken the address")
			}
			b.Kill()
			mark := a.Len()
			a.reload(one+text(low, []movable{{vrid: 20, vips: "10.9.0.222"}}), "configuration loaded")
			a.AwaitLine(mark, 2*time.Second, "sweeping")
			a.AwaitLine(mark, 5*time.Second, "backup->active vr=eth0/20/")
			if l.R1.Holds(lab.VIP) || a.Said(mark, "->initialize vr=d0") {
				t.Errorf("r1 holds %v: %v; it said\n%s", lab.VIP, l.R1.Holds(lab.VIP), a.Output())
			}
			a.Terminate(5 * time.Second)
			is(t, l.R1, was, "stopped")
		})
	}
}
