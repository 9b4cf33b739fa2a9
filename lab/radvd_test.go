//go:build lab

package lab_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
	"golang.org/x/sys/unix"
)

// advertised is a Router Advertisement (RFC 4861 §4.2).
type advertised struct {
	source   netip.Addr
	mac      string // of the frame
	linkAddr string // of the option
	hops     byte
	lifetime int
}

// routerAdvertisement reads a frame as one.
func routerAdvertisement(b []byte) (a advertised, is bool) {
	ip, icmp := packetOf(b)
	if len(icmp) < 16 || ip[0]>>4 != 6 || icmp[0] != 134 {
		return a, false
	}
	a = advertised{netip.AddrFrom16([16]byte(ip[8:24])), net.HardwareAddr(b[6:12]).String(), "", ip[7], int(icmp[6])<<8 | int(icmp[7])}
	for options := icmp[16:]; len(options) >= 8 && options[1] > 0 && int(options[1])*8 <= len(options); options = options[int(options[1])*8:] {
		if options[0] == 1 {
			a.linkAddr = net.HardwareAddr(options[2:8]).String()
		}
	}
	return a, true
}

// fromRadvd matches a Router Advertisement of a node's.
func fromRadvd(n *lab.Node) func(lab.Other) bool {
	return func(o lab.Other) bool {
		_, is := routerAdvertisement(o.Data)
		return is && o.Port == n.Name
	}
}

// runRadvd runs radvd on the virtual router's macvlan, as docs/router-advertisements.md
// has it.
func runRadvd(t *testing.T, n *lab.Node) *lab.Process {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "radvd.conf")
	text := fmt.Sprintf(`interface %s {
	IgnoreIfMissing on;
	AdvSendAdvert on;
	MinRtrAdvInterval 3;
	MaxRtrAdvInterval 4;
	prefix 2001:db8:9::/64 { };
};
`, lab.Device)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return n.Start("radvd", "-n", "-d", "1", "-m", "stderr", "-C", file, "-p", filepath.Join(dir, "pid"))
}

// radvdRouter is the virtual router of these tests.
var radvdRouter = lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, IPv6: true}

// twoRouters starts an Active on r1 and a Backup on r2, which both forward.
func twoRouters(l *lab.Lab) (a, b *lab.Daemon) {
	l.Helper()
	first, second := radvdRouter, radvdRouter
	first.Priority, second.Priority = high, low
	forward(l.R1)
	forward(l.R2)
	a = l.R1.Run(first)
	l.Tap.Await(0, 5*time.Second, "r1's advertisement", advertisement(l.R1))
	b = l.R2.Run(second)
	b.AwaitBackup()
	return a, b
}

// solicitRouters has the client ask for routers (RFC 4861 §4.1). The kernel
// puts the checksum in.
func solicitRouters(t *testing.T, l *lab.Lab) {
	t.Helper()
	err := l.Client.Do(func() error {
		i, err := net.InterfaceByName(lab.Interface)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		allRouters := netip.MustParseAddr("ff02::2").As16()
		return errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, vrrpTTL),
			unix.Sendto(fd, []byte{133, 0, 0, 0, 0, 0, 0, 0}, 0, &unix.SockaddrInet6{ZoneId: uint32(i.Index), Addr: allRouters}))
	})
	if err != nil {
		t.Fatalf("client: %v", err)
	}
}

// TestNoRouterAdvertisements: neither Active nor Backup sends Router
// Advertisements, not even when asked, nor can radvd on a Backup's macvlan
// (RFC 5798 §6.4.2 (325)): that is down, and has no address.
func TestNoRouterAdvertisements(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	twoRouters(l)
	none := func(when string) {
		t.Helper()
		for range 2 {
			solicitRouters(t, l)
			awaitAdverts(l, l.R1, radvdRouter, 20)
		}
		for _, o := range l.Tap.Others.From(0) {
			if _, is := routerAdvertisement(o.Data); is {
				t.Errorf("%s, %s sends a Router Advertisement", when, o.Port)
			}
		}
	}
	none("without radvd")
	p := runRadvd(t, l.R2)
	p.AwaitLine(0, 5*time.Second, "next iface is "+lab.Device)
	none("with radvd on the Backup")
	// On the Active it does.
	runRadvd(t, l.R1)
	if _, ok := l.Tap.Others.Wait(0, 15*time.Second, fromRadvd(l.R1)); !ok {
		t.Error("with radvd on the Active it sends none either: this shows nothing")
	}
}

// TestRouterAdvertisements: radvd on the macvlan of the Active, and on no other,
// sends them for the virtual router: from the virtual link-local address and
// the virtual MAC (RFC 5798 §6.4.3 (630)).
func TestRouterAdvertisements(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	r := radvdRouter
	a, b := twoRouters(l)
	radvds := map[*lab.Node]*lab.Process{l.R1: runRadvd(t, l.R1), l.R2: runRadvd(t, l.R2)}
	want := advertised{lab.IPv6VIPs[0], r.MAC(), r.MAC(), 255, 12}
	await := func(active, other *lab.Node) {
		t.Helper()
		mark := l.Tap.Others.Len()
		for range 2 {
			o, ok := l.Tap.Others.Wait(l.Tap.Others.Len(), 15*time.Second, fromRadvd(active))
			if !ok {
				t.Fatalf("%s sends no Router Advertisement; its radvd said\n%s", active.Name, radvds[active].Output())
			}
			if got, _ := routerAdvertisement(o.Data); got != want {
				t.Errorf("%s sends %+v, want %+v", active.Name, got, want)
			}
		}
		if _, said := l.Tap.Others.Wait(mark, 0, fromRadvd(other)); said {
			t.Errorf("%s, which is not Active, sends Router Advertisements", other.Name)
		}
	}
	await(l.R1, l.R2)
	mark := b.Len()
	if status := a.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d", status)
	}
	b.AwaitActive(mark)
	await(l.R2, l.R1)
	mark = b.Len()
	a.Again()
	b.AwaitStepBack(mark)
	await(l.R1, l.R2)
}
