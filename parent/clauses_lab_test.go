//go:build lab

package parent

import (
	"errors"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// macvlan6 makes the device of IPv6 VRID 10 above eth0.
func macvlan6(t *testing.T, k *kernel) int {
	t.Helper()
	mac := virtualMAC(ipc.IPv6, 10)
	index, err := k.createMACVLAN(find(t, k, "eth0").Index, "standby10", mac[:], "rvrrpd", deviceGroup|7)
	if err != nil {
		t.Error(err)
	}
	return index
}

// output runs ip(8) and returns what it says.
func output(t *testing.T, args string) string {
	t.Helper()
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		t.Errorf("ip %s: %v: %s", args, err, out)
	}
	return string(out)
}

// within waits until what ip(8) says has the words, or has them no more.
func within(t *testing.T, limit time.Duration, args, words string, there bool) {
	t.Helper()
	deadline := ipc.Monotonic() + int64(limit)
	for strings.Contains(output(t, args), words) != there {
		if ipc.Monotonic() > deadline {
			t.Errorf("ip %s: %q there: %v; it says\n%s", args, words, !there, output(t, args))
			return
		}
		unix.Poll(nil, 5)
	}
}

var virtual6 = []vaddr{
	{Prefix: netip.MustParsePrefix("fe80::5e00:20a/64")},
	{Prefix: netip.MustParsePrefix("2001:db8::12:345a/64"), NoPrefixRoute: true},
}

// TestSolicitedNodeGroups: the device is a member of the solicited-node group
// of each address while it has them (RFC 5798 §6.4.2 (390), §6.4.3 (620)), so
// that it hears solicitations, and not before nor after.
func TestSolicitedNodeGroups(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		k, err := openKernel()
		if err != nil {
			t.Error(err)
			return
		}
		dev := macvlan6(t, k)
		settings, err := differing("standby10", deviceSettings6)
		if err := errors.Join(err, change(settings)); err != nil {
			t.Error(err)
		}
		groups := []string{"ff02::1:ff00:20a", "ff02::1:ff12:345a"}
		expect := func(there bool) {
			for _, g := range groups {
				within(t, 2*time.Second, "maddr show dev standby10", g, there)
			}
		}
		expect(false)
		for range 2 {
			if err := k.acquire(dev, true, virtual6); err != nil {
				t.Error(err)
			}
			expect(true)
			if err := k.release(dev, true, virtual6); err != nil {
				t.Error(err)
			}
			expect(false)
		}
	})
}

// TestVirtualMACSeedsNothing: a device of ours has no address but the virtual
// ones; one without our settings, up, makes one of its MAC address (RFC 5798
// §7.4).
func TestVirtualMACSeedsNothing(t *testing.T) {
	const seeded = "fe80::200:5eff:fe00:20a"
	for name, ours := range map[string]bool{"with our settings": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			inNamespace(t, func(t *testing.T) {
				k, err := openKernel()
				if err != nil {
					t.Error(err)
					return
				}
				dev := macvlan6(t, k)
				if ours {
					settings, err := differing("standby10", deviceSettings6)
					if err := errors.Join(err, change(settings)); err != nil {
						t.Error(err)
					}
				}
				if err := k.acquire(dev, true, virtual6); err != nil {
					t.Error(err)
				}
				if !ours {
					within(t, 3*time.Second, "-6 addr show dev standby10", seeded, true)
					return
				}
				// The kernel makes it as soon as the device has a carrier.
				within(t, 3*time.Second, "link show dev standby10", "LOWER_UP", true)
				if said := output(t, "-6 addr show dev standby10"); strings.Count(said, "inet6") != 2 || strings.Contains(said, seeded) {
					t.Errorf("addresses:\n%s", said)
				}
			})
		})
	}
}
