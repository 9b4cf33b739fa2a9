//go:build lab

package lab_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// rounds is how often each address is announced at a takeover.
const rounds = 5

// TestWireFormat6 has tshark look at what a lone router sends over IPv6 from
// its start to its stop, while it is asked for its addresses.
func TestWireFormat6(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	watchForDAD(l.R1)
	capture := l.Capture()
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high, IPv6: true}
	a := l.R1.Run(r)
	a.AwaitActive(0)
	answers(t, l, l.R1, r)
	awaitAdverts(l, l.R1, r, 5)
	if status := a.Terminate(5 * time.Second); status != 0 {
		t.Errorf("status %d", status)
	}
	frames := capture.Stop()

	adverts := lab.Select(frames, func(f lab.Frame) bool { return f.VRRP != nil })
	for _, f := range adverts {
		v := f.VRRP
		if f.Src != lab.VirtualMAC6(lab.VRID) || f.Dst != lab.GroupMAC6 || v.Src != l.R1.LinkLocal || v.Dst != groupAddr6 || v.TTL != vrrpTTL || v.DSField != cs6 {
			t.Errorf("from %s to %s, IPv6 header %+v", f.Src, f.Dst, *v)
		}
		if v.Version != 3 || v.VRID != lab.VRID || v.Inter != centiseconds(interval3) || v.Count != 2 || !slices.Equal(v.Addrs, lab.IPv6VIPs) || !v.ChecksumGood {
			t.Errorf("VRRP: %+v", *v)
		}
	}
	if n := len(adverts); n < 5 || adverts[n-1].VRRP.Priority != 0 {
		t.Errorf("%d advertisements, the last one %s", n, adverts[n-1])
	}
	var want []netip.Addr
	for range rounds {
		want = append(want, lab.IPv6VIPs...)
	}
	var announced []netip.Addr
	for _, f := range lab.Select(frames, func(f lab.Frame) bool { return f.ND != nil }) {
		if f.ND.Type == lab.NeighborSolicitation && f.ND.Src.IsUnspecified() && slices.Contains(lab.IPv6VIPs, f.ND.Target) {
			t.Errorf("duplicate address detection: %s", f)
		}
		if f.ND.Type == lab.NeighborAdvertisement && slices.Contains(lab.IPv6VIPs, f.ND.Target) {
			if !f.ND.Router || !f.ND.Override || f.ND.Solicited != (f.ND.Dst == l.Client.LinkLocal) || f.ND.LinkAddr != r.MAC() || f.ND.HopLimit != vrrpTTL {
				t.Errorf("announcement or answer %s", f)
			}
			if f.ND.Dst == allNodes {
				announced = append(announced, f.ND.Target)
			}
		}
	}
	if !slices.Equal(announced, want) {
		t.Errorf("announced: %v, want %v", announced, want)
	}
}
