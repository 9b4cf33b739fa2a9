//go:build lab

package lab_test

import (
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestSnapshotSeesSettings: what a test leaves changed in the settings of an
// interface, or of all, is a difference with its name.
func TestSnapshotSeesSettings(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	for _, tt := range []struct{ setting, to, want string }{
		{"net/ipv4/conf/eth0/arp_ignore", "3", "sysctl of eth0 ipv4/arp_ignore = 3"},
		{"net/ipv4/conf/eth0/arp_announce", "2", "sysctl of eth0 ipv4/arp_announce = 2"},
		{"net/ipv4/conf/eth0/accept_local", "1", "sysctl of eth0 ipv4/accept_local = 1"},
		{"net/ipv4/conf/eth0/rp_filter", "2", "sysctl of eth0 ipv4/rp_filter = 2"},
		{"net/ipv4/conf/eth0/forwarding", "1", "sysctl of eth0 ipv4/forwarding = 1"},
		{"net/ipv4/conf/eth0/drop_gratuitous_arp", "1", "sysctl of eth0 ipv4/31 = 1"},
		{"net/ipv6/conf/eth0/forwarding", "1", "sysctl of eth0 ipv6/forwarding = 1"},
		{"net/ipv6/conf/eth0/accept_ra", "2", "sysctl of eth0 ipv6/accept_ra = 2"},
		{"net/ipv6/conf/eth0/accept_dad", "2", "sysctl of eth0 ipv6/accept_dad = 2"},
		{"net/ipv4/conf/all/accept_local", "1", "sysctl ipv4/conf/all/accept_local = 1"},
		{"net/ipv6/conf/default/accept_ra", "2", "sysctl ipv6/conf/default/accept_ra = 2"},
	} {
		before := l.Client.Snapshot()
		l.Client.Set(tt.setting, tt.to)
		if diff := before.Diff(l.Client.Snapshot()); !strings.Contains(diff, "+ "+tt.want) {
			t.Errorf("%s = %s: the difference is\n%s, want %q", tt.setting, tt.to, diff, tt.want)
		}
	}
}
