//go:build lab

package lab_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// detour is a network that r1 reaches through r2, on the same LAN: whoever
// sends there through r1 would better ask r2, and r1's kernel says so.
type detour struct {
	*lab.Lab
	host   netip.Addr
	router lab.Router
}

// newDetour lays the way from the client through the virtual router to r2.
// Nobody asks who has which address: the client goes on knowing when nobody
// would answer.
func newDetour(l *lab.Lab, r lab.Router) detour {
	d := detour{l, netip.MustParseAddr("10.30.0.9"), r}
	network, via, beyond, nexthop := "10.30.0.0/24", r.VIPs()[0], "10.30.0.9/32", l.R2.Addr
	if r.IPv6 {
		d.host, network, beyond, nexthop = netip.MustParseAddr("2001:db8:30::9"), "2001:db8:30::/64", "2001:db8:30::9/128", l.R2.LinkLocal
		l.Client.IP("addr add 2001:db8:9::3/64 dev " + lab.Interface + " nodad")
	}
	mac, out := r.MAC(), lab.Device
	if r.OnInterface {
		mac, out = l.R1.MAC, lab.Interface
	}
	forward(l.R1)
	for _, name := range []string{"all", lab.Interface} {
		l.R1.Set("net/ipv4/conf/"+name+"/send_redirects", "1")
	}
	l.R2.IP("addr add " + beyond + " dev lo")
	l.R1.IP(fmt.Sprintf("neigh replace %v lladdr %s dev %s nud permanent", nexthop, l.R2.MAC, out),
		fmt.Sprintf("route add %s via %v dev %s onlink", network, nexthop, out))
	if !r.IPv6 && !r.OnInterface {
		// Through the macvlan the kernel redirects those only whom it reaches there.
		l.R1.IP(fmt.Sprintf("route add %v dev %s", l.Client.Addr, out))
	}
	l.Client.IP(fmt.Sprintf("neigh replace %v lladdr %s dev %s nud permanent", via, mac, lab.Interface),
		fmt.Sprintf("route add %s via %v dev %s", network, via, lab.Interface))
	return d
}

// send has the client send a packet that way, and says whether r1 has
// forwarded it and what redirects it has sent meanwhile.
func (d detour) send(t *testing.T) (forwarded bool, redirects []lab.Other) {
	t.Helper()
	mark := d.Tap.Others.Len()
	err := d.Client.Do(func() error {
		c, err := net.Dial("udp", net.JoinHostPort(d.host.String(), "9"))
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("discard"))
		return err
	})
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	// A redirect is sent before the packet that it is about.
	_, forwarded = d.Tap.Others.Wait(mark, time.Second, func(o lab.Other) bool { return o.Port == d.R1.Name && d.isForwarded(o.Data) })
	for _, o := range d.Tap.Others.From(mark) {
		if o.Port == d.R1.Name && isRedirect(o.Data) {
			redirects = append(redirects, o)
		}
	}
	return forwarded, redirects
}

func (d detour) isForwarded(b []byte) bool {
	ip, _ := packetOf(b)
	switch {
	case len(ip) >= 20 && ip[0]>>4 == 4:
		return netip.AddrFrom4([4]byte(ip[16:20])) == d.host
	case len(ip) >= 40 && ip[0]>>4 == 6:
		return netip.AddrFrom16([16]byte(ip[24:40])) == d.host
	}
	return false
}

// packetOf is the IP packet of a frame, and its payload where that is ICMP.
func packetOf(b []byte) (ip, icmp []byte) {
	if len(b) < 14+20 {
		return nil, nil
	}
	ip = b[14:]
	switch binary.BigEndian.Uint16(b[12:]) {
	case 0x0800:
		if header := int(ip[0]&0xf) * 4; ip[9] == 1 && len(ip) > header {
			icmp = ip[header:]
		}
	case 0x86dd:
		if len(ip) > 40 && ip[6] == 58 {
			icmp = ip[40:]
		}
	default:
		return nil, nil
	}
	return ip, icmp
}

// isRedirect says whether a frame is an ICMP redirect (RFC 792, RFC 4861 §4.5).
func isRedirect(b []byte) bool {
	ip, icmp := packetOf(b)
	return len(icmp) > 0 && icmp[0] == map[byte]byte{4: 5, 6: 137}[ip[0]>>4]
}

// TestRedirects: an Active whose kernel would tell the client of a better
// router on the LAN does not: the client used the virtual address, and the
// kernel would speak from another (RFC 5798 §8.1.1, §8.2.1). Without the
// daemon, and so without its rules, it does.
func TestRedirects(t *testing.T) {
	t.Parallel()
	for _, r := range []lab.Router{{}, {OnInterface: true}, {IPv6: true}, {IPv6: true, OnInterface: true}} {
		t.Run(fmt.Sprintf("IPv6 %v, on the interface %v", r.IPv6, r.OnInterface), func(t *testing.T) {
			t.Parallel()
			r.Kind, r.Version, r.Interval, r.Priority = lab.Rvrrpd, 3, interval3, high
			l := lab.New(t)
			a := l.R1.Run(r)
			l.Tap.Await(0, 5*time.Second, "r1's advertisement", advertisement(l.R1))
			answers(t, l, l.R1, lab.Router{IPv6: r.IPv6, OnInterface: r.OnInterface})
			d := newDetour(l, r)
			for range 3 {
				forwarded, redirects := d.send(t)
				if !forwarded {
					t.Error("r1 does not forward")
				}
				for _, o := range redirects {
					t.Errorf("r1 sends a redirect: %x", o.Data)
				}
			}
			a.Kill()
			if !lab.Until(5*time.Second, func() bool { _, redirects := d.send(t); return len(redirects) > 0 }) {
				t.Error("without the daemon r1 sends no redirect either: this shows nothing")
			}
		})
	}
}
