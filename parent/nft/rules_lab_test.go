//go:build lab

package nft

import (
	"net"

	"github.com/rvrrpd/rvrrpd/lab/netns"

	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// table is what nft(8) shows of one of our tables.
func table(t *testing.T, family string) string {
	t.Helper()
	out, err := exec.Command("nft", "list", "table", family, fmt.Sprintf("rvrrpd-%d", os.Getpid())).CombinedOutput()
	if err != nil {
		return "none"
	}
	lines := strings.Split(string(out), "\n")
	return strings.Join(lines[1:], "\n") // the first line has our process number
}

// TestRules: the rules are as wanted, each change at once, nobody else changes
// them, and they end with us.
func TestRules(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		ifi, err := net.InterfaceByName("eth0")
		if err != nil {
			t.Error(err)
			return
		}
		eth0 := ifi.Index
		var w Tables
		if err := w.Apply(Rules{}); err != nil || w.conn != nil {
			t.Errorf("nothing wanted: %v, connection %v", err, w.conn)
		}
		want := Rules{
			Refused:   []netip.Addr{netip.MustParseAddr("10.9.0.254"), netip.MustParseAddr("2001:db8::a")},
			RefusedOn: []AddressOn{{eth0, netip.MustParseAddr("fe80::a")}},
			Quiet:     []int{eth0},
			Owned:     []AddressOn{{eth0, netip.MustParseAddr("10.9.0.253")}, {eth0, netip.MustParseAddr("2001:db8::b")}},
		}
		for range 2 {
			if err := w.Apply(want); err != nil {
				t.Error(err)
				return
			}
		}
		if diff := cmp.Diff(inetTable, table(t, "inet")); diff != "" {
			t.Errorf("inet (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(arpTable, table(t, "arp")); diff != "" {
			t.Errorf("arp (-want +got):\n%s", diff)
		}
		if out, err := exec.Command("nft", "flush", "ruleset").CombinedOutput(); table(t, "inet") != inetTable {
			t.Errorf("somebody else flushed our table: %s%v", out, err)
		}
		if err := w.Apply(Rules{Quiet: []int{eth0}}); err != nil || strings.Contains(table(t, "inet"), "refused") || !strings.Contains(table(t, "inet"), "quiet4") {
			t.Errorf("changed: %v\n%s", err, table(t, "inet"))
		}
		var many Rules
		for i := range 3000 {
			many.Refused = append(many.Refused, netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}))
		}
		if err := w.Apply(many); err != nil || strings.Count(table(t, "inet"), "10.1.") != 3000 {
			t.Errorf("3000 addresses: %v, %d in the table", err, strings.Count(table(t, "inet"), "10.1."))
		}
		if err := w.conn.CloseLasting(); err != nil {
			t.Error(err)
		}
		if got := table(t, "inet") + table(t, "arp"); got != "nonenone" {
			t.Errorf("after the end:\n%s", got)
		}
	})
}

const inetTable = `	flags owner

	set refused4 {
		type ipv4_addr
		elements = { 10.9.0.254 }
	}

	set refused6 {
		type ipv6_addr
		elements = { 2001:db8::a }
	}

	set refusedon6 {
		type iface_index . ipv6_addr
		elements = { "eth0" . fe80::a }
	}

	set quiet4 {
		type iface_index
		elements = { "eth0" }
	}

	set quiet6 {
		type iface_index
		elements = { "eth0" }
	}

	chain input {
		type filter hook input priority filter; policy accept;
		icmpv6 type nd-neighbor-solicit iif "eth0" @th,64,128 0x20010db800000000000000000000000b drop
		meta iiftype != loopback ip daddr @refused4 drop
		icmpv6 type nd-neighbor-solicit accept
		icmpv6 type nd-neighbor-advert accept
		meta iiftype != loopback ip6 daddr @refused6 drop
		iif . ip6 daddr @refusedon6 drop
	}

	chain output {
		type filter hook output priority filter; policy accept;
		icmp type redirect oif @quiet4 drop
		icmpv6 type nd-redirect oif @quiet6 drop
	}
}
`

const arpTable = `	flags owner

	chain input {
		type filter hook input priority filter; policy accept;
		iif "eth0" arp operation request arp daddr ip 10.9.0.253 drop
	}
}
`
