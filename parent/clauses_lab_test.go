//go:build lab

package parent

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/lab/netns"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"github.com/rvrrpd/rvrrpd/parent/nft"
	"github.com/rvrrpd/rvrrpd/records"
	"golang.org/x/sys/unix"
)

// macvlan6 makes the device of IPv6 VRID 10 above eth0.
func macvlan6(t *testing.T, k *kernel.Kernel) int {
	t.Helper()
	mac := records.VirtualMAC(ipc.IPv6, 10)
	index, err := k.CreateMACVLAN(find(t, k, "eth0").Index, "standby10", mac[:], "rvrrpd", deviceGroup|7)
	if err != nil {
		t.Error(err)
	}
	return index
}

// output runs ip(8) and returns what it says.
func output(t *testing.T, args string) string {
	t.Helper()
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		t.Errorf("ip %s: %v: %s", args, err, out)
	}
	return string(out)
}

// within waits until what ip(8) says has the words, or has them no more.
func within(t *testing.T, limit time.Duration, args, words string, there bool) {
	t.Helper()
	deadline := ipc.Monotonic() + int64(limit)
	for strings.Contains(output(t, args), words) != there {
		if ipc.Monotonic() > deadline {
			t.Errorf("ip %s: %q there: %v; it says\n%s", args, words, !there, output(t, args))
			return
		}
		unix.Poll(nil, 5)
	}
}

var virtual6 = []vaddr{
	{Prefix: netip.MustParsePrefix("fe80::5e00:20a/64")},
	{Prefix: netip.MustParsePrefix("2001:db8::12:345a/64"), NoPrefixRoute: true},
}

// TestSolicitedNodeGroups: the device is a member of the solicited-node group
// of each address while it has them (RFC 5798 §6.4.2 (390), §6.4.3 (620)), so
// that it hears solicitations, and not before nor after.
func TestSolicitedNodeGroups(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		k, err := kernel.Open()
		if err != nil {
			t.Error(err)
			return
		}
		dev := macvlan6(t, k)
		settings, err := differing("standby10", deviceSettings6)
		if err := errors.Join(err, change(settings)); err != nil {
			t.Error(err)
		}
		groups := []string{"ff02::1:ff00:20a", "ff02::1:ff12:345a"}
		expect := func(there bool) {
			for _, g := range groups {
				within(t, 2*time.Second, "maddr show dev standby10", g, there)
			}
		}
		expect(false)
		for range 2 {
			if err := k.Acquire(kernel.Placement{Device: dev, Own: true, Addresses: virtual6}); err != nil {
				t.Error(err)
			}
			expect(true)
			if err := k.Release(dev, true, virtual6); err != nil {
				t.Error(err)
			}
			expect(false)
		}
	})
}

// TestVirtualMACSeedsNothing: a device of ours has no address but the virtual
// ones; one without our settings, up, makes one of its MAC address (RFC 5798
// §7.4).
func TestVirtualMACSeedsNothing(t *testing.T) {
	const seeded = "fe80::200:5eff:fe00:20a"
	for name, ours := range map[string]bool{"with our settings": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			netns.Inside(t, func(t *testing.T) {
				k, err := kernel.Open()
				if err != nil {
					t.Error(err)
					return
				}
				dev := macvlan6(t, k)
				if ours {
					settings, err := differing("standby10", deviceSettings6)
					if err := errors.Join(err, change(settings)); err != nil {
						t.Error(err)
					}
				}
				if err := k.Acquire(kernel.Placement{Device: dev, Own: true, Addresses: virtual6}); err != nil {
					t.Error(err)
				}
				if !ours {
					within(t, 3*time.Second, "-6 addr show dev standby10", seeded, true)
					return
				}
				// The kernel makes it as soon as the device has a carrier.
				within(t, 3*time.Second, "link show dev standby10", "LOWER_UP", true)
				if said := output(t, "-6 addr show dev standby10"); strings.Count(said, "inet6") != 2 || strings.Contains(said, seeded) {
					t.Errorf("addresses:\n%s", said)
				}
			})
		})
	}
}

