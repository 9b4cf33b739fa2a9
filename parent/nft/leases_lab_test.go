//go:build lab

package nft

import (
	"fmt"

	"github.com/rvrrpd/rvrrpd/lab/netns"
	"golang.org/x/sys/unix"

	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestLeases: what is not Renewed runs out, whether we are there or not; what
// is Renewed lives on, in both ways; tables are found and removed by the next
// daemon.
func TestLeases(t *testing.T) {
	t.Run("made anew", func(t *testing.T) { testLeases(t, true) })
	if renews(t) {
		t.Run("renewed", func(t *testing.T) { testLeases(t, false) })
	}
}

// renews says whether this kernel lets an element live longer that is added again.
func renews(t *testing.T) bool {
	var name unix.Utsname
	var major, minor int
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return major > 6 || major == 6 && minor >= 12
}

func testLeases(t *testing.T, anew bool) {
	netns.Inside(t, func(t *testing.T) {
		l, err := OpenLeases(anew)
		if err != nil {
			t.Error(err)
			return
		}
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
		want := map[string]Lasting{"eth0": {Virtual: []netip.Addr{four, six, netip.MustParseAddr("fe80::a")}, Refused: []netip.Addr{four, six}, Devices: []string{"vr4"}}}
		renewing := []Renewed{{Iface: "eth0", Addr: four, Time: 300 * time.Millisecond}, {Iface: "eth0", Addr: six, Time: 300 * time.Millisecond}, {Iface: "eth0", Device: "vr4", Time: 300 * time.Millisecond}}
		for range 2 {
			if err := l.Apply(want, nil); err != nil {
				t.Error(err)
				return
			}
		}
		if l.Flushed() {
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
			t.Error("alive before they were Renewed")
		}
		if left := l.Alive("eth0"); len(left) > 0 {
			t.Errorf("alive for %v before they were Renewed", left)
		}
		began := time.Now()
		for time.Since(began) < time.Second {
			if err := l.Renew(renewing); err != nil {
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
		if err := l.Renew(renewing); err == nil || !l.Flushed() {
			t.Errorf("Renewed what somebody has flushed: %v", err)
		}
		l.Forget()
		if err := l.Apply(want, nil); err != nil || l.Flushed() {
			t.Errorf("made anew: %v", err)
		}
		want["eth1"] = Lasting{Virtual: []netip.Addr{four.Next()}}
		if err := l.Apply(want, []Renewed{{Iface: "eth1", Addr: four.Next(), Time: time.Minute}}); err != nil || !alive("10.9.0.255") {
			t.Errorf("another interface: %v\n%s", err, show())
		}
		delete(want, "eth0")
		if err := l.Apply(want, nil); err != nil || strings.Contains(show(), "10.9.0.254") || !alive("10.9.0.255") {
			t.Errorf("without eth0: %v\n%s", err, show())
		}
		// What we ourselves have removed nobody else has.
		if err := l.Renew(renewing); err == nil || l.Flushed() {
			t.Errorf("Renewed what we have removed: %v, flushed %v", err, l.Flushed())
		}
		next, err := OpenLeases(anew)
		if err != nil {
			t.Error(err)
			return
		}
		if left, err := next.Left(); err != nil || len(left) != 1 || left[0] != "eth1" {
			t.Errorf("left: %v %v", left, err)
		}
		minute := map[netip.Addr]time.Duration{four.Next(): time.Minute, six: time.Minute}
		if err := l.Renew([]Renewed{{Iface: "eth1", Addr: six, Time: time.Minute}}); err != nil {
			t.Error(err)
		}
		alive1, other := next.Alive("eth1"), next.Alive("eth0")
		for ip, most := range minute {
			if alive1[ip] <= 0 || alive1[ip] > most {
				t.Errorf("%v is alive for %v, was put for %v", ip, alive1[ip], most)
			}
		}
		if len(alive1) != len(minute) || len(other) > 0 {
			t.Errorf("alive %v, on another interface %v", alive1, other)
		}
		if err := next.Remove("eth1"); err != nil || strings.Contains(show(), "rvrrpd") {
			t.Errorf("removed: %v\n%s", err, show())
		}
	})
}
