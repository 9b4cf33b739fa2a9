//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// most is the number of addresses that fit the count of an advertisement (RFC
// 9568 §5.2.5).
const most = 255

// manyIPs lists so many virtual addresses of a family.
func manyIPs(six bool, count int) (ips []netip.Addr) {
	if six {
		ips = append(ips, lab.IPv6VIPs[0])
	}
	for i := 1; len(ips) < count; i++ {
		if six {
			ips = append(ips, netip.MustParseAddr(fmt.Sprintf("2001:db8:9::1:%x", i)))
		} else {
			ips = append(ips, netip.MustParseAddr(fmt.Sprintf("10.77.0.%d", i)))
		}
	}
	return ips
}

// manyConfig is a virtual router with as many addresses.
func manyConfig(six bool, count, priority int, more string) string {
	vrid, device := 4, "vrrp4"
	if six {
		vrid, device = 6, "vrrp6"
	}
	var list []string
	for _, ip := range manyIPs(six, count) {
		list = append(list, fmt.Sprintf("%q", ip))
	}
	return fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = %q\nvip = [%s]\npriority = %d\nversion = 3\niftype = \"macvlan\"\nvifname = %q\n"+timers3+"\n%s\n",
		vrid, lab.Interface, strings.Join(list, ", "), priority, device, more)
}

// hmacOptions authenticate with a trailer.
const hmacOptions = "auth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 1\nmode = \"enforce\"\n[[vrouter.hmac.key]]\nid = 1\nvalue = \"" + key1 + "\"\n"

// ofMany matches a node's advertisements of the virtual router with many
// addresses.
func ofMany(n *lab.Node, six bool) func(lab.Frame) bool {
	return lab.From(n, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Src.Is6() == six })
}

// TestManyAddresses: 255 addresses in each family, in fragments where the
// link is too narrow for the advertisement; with a trailer, too, and on a
// link where IPv4 does not fit either. The Backup hears them, takes over in
// time, holds every address and announces each.
func TestManyAddresses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		mtu     int
		hmac    string
		trailer int
		cut4    bool
	}{
		{"MTU 1500", 1500, "", 0, false},
		{"MTU 1500, HMAC", 1500, hmacOptions, trailerLen, false},
		{"MTU 600, IPv4 alone", 600, "", 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			families := []bool{false, true}
			if tt.mtu < 1280 {
				families = families[:1]
			}
			text := func(priority int) (s string) {
				for _, six := range families {
					s += manyConfig(six, most, priority, tt.hmac)
				}
				return s
			}
			for _, n := range l.Nodes() {
				n.IP(fmt.Sprintf("link set %s mtu %d", lab.Interface, tt.mtu))
			}
			a := startReloaded(t, l.R1, text(high))
			for _, six := range families {
				l.Tap.Await(0, 10*time.Second, "r1's advertisement", ofMany(l.R1, six))
			}
			b := startReloaded(t, l.R2, text(low))
			for range families {
				b.AwaitLine(0, 5*time.Second, "initialize->backup")
			}
			for range 10 { // longer than r2's Active_Down_Interval
				for _, six := range families {
					l.Tap.Await(l.Tap.Len(), time.Second, "r1's next advertisement", ofMany(l.R1, six))
				}
			}
			if b.Said(0, "->active|packets dropped|level=ERROR") || a.Said(0, "level=ERROR") {
				t.Fatalf("r1 said\n%s\nr2 said\n%s", a.Output(), b.Output())
			}
			killed := a.Kill()
			for _, six := range families {
				takenOver(t, l, six, killed)
				for _, f := range lab.Select(l.Tap.From(0), ofMany(l.R2, six)) {
					wholeAdvert(t, f, six, tt.mtu, tt.trailer, six || tt.cut4)
				}
			}
		})
	}
}

// takenOver checks that r2 has taken over the virtual router of a family in
// time, and all its addresses.
func takenOver(t *testing.T, l *lab.Lab, six bool, killed time.Time) {
	t.Helper()
	r := lab.Router{Version: 3, Interval: interval3, Priority: low}
	takeover := l.Tap.Await(0, r.ActiveDown()+time.Second, "r2's advertisement", ofMany(l.R2, six))
	before := last(t, l.Tap.From(0), killed, "r1's last advertisement", ofMany(l.R1, six))
	// The one that is due second waits for the kernel, which takes a while to
	// put 255 addresses on a device.
	between(t, "the takeover", before.Time, takeover.Time, r.ActiveDown()-haste, r.ActiveDown()+4*tolerance)
	want, device := manyIPs(six, most), "vrrp4"
	if six {
		device = "vrrp6"
	}
	var missing []netip.Addr
	if !lab.Until(3*time.Second, func() bool {
		missing = missing[:0]
		held := l.R2.Addresses(device)
		for _, ip := range want {
			if !slices.Contains(held, ip) {
				missing = append(missing, ip)
			}
		}
		return len(missing) == 0
	}) {
		t.Errorf("r2 does not hold %v", missing)
	}
	for _, ip := range want {
		l.Tap.Await(0, 3*time.Second, "the announcement of "+ip.String(), lab.From(l.R2, func(f lab.Frame) bool {
			return f.ND != nil && f.ND.Type == lab.NeighborAdvertisement && f.ND.Target == ip || f.ARP != nil && f.ARP.SenderIP == ip && f.ARP.TargetIP == ip
		}))
	}
}

