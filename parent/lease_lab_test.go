//go:build lab

package parent

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestLeases: what is not renewed runs out, whether we are there or not; what
// is renewed lives on, in both ways; tables are found and removed by the next
// daemon.
func TestLeases(t *testing.T) {
	t.Run("as this kernel wants it", func(t *testing.T) { testLeases(t, running().before(renewsSince)) })
	t.Run("made anew", func(t *testing.T) { testLeases(t, true) })
}

func testLeases(t *testing.T, anew bool) {
	inNamespace(t, func(t *testing.T) {
		l, err := openLeases()
		if err != nil {
			t.Error(err)
			return
		}
		if l.anew != running().before(renewsSince) {
			t.Errorf("made anew: %v on %v", l.anew, running())
		}
		l.anew = anew
		show := func() string {
			out, _ := exec.Command("nft", "list", "ruleset").CombinedOutput()
			return string(out)
		}
		alive := func(ip string) bool {
			_, sets, _ := strings.Cut(show(), "set alive")
			_, devices, _ := strings.Cut(sets, "set forwarding")
			return strings.Contains(sets, ip+" timeout") && (ip != "10.9.0.254" || strings.Contains(devices, `"vr4" timeout`))
		}
		four, six := netip.MustParseAddr("10.9.0.254"), netip.MustParseAddr("2001:db8::a")
		want := map[string]lasting{"eth0": {virtual: []netip.Addr{four, six, netip.MustParseAddr("fe80::a")}, refused: []netip.Addr{four, six}, devices: []string{"vr4"}}}
		renewing := []renewed{{iface: "eth0", addr: four, time: 300 * time.Millisecond}, {iface: "eth0", addr: six, time: 300 * time.Millisecond}, {iface: "eth0", device: "vr4", time: 300 * time.Millisecond}}
		for range 2 {
			if err := l.apply(want, nil); err != nil {
				t.Error(err)
				return
			}
		}
		if l.flushed() {
			t.Error("flushed, and nobody has done it")
		}
		for _, rule := range []string{
			"arp saddr ip . arp daddr ip @gratuitous accept",
			"arp daddr ip @virtual4 arp daddr ip != @alive4 drop",
			"ip daddr @virtual4 ip daddr != @alive4 drop",
			"ip6 daddr @virtual6 ip6 daddr != @alive6 drop",
			"ip daddr @refused4 drop", "ip6 daddr @refused6 drop",
			"iifname @devices iifname != @forwarding drop",
			`elements = { "vr4",
			     "eth0" }`,
			"ip6 daddr fe80::/10 iifname != @here accept",
			"icmpv6 type nd-neighbor-solicit @th,64,128 & 0xffc00000000000000000000000000000 == 0xfe800000000000000000000000000000 iifname != @here accept",
			"icmpv6 type nd-neighbor-solicit @th,64,128 @virtual6 @th,64,128 != @alive6 drop",
		} {
			if !strings.Contains(show(), rule) {
				t.Errorf("no rule %s in\n%s", rule, show())
			}
		}
		if alive("10.9.0.254") || alive("2001:db8::a") {
			t.Error("alive before they were renewed")
		}
		began := time.Now()
		for time.Since(began) < time.Second {
			if err := l.renew(renewing); err != nil {
				t.Error(err)
				return
			}
			if !alive("10.9.0.254") || !alive("2001:db8::a") {
				t.Errorf("not alive, %v after the first renewal:\n%s", time.Since(began), show())
				return
			}
		}
		for last := time.Now(); alive("10.9.0.254") || alive("2001:db8::a"); {
			if time.Since(last) > time.Second {
				t.Errorf("alive %v after the last renewal", time.Since(last))
				return
			}
		}
		if out, err := exec.Command("nft", "flush", "ruleset").CombinedOutput(); err != nil {
			t.Errorf("%s: %v", out, err)
		}
		if err := l.renew(renewing); err == nil || !l.flushed() {
			t.Errorf("renewed what somebody has flushed: %v", err)
		}
		l.forget()
		if err := l.apply(want, nil); err != nil || l.flushed() {
			t.Errorf("made anew: %v", err)
		}
		want["eth1"] = lasting{virtual: []netip.Addr{four.Next()}}
		if err := l.apply(want, []renewed{{iface: "eth1", addr: four.Next(), time: time.Minute}}); err != nil || !alive("10.9.0.255") {
			t.Errorf("another interface: %v\n%s", err, show())
		}
		delete(want, "eth0")
		if err := l.apply(want, nil); err != nil || strings.Contains(show(), "10.9.0.254") || !alive("10.9.0.255") {
			t.Errorf("without eth0: %v\n%s", err, show())
		}
		// What we ourselves have removed nobody else has.
		if err := l.renew(renewing); err == nil || l.flushed() {
			t.Errorf("renewed what we have removed: %v, flushed %v", err, l.flushed())
		}
		next, err := openLeases()
		if err != nil {
			t.Error(err)
			return
		}
		if left, err := next.left(); err != nil || len(left) != 1 || left[0] != "eth1" {
			t.Errorf("left: %v %v", left, err)
		}
		if err := next.remove("eth1"); err != nil || strings.Contains(show(), "rvrrpd") {
			t.Errorf("removed: %v\n%s", err, show())
		}
	})
}
