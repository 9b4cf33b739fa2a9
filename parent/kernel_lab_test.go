//go:build lab

package parent

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/lab/netns"
	"github.com/rvrrpd/rvrrpd/parent/frames"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"github.com/rvrrpd/rvrrpd/records"
	"golang.org/x/sys/unix"
)

func find(t *testing.T, k *kernel.Kernel, name string) facts.Link {
	t.Helper()
	links, err := facts.Links()
	if err != nil {
		t.Error(err)
		return facts.Link{}
	}
	i := slices.IndexFunc(links, func(l facts.Link) bool { return l.Name == name })
	if i < 0 {
		t.Errorf("no interface %s in %+v", name, links)
		return facts.Link{}
	}
	return links[i]
}

// macvlan makes a device for VRID 10 above eth0.
func macvlan(t *testing.T, k *kernel.Kernel) int {
	t.Helper()
	mac := records.VirtualMAC(ipc.IPv4, 10)
	index, err := k.CreateMACVLAN(find(t, k, "eth0").Index, "standby10", mac[:], "rvrrpd arp_ignore=0", deviceGroup|7)
	if err != nil {
		t.Error(err)
	}
	return index
}

var twoAddresses = []vaddr{
	{Prefix: netip.MustParsePrefix("10.9.0.254/24"), NoPrefixRoute: true},
	{Prefix: netip.MustParsePrefix("172.16.0.1/16")},
}

func TestKernelAcquireAndRelease(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		k, err := kernel.Open()
		if err != nil {
			t.Error(err)
			return
		}
		dev := macvlan(t, k)
		if l := find(t, k, "standby10"); l.Up || l.Kind != "macvlan" || l.Alias != "rvrrpd arp_ignore=0" || l.Group != deviceGroup|7 ||
			l.Lower != find(t, k, "eth0").Index || l.MAC.String() != "00:00:5e:00:01:0a" {
			t.Errorf("device: %+v", l)
		}
		ours := func() (out []string) {
			addrs, err := facts.Addresses()
			if err != nil {
				t.Error(err)
			}
			for _, a := range addrs {
				if a.Index == dev && a.Proto == facts.Protocol {
					out = append(out, a.Prefix.String())
				}
			}
			return out
		}
		for range 2 { // twice the same is once
			if err := k.Acquire(kernel.Placement{Device: dev, Own: true, Addresses: twoAddresses}); err != nil {
				t.Error(err)
			}
			if got := ours(); !slices.Equal(got, []string{"10.9.0.254/24", "172.16.0.1/16"}) || !find(t, k, "standby10").Up {
				t.Errorf("after acquire: %v", got)
			}
		}
		routes, err := exec.Command("ip", "route").Output()
		if err != nil || strings.Count(string(routes), "standby10") != 1 || !strings.Contains(string(routes), "172.16.0.0/16 dev standby10") {
			t.Errorf("routes:\n%s%v", routes, err)
		}
		for range 2 {
			if err := k.Release(dev, true, twoAddresses); err != nil {
				t.Error(err)
			}
			if got := ours(); len(got) != 0 || find(t, k, "standby10").Up {
				t.Errorf("after release: %v", got)
			}
		}
		for range 2 {
			if err := k.DeleteLink(dev); err != nil {
				t.Error(err)
			}
		}
		if err := k.Acquire(kernel.Placement{Device: dev, Own: true, Addresses: twoAddresses}); !errors.Is(err, unix.ENODEV) {
			t.Errorf("acquire on a device that is gone: %v", err)
		}
		if err := k.Release(dev, true, twoAddresses); err != nil {
			t.Errorf("release on a device that is gone: %v", err)
		}
		// An exchange that failed does not spoil the next one.
		if err := k.Acquire(kernel.Placement{Device: find(t, k, "eth0").Index, Addresses: twoAddresses[:1]}); err != nil {
			t.Error(err)
		}
	})
}