// wholeAdvert checks an advertisement, and the fragments it came in.
func wholeAdvert(t *testing.T, f lab.Frame, six bool, mtu, trailer int, cut bool) {
	t.Helper()
	size, mac := 4, lab.VirtualMAC(4)
	if six {
		size, mac = 16, lab.VirtualMAC6(6)
	}
	if (len(f.Fragments) > 1) != cut || slices.ContainsFunc(f.Fragments, func(n int) bool { return n > 14+mtu }) {
		t.Errorf("frames of %v bytes, the MTU is %d", f.Fragments, mtu)
	}
	if !slices.Equal(f.VRRP.Addrs, manyIPs(six, most)) || len(f.VRRP.Message) != 8+most*size+trailer {
		t.Errorf("%d addresses in a message of %d bytes", len(f.VRRP.Addrs), len(f.VRRP.Message))
	}
	if f.Src != mac || f.VRRP.TTL != 255 || f.VRRP.DSField != 0xc0 || trailer == 0 && f.VRRP.ChecksumForm() == "" {
		t.Errorf("%s: TTL %d, DS field %#x, checksum %q", f.Src, f.VRRP.TTL, f.VRRP.DSField, f.VRRP.ChecksumForm())
	}
}

// TestManyAddressesOfKeepalived: keepalived hears an advertisement that came
// in fragments, and follows. Its own buffer is as long as its MTU, so that it
// cannot hear one for which an Ethernet is too narrow; our link is narrower.
func TestManyAddressesOfKeepalived(t *testing.T) {
	t.Parallel()
	const count = 80
	l := lab.New(t)
	l.R1.IP(fmt.Sprintf("link set %s mtu 1280", lab.Interface))
	a := startReloaded(t, l.R1, manyConfig(true, count, high, ""))
	l.Tap.Await(0, 10*time.Second, "r1's advertisement", ofMany(l.R1, true))
	k := l.R2.Run(manyOfKeepalived(count, low))
	k.AwaitBackup()
	for range 15 { // many Active_Down_Intervals
		f := l.Tap.Await(l.Tap.Len(), time.Second, "r1's next advertisement", ofMany(l.R1, true))
		if len(f.Fragments) < 2 {
			t.Fatalf("in one frame of %d bytes", f.Len)
		}
	}
	if k.TurnedActive(0) || a.Said(0, "level=ERROR") {
		t.Errorf("r1 said\n%s\nkeepalived said\n%s", a.Output(), k.Output())
	}
	a.Kill()
	k.AwaitActive(0)
}

// manyOfKeepalived is keepalived with as many IPv6 addresses.
func manyOfKeepalived(count, priority int) lab.Router {
	var list string
	for _, ip := range manyIPs(true, count) {
		list += fmt.Sprintf("        %s/128\n", ip)
	}
	return lab.Router{Kind: lab.Keepalived, Version: 3, Interval: interval3, Priority: priority, IPv6: true, Text: fmt.Sprintf(
		"vrrp_instance lab {\n    state BACKUP\n    interface %s\n    virtual_router_id 6\n    priority %d\n    advert_int 0.1\n    version 3\n    virtual_ipaddress {\n%s    }\n}\n",
		lab.Interface, priority, list)}
}

// TestMTU follows a link's MTU: advertisements fit it at once; below what
// IPv6 needs the virtual router ends with one line and begins anew later.
func TestMTU(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	before := l.R1.AtRest()
	text := manyConfig(false, most, high, "") + manyConfig(true, 80, high, "")
	a := startReloaded(t, l.R1, text)
	ofWidth := func(six bool, widest int) func(lab.Frame) bool {
		return func(f lab.Frame) bool {
			frames := f.Fragments
			if len(frames) == 0 {
				frames = []int{f.Len}
			}
			return ofMany(l.R1, six)(f) && slices.Max(frames) == widest
		}
	}
	l.Tap.Await(0, 10*time.Second, "IPv6 in one frame", ofWidth(true, 14+40+8+80*16))
	for _, step := range []struct{ mtu, four, six int }{
		{1300, 14 + 20 + 8 + most*4, 14 + 1296},
		{700, 14 + 700, 0},
		{1400, 14 + 20 + 8 + most*4, 14 + 40 + 8 + 80*16},
	} {
		seen := l.Tap.Len()
		l.R1.IP(fmt.Sprintf("link set %s mtu %d", lab.Interface, step.mtu))
		l.Tap.Await(seen, 3*time.Second, fmt.Sprintf("IPv4 at MTU %d", step.mtu), ofWidth(false, step.four))
		if step.six > 0 {
			l.Tap.Await(seen, 5*time.Second, fmt.Sprintf("IPv6 at MTU %d", step.mtu), ofWidth(true, step.six))
			continue
		}
		a.AwaitLine(0, time.Second, "MTU too small for IPv6.* link=eth0/ipv6 mtu=700 least=1280")
		if !lab.Until(2*time.Second, func() bool { _, there := l.R1.Links()["vrrp6"]; return !there }) {
			t.Error("the device of IPv6 is still there")
		}
	}
	if a.Said(0, "interface not usable") {
		t.Errorf("it said\n%s", a.Output())
	}
	a.Terminate(5 * time.Second)
	l.R1.IP(fmt.Sprintf("link set %s mtu 1500", lab.Interface))
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}
