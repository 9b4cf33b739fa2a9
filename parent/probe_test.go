package parent

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestNear: the child names whom to probe, but only on the link itself.
func TestNear(t *testing.T) {
	t.Parallel()
	four := &link{linkName: linkName{"eth0", ipc.IPv4}, index: 3, prefixes: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24")}}
	six := &link{linkName: linkName{"eth0", ipc.IPv6}, index: 3, prefixes: []netip.Prefix{netip.MustParsePrefix("fe80::1/64"), netip.MustParsePrefix("2001:db8::1/64")}}
	for _, tt := range []struct {
		l    *link
		peer string
		want bool
	}{
		{four, "10.9.0.2", true}, {four, "10.8.0.2", false}, {four, "fe80::2", false},
		{six, "fe80::2", true}, {six, "fe80:0:80::2", false}, {six, "2001:db8::2", false}, {six, "10.9.0.2", false},
		{&link{linkName: four.linkName, prefixes: four.prefixes}, "10.9.0.2", false},
	} {
		if got := tt.l.near(netip.MustParseAddr(tt.peer)); got != tt.want {
			t.Errorf("%v on %v: %v", tt.peer, tt.l.linkName, got)
		}
	}
}

// TestWantsProbe: only a takeover that leaves open what became of the Active.
func TestWantsProbe(t *testing.T) {
	t.Parallel()
	peer := netip.MustParseAddr("10.9.0.2")
	for _, tt := range []struct {
		m    ipc.StateChange
		want bool
	}{
		{ipc.StateChange{To: ipc.Active, Peer: peer, Verdict: ipc.VerdictSilent}, true},
		{ipc.StateChange{To: ipc.Active, Peer: peer, Verdict: ipc.VerdictDropped}, true},
		{ipc.StateChange{To: ipc.Active, Peer: peer, Verdict: ipc.VerdictLower}, false},
		{ipc.StateChange{To: ipc.Active, Peer: peer, Verdict: ipc.VerdictStalled}, false},
		{ipc.StateChange{To: ipc.Active, Verdict: ipc.VerdictAlone}, false},
		{ipc.StateChange{To: ipc.Active, Verdict: ipc.VerdictSilent}, false},
		{ipc.StateChange{To: ipc.Backup, Peer: peer}, false},
	} {
		if got := wantsProbe(tt.m); got != tt.want {
			t.Errorf("%+v: %v", tt.m, got)
		}
	}
}

// TestProbeHint: what came of a probe does not contradict what was dropped.
func TestProbeHint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		drop    ipc.Drop
		answers bool
		arrive  int
		heard   uint64 // meanwhile, by the raw socket
		want    string
		not     string
	}{
		{"silent and gone", 0, false, 0, 0, "is down, or the network in between", "alive"},
		{"silent, and answers", 0, true, 0, 0, "do not reach us", "dropped"},
		{"silent, and back", 0, true, 2, 2, "reach the interface, so it is alive", "do not reach us"},
		{"nothing arrives but on the wire", 0, true, 2, 0, "this host drops them before the daemon", "do not reach us"},
		{"dropped, and goes on", ipc.DropPassword, true, 2, 2, "dropped here, for the reason password", "do not reach us"},
		{"dropped, and goes on, without ARP", ipc.DropPassword, false, 2, 2, "dropped here, for the reason password", "is down"},
		{"dropped, of which a sample is passed", ipc.DropTTL, true, 2, 0, "dropped here, for the reason ttl", "nft"},
		{"dropped, and has ceased", ipc.DropHMAC, true, 0, 0, "no longer advertises what was dropped here, for the reason hmac", "do not reach us"},
		{"dropped, and gone", ipc.DropHMAC, false, 0, 0, "is down", "alive"},
	} {
		p := probe{link: &link{heard: 7 + tt.heard}, heard: 7, drop: tt.drop}
		if got := p.hint(tt.answers, tt.arrive); !strings.Contains(got, tt.want) || strings.Contains(got, tt.not) {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}
