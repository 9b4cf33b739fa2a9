//go:build lab

package parent

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/lab/netns"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"github.com/rvrrpd/rvrrpd/records"
	"golang.org/x/sys/unix"
)

// solicitation is what matters of a Neighbor Solicitation.
type solicitation struct {
	source netip.Addr
	mac    net.HardwareAddr // source link-layer address option
}

// solicits sends a datagram, and returns the Neighbor Solicitation for its
// destination that appears at the other end of the cable.
func solicits(t *testing.T, from, to *net.UDPAddr) (s solicitation) {
	t.Helper()
	peer, err := net.InterfaceByName("peer")
	if err != nil {
		t.Error(err)
		return s
	}
	const etherIPv6 = 0xdd86 // 86dd in network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, etherIPv6)
	if err != nil {
		t.Error(err)
		return s
	}
	defer unix.Close(fd)
	limit := unix.NsecToTimeval(int64(2 * time.Second))
	err = errors.Join(unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: etherIPv6, Ifindex: peer.Index}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit))
	c, dialled := net.DialUDP("udp", from, to)
	if err := errors.Join(err, dialled); err != nil {
		t.Error(err)
		return s
	}
	defer c.Close()
	if _, err := c.Write([]byte("?")); err != nil {
		t.Error(err)
	}
	for b := make([]byte, 2048); ; {
		n, _, err := unix.Recvfrom(fd, b, 0)
		if err != nil {
			t.Errorf("from %v to %v: no solicitation: %v", from, to, err)
			return s
		}
		const header, target, option = 14, 14 + 40 + 8, 14 + 40 + 24
		if n < option+8 || b[header+6] != 58 || b[header+40] != 135 || netip.AddrFrom16([16]byte(b[target:])) != to.AddrPort().Addr().WithZone("") {
			continue
		}
		return solicitation{netip.AddrFrom16([16]byte(b[header+8:])), net.HardwareAddr(b[option+2 : option+8])}
	}
}

// active6 has an Active's device with its addresses, both of a subnet that
// eth0 has, too.
func active6(t *testing.T) {
	t.Helper()
	k, err := kernel.Open()
	if err != nil {
		t.Error(err)
		return
	}
	if err := netns.IP("addr add 2001:db8::1/64 dev eth0 nodad"); err != nil {
		t.Error(err)
	}
	within(t, 5*time.Second, "-6 addr show dev eth0", "tentative", false) // or it asks for no neighbor
	dev := macvlan6(t, k)
	settings, err := differing("standby10", deviceSettings6)
	if err := errors.Join(err, change(settings), k.Acquire(kernel.Placement{Device: dev, Own: true, Addresses: virtual6})); err != nil {
		t.Error(err)
	}
	within(t, 2*time.Second, "link show dev standby10", "LOWER_UP", true)
}

func udp(ip netip.Addr, zone string) *net.UDPAddr {
	return &net.UDPAddr{IP: ip.AsSlice(), Zone: zone, Port: 9}
}

// TestSolicitationsOfTheVirtualRouter: a Neighbor Solicitation from the
// virtual router's link-local address names the virtual MAC (RFC 5798 §8.2.2).
func TestSolicitationsOfTheVirtualRouter(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		active6(t)
		mac, local := records.VirtualMAC(ipc.IPv6, 10), virtual6[0].Prefix.Addr()
		got := solicits(t, udp(local, "standby10"), udp(netip.MustParseAddr("fe80::99"), "standby10"))
		if got.source != local || got.mac.String() != net.HardwareAddr(mac[:]).String() {
			t.Errorf("asks as %v with %v", got.source, got.mac)
		}
	})
}

// TestSolicitationsOfTheInterface: what leaves through the interface is asked
// for by an address of the interface, so that its MAC never stands beside an
// address of the virtual router, even where that sent the packet.
func TestSolicitationsOfTheInterface(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		active6(t)
		got := solicits(t, udp(virtual6[1].Prefix.Addr(), ""), udp(netip.MustParseAddr("2001:db8::99"), ""))
		eth0, err := net.InterfaceByName("eth0")
		if err != nil || got.source == virtual6[0].Prefix.Addr() || got.source == virtual6[1].Prefix.Addr() || got.mac.String() != eth0.HardwareAddr.String() {
			t.Errorf("asks as %v with %v, want an address of the interface, %v", got.source, got.mac, err)
		}
	})
}
