//go:build lab

package kernel

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/keeper/facts"
	"github.com/rvrrpd/rvrrpd/lab/netns"
	"golang.org/x/sys/unix"
)

// TestExchange: of requests that go out together each that fails is told of, wherever it stands among
// them, all others are done, and what is asked next is not taken for one of them.
func TestExchange(t *testing.T) {
	netns.Inside(t, func(t *testing.T) {
		k, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		const nobody, lo = 9999, 1
		addr := func(i int) Address {
			return Address{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i / 250), byte(i%250 + 1)}), 32)}
		}
		for _, tt := range []struct {
			all    int
			failed []int
		}{
			{1, nil}, {1, []int{0}}, {chunk, []int{chunk - 1}}, {chunk + 1, []int{0, chunk - 1, chunk}},
			{3 * chunk, []int{1, chunk, 2*chunk + 1}}, {3 * chunk, nil}, {2 * chunk, []int{2*chunk - 2, 2*chunk - 1}},
		} {
			var requests []Placement
			for i := range tt.all {
				device := lo
				if slices.Contains(tt.failed, i) {
					device = nobody
				}
				requests = append(requests, Placement{Device: device, Addresses: []Address{addr(i)}})
			}
			err := k.Acquire(requests...)
			told := 0
			if err != nil {
				told = strings.Count(err.Error(), unix.ENODEV.Error())
			}
			if told != len(tt.failed) {
				t.Errorf("%d of %d fail: %v", len(tt.failed), tt.all, err)
			}
			there, err := facts.Addresses()
			if err != nil {
				t.Error(err)
			}
			for i := range tt.all {
				is := slices.ContainsFunc(there, func(a facts.Address) bool { return a.Prefix == addr(i).Prefix })
				if is == slices.Contains(tt.failed, i) {
					t.Errorf("%d of %d fail: number %d is there: %v", len(tt.failed), tt.all, i, is)
				}
				if err := k.Release(lo, false, []Address{addr(i)}); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
