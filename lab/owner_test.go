//go:build lab

package lab_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// runText starts rvrrpd with a configuration of the test's own.
func runText(t testing.TB, n *lab.Node, text string) *lab.Process {
	t.Helper()
	return n.Start(lab.Binary("rvrrpd"), "-m1", "-c", writeConfig(t, text))
}

// writeConfig writes a configuration and returns its file.
func writeConfig(t testing.TB, text string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// accepts says whether the client, asking at a closed UDP port, is told so by
// who has the address.
func accepts(t *testing.T, l *lab.Lab, ip netip.Addr) (refused bool) {
	t.Helper()
	return acceptsWithin(t, l, ip, 64)
}

// acceptsWithin is accepts within so many hops.
func acceptsWithin(t *testing.T, l *lab.Lab, ip netip.Addr, hops int) (refused bool) {
	t.Helper()
	if ip.IsLinkLocalUnicast() && ip.Is6() && ip.Zone() == "" {
		ip = ip.WithZone(lab.Interface)
	}
	d := net.Dialer{Control: func(network, _ string, c syscall.RawConn) error {
		level, option := syscall.IPPROTO_IP, syscall.IP_TTL
		if network == "udp6" {
			level, option = syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS
		}
		var err error
		return errors.Join(c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), level, option, hops) }), err)
	}}
	err := l.Client.Do(func() error {
		c, err := d.Dial("udp", netip.AddrPortFrom(ip, 9).String())
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Write([]byte("?")); err != nil {
			return err
		}
		if err := c.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			return err
		}
		_, err = c.Read(make([]byte, 1))
		return err
	})
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return true
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.EHOSTUNREACH):
		return false
	}
	t.Fatalf("asking at %v: %v", ip, err)
	return false
}

// TestAcceptMode: with accept_mode = false the addresses answer ARP and
// neighbor discovery, and nothing else, nor are such packets sent on (RFC
// 9568 §6.1, §8.3.1).
func TestAcceptMode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, extra string
		want        bool
	}{
		{"default", "", true},
		{"false", "accept_mode = false\n", false},
		{"strict", "strict = true\n", false},
		{"strict, but true", "strict = true\naccept_mode = true\n", true},
		{"priority 255", "accept_mode = false\n", true},
	} {
		for _, ipv6 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, IPv6 %v", tt.name, ipv6), func(t *testing.T) {
				t.Parallel()
				r := lab.Router{Kind: lab.Rvrrpd, Priority: high, Version: 3, Interval: interval3, IPv6: ipv6}
				if tt.name == "priority 255" {
					r.Priority = 255
				}
				l := lab.New(t)
				l.Client.IP("addr add 2001:db8:9::9/64 dev " + lab.Interface + " nodad")
				p := runText(t, l.R1, r.Configuration(l.R1.Name)+tt.extra)
				l.Tap.Await(0, 5*time.Second, "r1's advertisement", advertisement(l.R1))
				answers(t, l, l.R1, r)
				for _, vip := range r.VIPs() {
					mark := l.Tap.Len()
					if got := accepts(t, l, vip); got != tt.want {
						t.Errorf("%v accepts packets: %v, want %v; it said\n%s", vip, got, tt.want, p.Output())
					}
					for _, f := range l.Tap.From(mark) {
						if f.Port == l.R1.Name && f.VRRP == nil && f.ARP == nil && f.ND == nil && !tt.want {
							t.Errorf("r1 sends %s", f)
						}
					}
				}
				answers(t, l, l.R1, r)
				if status := p.Terminate(5 * time.Second); status != 0 {
					t.Errorf("status %d; it said\n%s", status, p.Output())
				}
			})
		}
	}
}

