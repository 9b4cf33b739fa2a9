//go:build lab

package nft

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab/netns"
)

// TestLeases: a term that is not renewed is over after its time, whether we are there or not; one that
// is renewed lasts; tables are found and removed by the next daemon.
func TestLeases(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		l, err := OpenLeases()
		if err != nil {
			t.Error(err)
			return
		}
		show := func() string {
			out, _ := exec.Command("nft", "list", "ruleset").CombinedOutput()
			return string(out)
		}
		running := func(table string, term Term) bool {
			out, _ := exec.Command("nft", "list", "set", table, "rvrrpd-lease-"+term.Iface, runningPrefix+term.name()).CombinedOutput()
			return strings.Contains(string(out), "ipv4 timeout") && strings.Contains(string(out), "ipv6 timeout") && strings.Count(string(out), " timeout ") == 3
		}
		alive := func(term Term) bool {
			return running("inet", term) && (term.IPv6 || running("arp", term))
		}
		four, six := netip.MustParseAddr("10.9.0.254"), netip.MustParseAddr("2001:db8::a")
		slow, fast, other := Term{Iface: "eth0", Length: 3 * time.Second}, Term{Iface: "eth0", Length: 300 * time.Millisecond}, Term{Iface: "eth0", IPv6: true, Length: 3 * time.Second}
		want := map[string]Lasting{"eth0": {Terms: map[Term]Together{
			slow:  {Virtual: []netip.Addr{four}, Devices: []string{"vr4"}},
			fast:  {Virtual: []netip.Addr{four.Prev()}},
			other: {Virtual: []netip.Addr{six, netip.MustParseAddr("fe80::a")}},
		}, Refused: []netip.Addr{four, six}}}
		renewing := []Renewed{{slow, 300 * time.Millisecond}, {other, 300 * time.Millisecond}}
		for range 2 {
			if _, err := l.Apply(want, nil); err != nil {
				t.Error(err)
				return
			}
		}
		if l.Flushed() {
			t.Error("flushed, and nobody has done it")
		}
		for _, rule := range []string{
			"arp saddr ip . arp daddr ip @gratuitous accept",
			"arp daddr ip @virtual4-3000 meta nfproto != @lease4-3000 drop",
			"ip daddr @virtual4-3000 meta nfproto != @lease4-3000 drop",
			"ip daddr @virtual4-300 meta nfproto != @lease4-300 drop",
			"ip6 daddr @virtual6-3000 meta nfproto != @lease6-3000 drop",
			"ip daddr @refused4 drop", "ip6 daddr @refused6 drop",
			"iifname @devices4-3000 meta nfproto != @lease4-3000 drop",
			`elements = { "vr4",
			     "eth0" }`,
			"ip6 daddr fe80::/10 iifname != @here accept",
			"icmpv6 type nd-neighbor-solicit @th,64,128 & 0xffc00000000000000000000000000000 == 0xfe800000000000000000000000000000 iifname != @here accept",
			"icmpv6 type nd-neighbor-solicit @th,64,128 @virtual6-3000 meta nfproto != @lease6-3000 drop",
		} {
			if !strings.Contains(show(), rule) {
				t.Errorf("no rule %s in\n%s", rule, show())
			}
		}
		if alive(slow) || alive(other) {
			t.Error("alive before they were renewed")
		}
		if left := l.Alive(slow); left != 0 {
			t.Errorf("alive for %v before they were renewed", left)
		}
		began := time.Now()
		for time.Since(began) < time.Second {
			if err := l.Renew(renewing); err != nil {
				t.Error(err)
				return
			}
			if !alive(slow) || !alive(other) || alive(fast) {
				t.Errorf("not alive, %v after the first renewal:\n%s", time.Since(began), show())
				return
			}
		}
		for term, want := range map[Term]bool{slow: true, other: true, fast: false, {Iface: "eth1", Length: slow.Length}: false} {
			if left := l.Alive(term); left > 0 != want || left > 300*time.Millisecond {
				t.Errorf("%v is alive for %v", term, left)
			}
		}
		for last := time.Now(); alive(slow) || alive(other); {
			if time.Since(last) > time.Second {
				t.Errorf("alive %v after the last renewal", time.Since(last))
				return
			}
		}
		if out, err := exec.Command("nft", "flush", "ruleset").CombinedOutput(); err != nil {
			t.Errorf("%s: %v", out, err)
		}
		if err := l.Renew(renewing); err == nil || !l.Flushed() {
			t.Errorf("renewed what somebody has flushed: %v", err)
		}
		l.Forget()
		if _, err := l.Apply(want, nil); err != nil || l.Flushed() {
			t.Errorf("made anew: %v", err)
		}
		on1, also1 := Term{Iface: "eth1", Length: time.Hour}, Term{Iface: "eth1", IPv6: true, Length: time.Hour}
		want["eth1"] = Lasting{Terms: map[Term]Together{on1: {Virtual: []netip.Addr{four.Next()}}, also1: {Virtual: []netip.Addr{six}}}}
		if _, err := l.Apply(want, []Renewed{{on1, time.Minute}}); err != nil || !alive(on1) || alive(also1) {
			t.Errorf("another interface: %v\n%s", err, show())
		}
		delete(want, "eth0")
		if _, err := l.Apply(want, nil); err != nil || strings.Contains(show(), "10.9.0.254") || !alive(on1) {
			t.Errorf("without eth0: %v\n%s", err, show())
		}
		// What we ourselves have removed nobody else has, and it is not renewed.
		if err := l.Renew(renewing); err != nil || l.Flushed() || alive(slow) {
			t.Errorf("renewed what we have removed: %v, flushed %v", err, l.Flushed())
		}
		next, err := OpenLeases()
		if err != nil {
			t.Error(err)
			return
		}
		if left, err := next.Left(); err != nil || len(left) != 1 || left[0] != "eth1" {
			t.Errorf("left: %v %v", left, err)
		}
		if err := l.Renew([]Renewed{{also1, time.Minute}}); err != nil {
			t.Error(err)
		}
		for term, want := range map[Term]bool{on1: true, also1: true, slow: false} {
			if left := next.Alive(term); left > 0 != want || left > time.Minute {
				t.Errorf("%v is alive for %v, was put for a minute", term, left)
			}
		}
		if err := next.Remove("eth1"); err != nil || strings.Contains(show(), "rvrrpd") {
			t.Errorf("removed: %v\n%s", err, show())
		}
	})
}