// TestKernelNetworks: of an address with a peer the network is the peer's, and that of
// the address advertisements come from stands first.
func TestKernelNetworks(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		for _, args := range []string{
			"addr del 10.9.0.1/24 dev eth0", "addr add 10.9.0.1 peer 10.9.1.2/24 dev eth0", "addr add 10.7.0.1/32 dev eth0", "addr add 10.8.0.1/16 dev eth0",
		} {
			if err := netns.IP(args); err != nil {
				t.Error(err)
				return
			}
		}
		k, err := kernel.Open()
		if err != nil {
			t.Error(err)
			return
		}
		addrs, err := facts.Addresses()
		info := find(t, k, "eth0")
		l := &link{wire: wire{linkName: linkName{"eth0", ipc.IPv4}, index: info.Index}}
		state := l.observed(info, addrs)
		want := []netip.Prefix{netip.MustParsePrefix("10.9.1.2/24"), netip.MustParsePrefix("10.7.0.1/32"), netip.MustParsePrefix("10.8.0.1/16")}
		if err != nil || state.Primary != netip.MustParseAddr("10.9.0.1") || !slices.Equal(state.Networks[:3], want) || l.prefixes[0].Addr() != state.Primary {
			t.Errorf("%v: primary address %v, networks %v, prefixes %v", err, state.Primary, state.Networks[:4], l.prefixes)
		}
	})
}

func TestKernelManyAddresses(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		k, err := kernel.Open()
		if err != nil {
			t.Error(err)
			return
		}
		dev := macvlan(t, k)
		var many []vaddr
		for i := range 255 {
			many = append(many, vaddr{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, 1, byte(i)}), 32)})
		}
		if err := k.Acquire(kernel.Placement{Device: dev, Own: true, Addresses: many}); err != nil {
			t.Error(err)
		}
		addrs, err := facts.Addresses()
		addrs = slices.DeleteFunc(addrs, func(a facts.Address) bool { return a.Proto != facts.Protocol })
		if err != nil || len(addrs) != len(many) {
			t.Errorf("%d addresses, %v", len(addrs), err)
		}
		if err := k.Release(dev, true, many); err != nil {
			t.Error(err)
		}
	})
}

func TestKernelChanged(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		k, err := kernel.Open()
		if err != nil {
			t.Error(err)
			return
		}
		var m monitor
		m.Reports, err = kernel.OpenReports(observed...)
		if err != nil {
			t.Error(err)
			return
		}
		quiet := func() {
			for {
				if any, err := m.changed(); err != nil || !any {
					return
				}
			}
		}
		for _, change := range []string{"link set peer down", "link set peer up", "addr add 10.9.0.9/24 dev eth0", "addr del 10.9.0.9/24 dev eth0", "link set eth0 name eth1"} {
			quiet()
			if strings.HasSuffix(change, "eth1") {
				err = errors.Join(netns.IP("link set eth0 down"), netns.IP(change))
			} else {
				err = netns.IP(change)
			}
			if err != nil {
				t.Error(err)
			}
			if _, err := ipc.Wait([]unix.PollFd{{Fd: int32(m.FD), Events: unix.POLLIN}}, 2*time.Second); err != nil {
				t.Error(err)
			}
			if any, err := m.changed(); err != nil || !any {
				t.Errorf("%s: changed %v, %v", change, any, err)
			}
			if change == "link set peer down" && find(t, k, "eth0").Up {
				t.Error("eth0 is up without carrier")
			}
		}
	})
}

// changed says whether anything was reported that is of interest.
func (m *monitor) changed() (any bool, err error) {
	lost, err := m.Each(func(datagram []byte) {
		some, _ := m.read(datagram, func(int) bool { return true })
		any = any || some
	})
	return any || lost, err
}