// host moves the other end of eth0 into a namespace of its own, with the
// addresses 10.9.0.2 and 2001:db8::2, and returns its process.
func host(t *testing.T) (pid string) {
	t.Helper()
	holder := exec.Command("sleep", "60")
	holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	if err := holder.Start(); err != nil {
		t.Error(err)
		return ""
	}
	t.Cleanup(func() { holder.Process.Kill(); holder.Wait() })
	pid = strconv.Itoa(holder.Process.Pid)
	if err := netns.IP("link set peer netns " + pid); err != nil {
		t.Error(err)
	}
	for _, c := range []string{"link set lo up", "link set peer up", "addr add 10.9.0.2/24 dev peer", "addr add 2001:db8::2/64 dev peer nodad"} {
		at(t, pid, c)
	}
	return pid
}

// at runs ip(8) in the namespace of a process and returns what it says.
func at(t *testing.T, pid, args string) string {
	t.Helper()
	out, err := exec.Command("nsenter", append([]string{"-t", pid, "-n", "ip"}, strings.Fields(args)...)...).CombinedOutput()
	if err != nil {
		t.Errorf("ip %s: %v: %s", args, err, out)
	}
	return string(out)
}

// refuses sends a datagram to a port where nobody listens, from the namespace
// of a process. The kernel that accepts the packet says so; nil otherwise.
func refuses(t *testing.T, pid string, to netip.Addr) (result error) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread does not come back
		ns, err := os.Open("/proc/" + pid + "/ns/net")
		if err == nil {
			defer ns.Close()
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			t.Error(err)
			return
		}
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, err = c.Write([]byte("?"))
		if err := errors.Join(err, c.SetReadDeadline(time.Now().Add(500*time.Millisecond))); err != nil {
			t.Error(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			result = err
		}
	}()
	<-done
	return result
}

// answering makes a device with an address, as an Active has them.
func answering(t *testing.T, k *kernel.Kernel, family ipc.Family, name string, settings []setting, prefix string) {
	t.Helper()
	mac := records.VirtualMAC(family, 10)
	dev, err := k.CreateMACVLAN(find(t, k, "eth0").Index, name, mac[:], "rvrrpd", deviceGroup|7)
	if err != nil {
		t.Error(err)
		return
	}
	todo, err := differing(name, settings)
	if err := errors.Join(err, change(todo), k.Acquire(kernel.Placement{Device: dev, Own: true, Addresses: []vaddr{{Prefix: netip.MustParsePrefix(prefix), NoPrefixRoute: true}}})); err != nil {
		t.Error(err)
	}
}

// TestAcceptMode: with Accept_Mode false an Active accepts no packet to its
// addresses, but goes on to answer ARP requests and Neighbor Solicitations
// for them with the virtual MAC (RFC 5798 §6.1, §6.4.3 (635), (650)).
func TestAcceptMode(t *testing.T) {
	for _, tt := range []struct {
		name     string
		family   ipc.Family
		settings []setting
		addr     string
		length   string
		mac      string
	}{
		{"IPv4", ipc.IPv4, deviceSettings, "10.9.0.254", "/24", "00:00:5e:00:01:0a"},
		{"IPv6", ipc.IPv6, deviceSettings6, "2001:db8::fe", "/64", "00:00:5e:00:02:0a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			netns.Inside(t, func(t *testing.T) {
				k, err := kernel.Open()
				if err != nil {
					t.Error(err)
					return
				}
				client := host(t)
				if err := netns.IP("addr add 2001:db8::1/64 dev eth0 nodad"); err != nil {
					t.Error(err)
				}
				within(t, 5*time.Second, "-6 addr show dev eth0", "tentative", false) // or it asks for no neighbor
				answering(t, k, tt.family, "standby10", tt.settings, tt.addr+tt.length)
				settings, err := differing("eth0", linkSettings)
				if err := errors.Join(err, change(settings)); err != nil {
					t.Error(err)
				}
				var w nft.Tables
				for _, accept := range []bool{true, false, true} {
					want := nft.Rules{}
					if !accept {
						want.Refused = []netip.Addr{netip.MustParseAddr(tt.addr)}
					}
					if err := w.Apply(want); err != nil {
						t.Error(err)
					}
					at(t, client, "neigh flush dev peer")
					if err := refuses(t, client, netip.MustParseAddr(tt.addr)); errors.Is(err, unix.ECONNREFUSED) != accept {
						t.Errorf("accept %v: a datagram: %v", accept, err)
					}
					if said := at(t, client, "neigh show "+tt.addr+" dev peer"); !strings.Contains(said, "lladdr "+tt.mac) {
						t.Errorf("accept %v: not resolved to %s: %s", accept, tt.mac, said)
					}
				}
			})
		})
	}
}