// TestManyLeases: one batch renews more terms than an ordinary socket has room for answers, and what
// fails leaves no answers to what is asked next.
func TestManyLeases(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		l, err := OpenLeases()
		if err != nil {
			t.Error(err)
			return
		}
		want, renewing := make(map[string]Lasting), []Renewed(nil)
		for i := range 200 {
			term := Term{Iface: fmt.Sprintf("eth%d", i), Length: time.Minute}
			want[term.Iface] = Lasting{Terms: map[Term]Together{term: {Virtual: []netip.Addr{netip.AddrFrom4([4]byte{10, 9, 0, byte(i)})}}}}
			renewing = append(renewing, Renewed{term, time.Minute})
		}
		if anew, err := l.Apply(want, nil); err != nil || !anew {
			t.Errorf("made anew: %v, %v", anew, err)
		}
		if anew, err := l.Apply(want, nil); err != nil || anew {
			t.Errorf("made anew without need: %v, %v", anew, err)
		}
		for range 3 {
			if err := l.Renew(renewing); err != nil {
				t.Error(err)
			}
		}
		if out, err := exec.Command("nft", "delete", "table", "inet", "rvrrpd-lease-eth7").CombinedOutput(); err != nil {
			t.Errorf("%s: %v", out, err)
		}
		if err := l.Renew(renewing); err == nil || !l.Flushed() {
			t.Errorf("renewed without a table: %v, flushed %v", err, l.Flushed())
		}
		l.Forget()
		if _, err := l.Apply(want, renewing); err != nil {
			t.Error(err)
		}
		for _, r := range renewing {
			if left := l.Alive(r.Term); left <= 0 {
				t.Errorf("%v is alive for %v", r.Term, left)
			}
		}
		if err := l.Renew(renewing); err != nil {
			t.Error(err)
		}
	})
}