// TestRevived: an address that is put again lives for its time, and is no reason
// to look at everything; one that somebody has removed meanwhile is.
func TestRevived(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		k, err := kernel.Open()
		if err != nil {
			t.Error(err)
			return
		}
		var m monitor
		m.Reports, err = kernel.OpenReports(observed...)
		if err != nil {
			t.Error(err)
			return
		}
		dev := macvlan(t, k)
		changed := func() (any bool) {
			for {
				if _, err := ipc.Wait([]unix.PollFd{{Fd: int32(m.FD), Events: unix.POLLIN}}, 100*time.Millisecond); err != nil {
					t.Error(err)
				}
				some, err := m.changed()
				if any = any || some; err != nil || !some {
					return any
				}
			}
		}
		addrs := []vaddr{{Prefix: netip.MustParsePrefix("10.9.0.254/24"), NoPrefixRoute: true}, {Prefix: netip.MustParsePrefix("2001:db8::a/128"), NoPrefixRoute: true}}
		if err := k.Acquire(kernel.Placement{Device: dev, Own: true, Addresses: addrs}); err != nil || !changed() {
			t.Errorf("taken without a report: %v", err)
		}
		lives := func(seconds string) {
			t.Helper()
			out, err := exec.Command("ip", "addr", "show", "dev", "standby10", "scope", "global").CombinedOutput()
			if err != nil || strings.Count(string(out), "valid_lft "+seconds) != len(addrs) {
				t.Errorf("not for %s: %v\n%s", seconds, err, out)
			}
		}
		for _, seconds := range []uint32{100, 200, 0} {
			time.Sleep(20 * time.Millisecond) // the kernel's times are of 10 ms
			if err := k.Revive(kernel.Placement{Device: dev, Lifetime: seconds, Addresses: addrs}); err != nil {
				t.Error(err)
			}
			if k.KeepsMarks() && changed() {
				t.Errorf("put again for %d s: taken for another's change", seconds)
			}
			lives(map[uint32]string{100: "100sec", 200: "200sec", 0: "forever"}[seconds])
		}
		if err := errors.Join(netns.IP("addr del 10.9.0.254/24 dev standby10"), k.Revive(kernel.Placement{Device: dev, Lifetime: 100, Addresses: addrs})); err != nil || !changed() {
			t.Errorf("removed and put again without a report: %v", err)
		}
	})
}

// TestRevivedRoute: the route to the prefix of an address lives as long, from
// when it is put first.
func TestRevivedRoute(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		k, err := kernel.Open()
		if err != nil {
			t.Error(err)
			return
		}
		dev := macvlan(t, k)
		addrs := []vaddr{{Prefix: netip.MustParsePrefix("2001:db8:8::a/64")}}
		put := func(seconds uint32) error {
			return k.Acquire(kernel.Placement{Device: dev, Own: true, Lifetime: seconds, Addresses: addrs})
		}
		again := func(seconds uint32) error {
			return k.Revive(kernel.Placement{Device: dev, Lifetime: seconds, Addresses: addrs})
		}
		for _, step := range []struct {
			do      func(uint32) error
			seconds uint32
		}{{put, 150}, {again, 0}, {again, 100}, {again, 200}, {again, 0}, {again, 300}, {put, 250}} {
			seconds := step.seconds
			if err := step.do(seconds); err != nil {
				t.Error(err)
			}
			out, err := exec.Command("ip", "-6", "route", "show", "2001:db8:8::/64").Output()
			want := "^2001:db8:8::/64 dev standby10 proto kernel metric 256 "
			if seconds > 0 {
				want += fmt.Sprintf("expires (%d|%d)sec ", seconds, seconds-1)
			}
			if err != nil || !regexp.MustCompile(want+"pref medium").Match(out) {
				t.Errorf("put again for %d s: %s, %v", seconds, out, err)
			}
		}
	})
}

