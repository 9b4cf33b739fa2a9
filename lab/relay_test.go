//go:build lab

package lab_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestRelayed: two LANs have the same VRID and the same key, and somebody carries
// what the Active of one advertises to the other as it comes. It verifies there,
// and with mode = "enforce" it is told from what belongs there, by its addresses or
// by the network of its sender. The last shows that it would count otherwise.
func TestRelayed(t *testing.T) {
	t.Parallel()
	other := strings.NewReplacer("vip = \"10.9.0.21", "vip = \"10.9.0.77")
	for _, tt := range []struct {
		name, mode, drop string
		there            *strings.Replacer
		move             bool // the LAN over there has another network
	}{
		{"other addresses", "enforce", "address-list", other, false},
		{"another network", "enforce", "off-link", strings.NewReplacer(), true},
		{"before enforce", "permissive", "", other, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			here, there := lab.New(t), lab.New(t)
			const extra = "time_window = 300\n"
			p := startReloaded(t, here.R1, hmacConfig(1, low, tt.mode, 1, "1", extra))
			p.AwaitLine(0, 10*time.Second, "backup->active")
			if tt.move {
				there.R2.IP("addr flush dev "+lab.Interface, "addr add 10.8.0.2/24 dev "+lab.Interface)
			}
			startReloaded(t, there.R2, tt.there.Replace(hmacConfig(1, high, tt.mode, 1, "1", extra))).AwaitLine(0, 10*time.Second, "backup->active")
			mark := p.Len()
			for range 5 {
				stop := make(chan struct{})
				here.Client.Replay(there.Client.Overhear(1, 5*time.Second), 20*time.Millisecond, stop)
				if tt.drop == "" {
					p.AwaitLine(mark, 5*time.Second, "active->backup.*reason=higher-priority")
					close(stop)
					return
				}
				here.Tap.Await(here.Tap.Len(), 2*time.Second, "r1's advertisement", lab.AdvertOf(here.R1, low))
				close(stop)
			}
			p.AwaitLine(mark, 5*time.Second, "packets dropped.*reason="+tt.drop+" .*another LAN")
			if p.Said(mark, "->backup") {
				t.Errorf("it stepped back:\n%s", p.Output())
			}
		})
	}
}
