//go:build lab

package parent

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/lab/netns"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
)

// TestFamiliesApart: the device of one family answers for nothing of the
// other: neither for its virtual addresses nor for the link's own (RFC 5798
// §8.1.2, §8.2.2).
func TestFamiliesApart(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		k, err := kernel.Open()
		if err != nil {
			t.Error(err)
			return
		}
		client := host(t)
		answering(t, k, ipc.IPv4, "standby4", deviceSettings, "10.9.0.254/24")
		answering(t, k, ipc.IPv6, "standby6", deviceSettings6, "2001:db8::fe/64")
		settings, err := differing("eth0", linkSettings)
		if err := errors.Join(err, change(settings)); err != nil {
			t.Error(err)
		}
		for addr, mac := range map[string]string{
			"10.9.0.254":   "00:00:5e:00:01:0a",
			"10.9.0.1":     find(t, k, "eth0").MAC.String(),
			"2001:db8::fe": "00:00:5e:00:02:0a",
		} {
			for range 3 { // whoever answers first
				at(t, client, "neigh flush dev peer")
				refuses(t, client, netip.MustParseAddr(addr))
				if said := at(t, client, "neigh show "+addr+" dev peer"); !strings.Contains(said, "lladdr "+mac) {
					t.Errorf("%s is not resolved to %s: %s", addr, mac, said)
				}
			}
		}
	})
}
