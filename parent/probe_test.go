package parent

import (
	"net/netip"
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