// TestAcceptModeOutlives: the addresses of a daemon that was killed accept no
// packets either, as long as they are there.
func TestAcceptModeOutlives(t *testing.T) {
	t.Parallel()
	for _, lease := range []string{"auto", "lifetime", "off"} {
		for _, ipv6 := range []bool{false, true} {
			t.Run(fmt.Sprintf("lease %s, IPv6 %v", lease, ipv6), func(t *testing.T) {
				t.Parallel()
				r := lab.Router{Kind: lab.Rvrrpd, Priority: high, Version: 3, IPv6: ipv6}
				l := lab.New(t)
				l.Client.IP("addr add 2001:db8:9::9/64 dev " + lab.Interface + " nodad")
				p := runText(t, l.R1, fmt.Sprintf("lease = %q\n", lease)+r.Configuration(l.R1.Name)+"accept_mode = false\n")
				p.AwaitLine(0, 10*time.Second, "backup->active")
				vip := r.VIPs()[len(r.VIPs())-1]
				// The first advertisement leaves before it.
				if !lab.Until(5*time.Second, func() bool { return l.R1.Holds(vip) }) {
					t.Fatalf("%v is not there; it said\n%s", vip, p.Output())
				}
				p.Kill()
				for since := time.Now(); l.R1.Holds(vip) && time.Since(since) < 5*time.Second; {
					if accepts(t, l, vip) {
						t.Fatalf("%v accepts packets, %v after the death", vip, time.Since(since))
					}
				}
				if there := l.R1.Holds(vip); there != (lease != "lifetime") {
					t.Errorf("%v is there: %v", vip, there)
				}
			})
		}
	}
}

// advertOf matches a node's advertisements of a priority, in either family.
func advertOf(n *lab.Node, priority int) func(lab.Frame) bool {
	return lab.From(n, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Priority == priority })
}

// TestOwner: a router whose interface has the virtual addresses is their
// owner: Active with priority 255 whatever the configuration says, its
// macvlan alone answers for them, and the interface keeps them for ever.
func TestOwner(t *testing.T) {
	t.Parallel()
	for _, ipv6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("IPv6 %v", ipv6), func(t *testing.T) {
			t.Parallel()
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, IPv6: ipv6}
			lower, higher := r, r
			lower.Priority, higher.Priority = low, high
			own := func(l *lab.Lab, verb string) {
				for _, vip := range r.VIPs() {
					if vip.Is6() {
						l.R1.IP(fmt.Sprintf("addr %s %v/64 dev %s", verb, vip, lab.Interface))
					} else {
						l.R1.IP(fmt.Sprintf("addr %s %v/24 dev %s", verb, vip, lab.Interface))
					}
				}
			}
			l := lab.New(t)
			own(l, "add")
			before := l.R1.AtRest()
			b := l.R2.Run(higher)
			b.AwaitActive(0)
			a := l.R1.Run(lower)
			l.Tap.Await(0, 5*time.Second, "the owner's advertisement", advertOf(l.R1, 255))
			b.AwaitStepBack(0)
			answers(t, l, l.R1, r)
			if !accepts(t, l, r.VIPs()[0]) {
				t.Error("the owner does not accept packets")
			}

			mark := l.Tap.Len()
			own(l, "del")
			bye := l.Tap.Await(mark, 2*time.Second, "the goodbye of who owns nothing any more", goodbye(l.R1))
			takeover := l.Tap.Await(mark, 2*time.Second, "r2's advertisement", advertOf(l.R2, high))
			if takeover.Time.Before(bye.Time) {
				t.Error("r2 took over before the owner's goodbye")
			}
			answers(t, l, l.R2, r)
			if said := lab.Select(l.Tap.From(slices.IndexFunc(l.Tap.From(0), func(f lab.Frame) bool { return f.Time.Equal(takeover.Time) })), advertisement(l.R1)); len(said) > 0 {
				t.Errorf("r1 goes on: %s", said[0])
			}

			mark = l.Tap.Len()
			own(l, "add")
			l.Tap.Await(mark, 2*time.Second, "the owner's return", advertOf(l.R1, 255))
			answers(t, l, l.R1, r)

			a.Kill()
			again := a.Again()
			l.Tap.Await(l.Tap.Len(), 5*time.Second, "the owner's advertisement", advertOf(l.R1, 255))
			if status := again.Terminate(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, again.Output())
			}
			if diff := before.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("r1 is not as it was before:\n%s", diff)
			}
		})
	}
}

// someOwned is a virtual router with two addresses.
func someOwned(onInterface bool) string {
	iftype := "macvlan"
	if onInterface {
		iftype = "ether"
	}
	return fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = %q\nvip = [\"%v\", \"%v\"]\nversion = 3\niftype = %q\n"+timers3+"\n",
		lab.VRID, lab.Interface, lab.VIP, other, iftype)
}

var other = netip.MustParseAddr("10.9.0.253")