// TestReceiver: a raw socket on the link hears every frame once, also one from
// the MAC address of a macvlan that is up above it.
func TestReceiver(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		k, err := kernel.Open()
		if err != nil {
			t.Error(err)
			return
		}
		r, err := frames.OpenReceiver(ipc.IPv4, []uint8{10}, true)
		if err != nil {
			t.Error(err)
			return
		}
		dev := macvlan(t, k)
		eth0, peer := find(t, k, "eth0"), find(t, k, "peer")
		if err := errors.Join(r.Join(eth0.Index), r.Join(eth0.Index), k.Acquire(kernel.Placement{Device: dev, Own: true, Addresses: twoAddresses})); err != nil {
			t.Error(err)
		}
		tx, err := frames.OpenSender(peer.Index, "peer")
		if err != nil {
			t.Error(err)
			return
		}
		message := []byte{0x21, 10, 100, 1, 0, 1, 0, 0, 10, 9, 0, 254, 0, 0, 0, 0, 0, 0, 0, 0}
		for _, tt := range []struct {
			name string
			mac  [6]byte
		}{
			{"another MAC address", [6]byte{2, 0, 0, 0, 0, 1}},
			{"the same virtual MAC address", records.VirtualMAC(ipc.IPv4, 10)},
		} {
			before := ipc.Monotonic()
			if err := tx.Announce(frames.AppendAdvertisement(nil, tt.mac, netip.MustParseAddr("10.9.0.2"), message)); err != nil {
				t.Error(err)
			}
			b := make([]byte, 2048)
			if _, err := ipc.Wait([]unix.PollFd{{Fd: int32(r.FD()), Events: unix.POLLIN}}, 2*time.Second); err != nil {
				t.Error(err)
			}
			n, index, arrived, err := r.Read(b)
			if err != nil || index != eth0.Index || !bytes.Equal(b[20:n], message) || arrived < before || arrived > ipc.Monotonic() {
				t.Errorf("%s: %d bytes on interface %d at %d, %v", tt.name, n, index, arrived-before, err)
			}
			if _, _, _, err := r.Read(b); err != frames.ErrNoPacket {
				t.Errorf("%s: a second packet, %v", tt.name, err)
			}
		}
		// A flood for another virtual router is sampled.
		message[1] = 11
		for range 1600 {
			if err := tx.Announce(frames.AppendAdvertisement(nil, [6]byte{2, 0, 0, 0, 0, 1}, netip.MustParseAddr("10.9.0.2"), message)); err != nil {
				t.Error(err)
			}
		}
		passed := 0
		for b := make([]byte, 2048); ; passed++ {
			if _, _, _, err := r.Read(b); err != nil {
				break
			}
		}
		if passed < 20 || passed > 400 {
			t.Errorf("%d of 1600 packets for a foreign VRID passed the filter, about 100 should", passed)
		}
		if err := unix.SetsockoptInt(r.FD(), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); err != unix.EPERM {
			t.Errorf("the filter can be detached: %v", err)
		}
	})
}

