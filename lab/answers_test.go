//go:build lab

package lab_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rvrrpd/rvrrpd/lab"
)

// groupAddr6 is RFC 9568 §5.1.2.2, allNodes RFC 4291 §2.7.1.
var (
	groupAddr6 = netip.MustParseAddr("ff02::12")
	allNodes   = netip.MustParseAddr("ff02::1")
)

// comparable lets cmp compare addresses.
var comparable = cmpopts.EquateComparable(netip.Addr{})

// answers checks that who asks for the virtual addresses hears from the
// Active alone, and from ours in the right form.
func answers(t *testing.T, l *lab.Lab, active *lab.Node, r lab.Router) {
	t.Helper()
	mac := answering(active, r)
	want := []lab.Answer{{From: active.Name, MAC: mac}}
	for _, vip := range r.VIPs() {
		ask := func() []lab.Answer { return l.WhoHas(vip) }
		if r.IPv6 {
			ask = func() []lab.Answer { return neighbors(t, l, vip, r) }
		}
		var got []lab.Answer
		if !lab.Until(time.Second, func() bool { got = ask(); return slices.Equal(got, want) }) {
			t.Errorf("who has %v: %v, want %v", vip, got, want)
		}
	}
}

// answering is the hardware address that answers for the virtual addresses.
func answering(n *lab.Node, r lab.Router) string {
	if r.OnInterface {
		return n.MAC
	}
	return r.MAC()
}

// neighbors asks for an IPv6 address and lists who answers, each once. Our
// answers have the R flag.
func neighbors(t *testing.T, l *lab.Lab, vip netip.Addr, r lab.Router) (answers []lab.Answer) {
	t.Helper()
	for _, f := range l.Solicit(vip) {
		if r.Kind == lab.Rvrrpd && (!f.ND.Router || !f.ND.Solicited || f.ND.HopLimit != vrrpTTL || f.ND.Dst != l.Client.LinkLocal) {
			t.Errorf("solicited answer %s", f)
		}
		if a := (lab.Answer{From: f.Port, MAC: f.ND.LinkAddr}); !slices.Contains(answers, a) {
			answers = append(answers, a)
		}
	}
	return answers
}

// announcements checks that ours announces every address after the
// advertisement of its takeover, from the MAC address that answers for them.
func announcements(t *testing.T, l *lab.Lab, n *lab.Node, r lab.Router, takeover lab.Frame) {
	t.Helper()
	if r.Kind != lab.Rvrrpd {
		return
	}
	for _, vip := range r.VIPs() {
		match := lab.GratuitousARP(vip)
		if r.IPv6 {
			match = unsolicited(vip)
		}
		f := l.Tap.Await(mark(l, takeover), time.Second, "an announcement of "+vip.String(), lab.From(n, match))
		if over(takeover.Time, f.Time, announceLimit) {
			t.Errorf("announced %v after the advertisement", f.Time.Sub(takeover.Time))
		}
		mac := answering(n, r)
		if f.Src != mac || f.ARP != nil && f.ARP.SenderMAC != mac {
			t.Errorf("not from %s: %s", mac, f)
		}
		if f.ND == nil {
			continue
		}
		want := &lab.ND{Type: lab.NeighborAdvertisement, Src: f.ND.Src, Dst: allNodes, HopLimit: vrrpTTL, Target: vip,
			Router: true, Override: true, LinkAddr: mac}
		if diff := cmp.Diff(want, f.ND, comparable); diff != "" {
			t.Errorf("announcement (-want +got):\n%s", diff)
		}
	}
}

// unsolicited matches the announcements of an IPv6 address.
func unsolicited(vip netip.Addr) func(lab.Frame) bool {
	return func(f lab.Frame) bool {
		return f.ND != nil && f.ND.Type == lab.NeighborAdvertisement && !f.ND.Solicited && f.ND.Target == vip
	}
}

// eui64 is the interface identifier that the kernel would derive from the
// virtual MAC: the same on every router (RFC 9568 §7.4).
var eui64 = netip.MustParseAddr("fe80::200:5eff:fe00:20a")

// watchForDAD has new interfaces detect duplicate addresses, as hosts outside
// the lab do.
func watchForDAD(n *lab.Node) { n.Set("net/ipv6/conf/default/accept_dad", "1") }

// purelyVirtual checks that an Active of ours has the virtual addresses on
// its device, and nothing else.
func purelyVirtual(t *testing.T, n *lab.Node, r lab.Router) {
	t.Helper()
	if r.Kind != lab.Rvrrpd || !r.IPv6 || r.OnInterface {
		return
	}
	want := slices.SortedFunc(slices.Values(r.VIPs()), netip.Addr.Compare)
	var got []netip.Addr
	if !lab.Until(time.Second, func() bool {
		got = slices.SortedFunc(slices.Values(n.Addresses(lab.Device)), netip.Addr.Compare)
		return slices.Equal(got, want)
	}) {
		t.Errorf("%s has %v on its device, want %v", n.Name, got, want)
	}
}

// noneDetected checks that a router of ours neither asks whether a virtual
// address is taken, nor derives an address from the virtual MAC.
func noneDetected(t *testing.T, frames []lab.Frame, n *lab.Node, r lab.Router) {
	t.Helper()
	if r.Kind != lab.Rvrrpd {
		return
	}
	for _, f := range lab.Select(frames, lab.From(n, func(f lab.Frame) bool { return f.ND != nil })) {
		if f.ND.Src.IsUnspecified() && slices.Contains(r.VIPs(), f.ND.Target) {
			t.Errorf("duplicate address detection: %s", f)
		}
		if f.ND.Src == eui64 || f.ND.Target == eui64 {
			t.Errorf("address of the virtual MAC: %s", f)
		}
	}
}