// TestOwnerOfSome: who has only some of the addresses waits for the others, and
// says why.
func TestOwnerOfSome(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.R1.IP(fmt.Sprintf("addr add %v/24 dev %s", lab.VIP, lab.Interface))
	p := runText(t, l.R1, strings.Replace(someOwned(false), timers3, "timers.advert = 2", 1))
	p.AwaitLine(0, 5*time.Second, "some of the virtual addresses, not all: waiting.*"+lab.VIP.String())
	p.AwaitLine(0, 5*time.Second, "ready")
	l.R1.IP(fmt.Sprintf("addr add %v/24 dev %s", other, lab.Interface))
	l.Tap.Await(0, 5*time.Second, "the owner's advertisement", advertOf(l.R1, 255))
	if said := lab.Select(l.Tap.From(0), func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.Priority != 255 }); len(said) > 0 {
		t.Errorf("before it owned all it said %s", said[0])
	}
}

// TestOwnerOfSomeTakesPart: when the others do not come it takes part without
// being their owner, and says so; it leaves what it has found where it is, and
// answers for it whatever its state.
func TestOwnerOfSomeTakesPart(t *testing.T) {
	t.Parallel()
	for _, onInterface := range []bool{false, true} {
		t.Run(fmt.Sprintf("on the interface %v", onInterface), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			l.R1.IP(fmt.Sprintf("addr add %v/24 dev %s", lab.VIP, lab.Interface))
			before := l.R1.AtRest()
			p := runText(t, l.R1, someOwned(onInterface)+"accept_mode = false\n")
			waits := p.AwaitLine(0, 5*time.Second, "some of the virtual addresses, not all: waiting")
			runs := p.AwaitLine(0, 10*time.Second, "level=ERROR.*they stay there, and the router takes part")
			down := 3*interval3 + interval3*156/256
			between(t, "the wait for the others", waits.Said(), runs.Said(), down-haste, down+interval3)
			if !accepts(t, l, lab.VIP) {
				t.Errorf("the interface's own %v is refused", lab.VIP)
			}
			l.Tap.Await(0, 10*time.Second, "r1's advertisement", advertOf(l.R1, 100))
			if !lab.Until(2*time.Second, func() bool { return l.R1.Holds(other) && l.R1.Holds(lab.VIP) }) {
				t.Errorf("Active, and r1 has %v", l.R1.AllAddresses())
			}
			if len(l.WhoHas(lab.VIP)) != 1 || len(l.WhoHas(other)) != 1 {
				t.Errorf("answers for %v: %v, for %v: %v", lab.VIP, l.WhoHas(lab.VIP), other, l.WhoHas(other))
			}
			if status := p.Terminate(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, p.Output())
			}
			if diff := before.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("r1 is not as it was before:\n%s", diff)
			}

			// What is gone from the interface is taken, too.
			p = runText(t, l.R1, someOwned(onInterface))
			p.AwaitLine(0, 10*time.Second, "backup->active")
			l.R1.IP(fmt.Sprintf("addr del %v/24 dev %s", lab.VIP, lab.Interface))
			if !lab.Until(5*time.Second, func() bool { return l.R1.Holds(lab.VIP) && len(l.WhoHas(lab.VIP)) == 1 }) {
				t.Errorf("r1 has %v; it said\n%s", l.R1.AllAddresses(), p.Output())
			}
			if p.Said(0, "active->") {
				t.Errorf("it has stepped back; it said\n%s", p.Output())
			}
			p.Terminate(5 * time.Second)
			if l.R1.Holds(lab.VIP) {
				t.Errorf("stopped, and r1 has %v", l.R1.AllAddresses())
			}
		})
	}
}

