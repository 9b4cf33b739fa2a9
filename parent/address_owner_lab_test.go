//go:build lab

package parent

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/lab/netns"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
)

// TestWhoseAddress: on an interface that is not our own device an address that
// somebody else has put there first stays theirs, and one of ours that they
// take over becomes theirs.
func TestWhoseAddress(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		k, err := kernel.Open()
		if err != nil {
			t.Error(err)
			return
		}
		eth0 := find(t, k, "eth0").Index
		for _, tt := range []struct {
			family          ipc.Family
			foreign, common string
		}{
			{ipc.IPv4, "10.9.0.253/24", "10.9.0.254/24"},
			{ipc.IPv6, "2001:db8:9::253/64", "2001:db8:9::254/64"},
		} {
			foreign, common := netip.MustParsePrefix(tt.foreign), netip.MustParsePrefix(tt.common)
			l := &link{wire: wire{linkName: linkName{"eth0", tt.family}, index: eth0}}
			if err := netns.IP("addr add " + tt.foreign + " dev eth0 nodad"); err != nil {
				t.Error(err)
			}
			// Its report has not been read when we put ours there.
			if err := k.Acquire(kernel.Placement{Device: eth0, Addresses: []vaddr{{Prefix: foreign}, {Prefix: common}}}); err != nil {
				t.Error(err)
			}
			look := func() {
				addrs, err := facts.Addresses()
				if err != nil {
					t.Error(err)
				}
				l.observed(facts.Link{Index: eth0, Up: true}, addrs)
			}
			if look(); !slices.Contains(l.prefixes, foreign) || slices.Contains(l.prefixes, common) {
				t.Errorf("others' addresses are %v; want %v among them, not %v", l.prefixes, foreign, common)
			}
			if err := netns.IP("addr replace " + tt.common + " dev eth0"); err != nil {
				t.Error(err)
			}
			if look(); !slices.Contains(l.prefixes, common) {
				t.Errorf("others' addresses are %v; want %v among them", l.prefixes, common)
			}
		}
	})
}