// TestIPv6: addresses on a macvlan that never makes one of its own, and a raw
// socket that gives the header back.
func TestIPv6(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		k, err := kernel.Open()
		if err != nil {
			t.Error(err)
			return
		}
		mac := records.VirtualMAC(ipc.IPv6, 10)
		eth0, peer := find(t, k, "eth0"), find(t, k, "peer")
		dev, err := k.CreateMACVLAN(eth0.Index, "standby10", mac[:], "rvrrpd", deviceGroup|7)
		if err != nil {
			t.Error(err)
			return
		}
		settings, err := differing("standby10", deviceSettings6)
		if err := errors.Join(err, change(settings)); err != nil {
			t.Error(err)
		}
		virtual := []vaddr{{Prefix: netip.MustParsePrefix("fe80::5e00:20a/64")}, {Prefix: netip.MustParsePrefix("2001:db8::a/64"), NoPrefixRoute: true}}
		for range 2 {
			if err := k.Acquire(kernel.Placement{Device: dev, Own: true, Addresses: virtual}); err != nil {
				t.Error(err)
			}
		}
		addrs, err := facts.Addresses()
		if err != nil {
			t.Error(err)
		}
		var got []string
		for _, a := range addrs {
			if a.Index == dev {
				got = append(got, fmt.Sprint(a.Prefix, a.Proto, a.Primary))
			}
		}
		slices.Sort(got)
		if want := []string{"2001:db8::a/64 112 false", "fe80::5e00:20a/64 112 true"}; !slices.Equal(got, want) {
			t.Errorf("addresses %q, want %q", got, want)
		}

		r, err := frames.OpenReceiver(ipc.IPv6, []uint8{10}, true)
		if err != nil {
			t.Error(err)
			return
		}
		if err := errors.Join(r.Join(eth0.Index), r.Join(eth0.Index)); err != nil {
			t.Error(err)
		}
		tx, err := frames.OpenSender(peer.Index, "peer")
		if err != nil {
			t.Error(err)
			return
		}
		message := append([]byte{0x31, 10, 100, 1, 0, 100, 0xde, 0xad}, make([]byte, 16)...)
		src := netip.MustParseAddr("fe80::1")
		frame := frames.AppendAdvertisement(nil, mac, src, message)
		if err := tx.Announce(frame); err != nil {
			t.Error(err)
		}
		if _, err := ipc.Wait([]unix.PollFd{{Fd: int32(r.FD()), Events: unix.POLLIN}}, 2*time.Second); err != nil {
			t.Error(err)
		}
		b := make([]byte, ipc.MaxFrame)
		n, index, _, err := r.Read(b)
		want := bytes.Clone(frame[14:])
		want[0], want[1] = 0x60, 0 // the traffic class is not told
		if err != nil || index != eth0.Index || !bytes.Equal(b[:n], want) {
			t.Errorf("read on %d, %v:\n%x, want\n%x", index, err, b[:n], want)
		}
		if _, _, _, err := r.Read(b); err != frames.ErrNoPacket {
			t.Errorf("a second packet, %v", err)
		}
		passed := 0
		for i := range 1600 {
			frame[14+40+1] = 11 // a foreign VRID, and a wrong hop limit
			if i%2 == 0 {
				frame[14+40+1], frame[14+7] = 10, 254
			}
			if err := tx.Announce(frame); err != nil {
				t.Error(err)
			}
			frame[14+7] = 255
		}
		for ; ; passed++ {
			if _, _, _, err := r.Read(b); err != nil {
				break
			}
		}
		if passed < 20 || passed > 400 {
			t.Errorf("%d of 1600 foreign packets passed the filter, about 100 should", passed)
		}
		if err := errors.Join(k.Release(dev, true, virtual), k.DeleteLink(dev)); err != nil {
			t.Error(err)
		}
	})
}

func TestSenderReportsBusy(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			t.Error(err)
			return
		}
		tx, err := frames.OpenSender(i.Index, "eth0")
		if err != nil {
			t.Error(err)
			return
		}
		defer tx.Close()
		if err := netns.IP("link set eth0 down"); err != nil {
			t.Error(err)
		}
		if err := tx.Announce(make([]byte, 60)); !errors.Is(err, unix.ENETDOWN) {
			t.Errorf("send on an interface that is down: %v", err)
		}
	})
}

func TestLockInterface(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		runDir = filepath.Join(t.TempDir(), "new")
		f, err := new(daemon).lockInterface("eth0")
		if err != nil {
			t.Error(err)
			return
		}
		if info, err := os.Stat(runDir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("directory of locks: %v, %v", info.Mode(), err)
		}
		if _, err := new(daemon).lockInterface("eth0"); !errors.Is(err, ErrLocked) {
			t.Errorf("a second lock: %v", err)
		}
		other, err := new(daemon).lockInterface("eth1")
		if err != nil {
			t.Errorf("another interface: %v", err)
		}
		unlock(other)
		unlock(f)
		again, err := new(daemon).lockInterface("eth0")
		if err != nil {
			t.Errorf("after unlock: %v", err)
		}
		unlock(again)
		if left, err := os.ReadDir(runDir); err != nil || len(left) > 0 {
			t.Errorf("left in the directory: %v, %v", left, err)
		}
	})
}