// TestTwoFamilies: an IPv4 and an IPv6 virtual router with the same VRID on
// one interface are nothing to each other.
func TestTwoFamilies(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	text := `[[vrouter]]
group = 10
interface = "eth0"
vip = "10.9.0.254/24"
priority = %[1]d
preemption = true
version = 3
` + timers3 + `
iftype = "macvlan"

[[vrouter]]
group = 10
interface = "eth0"
vip = "2001:db8:9::254/64"
priority = %[2]d
preemption = true
` + timers3 + `
iftype = "macvlan"
`
	p1 := runText(t, l.R1, fmt.Sprintf(text, high, low))
	p2 := runText(t, l.R2, fmt.Sprintf(text, low, high))
	is := func(n *lab.Node, ipv6 bool) func(lab.Frame) bool {
		return func(f lab.Frame) bool { return advertisement(n)(f) && f.VRRP.Src.Is6() == ipv6 }
	}
	l.Tap.Await(0, 5*time.Second, "r1's advertisement in IPv4", is(l.R1, false))
	l.Tap.Await(0, 5*time.Second, "r2's advertisement in IPv6", is(l.R2, true))
	// Each is left alone for longer than its Active_Down_Interval.
	mark := l.Tap.Len()
	for range 6 {
		l.Tap.Await(l.Tap.Len(), time.Second, "r1's advertisement in IPv4", is(l.R1, false))
	}
	for _, f := range l.Tap.From(mark) {
		if is(l.R2, false)(f) || is(l.R1, true)(f) {
			t.Errorf("two Actives: %s", f)
		}
	}
	derived := netip.MustParseAddr("fe80::5e00:20a")
	first := l.Tap.Await(mark, time.Second, "an advertisement in IPv6", is(l.R2, true))
	if want := []netip.Addr{derived, netip.MustParseAddr("2001:db8:9::254")}; !slices.Equal(first.VRRP.Addrs, want) {
		t.Errorf("advertised %v, want %v", first.VRRP.Addrs, want)
	}
	if !strings.Contains(p1.Output()+p2.Output(), "link-local address derived") {
		t.Error("the derived address is not mentioned in the log")
	}
	p2.Kill()
	l.Tap.Await(mark, 5*time.Second, "r1's advertisement in IPv6", is(l.R1, true))
}

// TestMigration: a router that speaks both versions with one that knows
// version 2 only, and with one that knows version 3 only, each Active in turn
// (RFC 9568 §8.4).
func TestMigration(t *testing.T) {
	t.Parallel()
	for _, version := range []int{2, 3} {
		for _, peer := range []lab.Kind{lab.Rvrrpd, lab.Keepalived} {
			t.Run(fmt.Sprintf("version %d, %s", version, peer), func(t *testing.T) {
				t.Parallel()
				both := lab.Router{Kind: lab.Rvrrpd, Priority: high}
				other := lab.Router{Kind: peer, Priority: low, Version: version}
				l := lab.New(t)
				text := both.Configuration(l.R1.Name) + "version = \"2+3\"\nchecksum = \"rfc5798\"\n"
				if peer == lab.Rvrrpd && version == 3 {
					other.Checksum = lab.Plain
				}
				b := l.R2.Run(other)
				b.AwaitActive(0)
				a := runText(t, l.R1, text)
				l.Tap.Await(0, 10*time.Second, "r1's advertisement", advertisement(l.R1))
				b.AwaitStepBack(0)
				mark := l.Tap.Len()
				for _, v := range []int{2, 3, 2, 3, 2} { // 3 is sent first: not to end between the two
					l.Tap.Await(mark, 3*time.Second, fmt.Sprintf("r1's advertisement in version %d", v), lab.From(l.R1, func(f lab.Frame) bool {
						return f.VRRP != nil && f.VRRP.Version == v && f.VRRP.Priority == high
					}))
					mark = l.Tap.Len()
				}
				killed := a.Kill()
				takeover := l.Tap.Await(l.Tap.Len(), 10*time.Second, "r2's advertisement", advertisement(l.R2))
				before := last(t, l.Tap.From(0), killed, "r1's last advertisement", advertisement(l.R1))
				inTime(t, "the takeover", before.Time, takeover.Time, other.ActiveDown(), other)

				// And back: a Backup that hears only the version of the other.
				mark = l.Tap.Len()
				a = runText(t, l.R1, strings.Replace(text, "priority = 200", "priority = 50", 1))
				a.AwaitLine(0, 5*time.Second, "initialize->backup")
				for range 5 {
					l.Tap.Await(l.Tap.Len(), 3*time.Second, "r2's advertisement", advertisement(l.R2))
				}
				if said := lab.Select(l.Tap.From(mark), lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil })); len(said) > 0 {
					t.Errorf("r1 says %s beside r2", said[0])
				}
				b.Kill()
				l.Tap.Await(l.Tap.Len(), 10*time.Second, "r1's advertisement", lab.AdvertOf(l.R1, 50))
			})
		}
	}
}
