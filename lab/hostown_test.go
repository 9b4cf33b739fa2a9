//go:build lab

package lab_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestHostsOwnAddresses: what the host has itself stays in reach as a Backup, and
// after a kill -9, although it is a virtual address, too: on the interface beside
// others, on another one, and link-local on another one, where it is another
// address, also with accept_mode = false. Somebody else's leases and rules are not
// for it.
func TestHostsOwnAddresses(t *testing.T) {
	t.Parallel()
	const second = "other0"
	for _, tt := range []struct {
		name, device, address, vip, says string
	}{
		{"on the interface, beside another", lab.Interface, "10.9.0.200/24", `"10.9.0.254/24", "10.9.0.200/24"`, "some of the virtual addresses"},
		{"on another interface", second, "10.77.0.1/24", `"10.9.0.254/24", "10.77.0.1/32"`, `another interface of this host itself has virtual addresses.*addresses=\[10.77.0.1\]`},
		{"IPv6 on another interface", second, "2001:db8:77::1/64", `"fe80::9:254/64", "2001:db8:77::1/128"`, `another interface of this host itself has virtual addresses.*addresses=\[2001:db8:77::1\]`},
		{"link-local on another interface", second, "fe80::77/64", `"fe80::77/64", "2001:db8:9::254/64"`, "backup"},
	} {
		for _, extra := range []string{"", "accept_mode = false\n", "iftype = \"ether\"\n"} {
			t.Run(fmt.Sprintf("%s, %q", tt.name, extra), func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				out, err := exec.Command("ip", "-n", l.R1.Namespace, "link", "add", second, "type", "veth", "peer", "name", second, "netns", l.Client.Namespace).CombinedOutput()
				if err != nil {
					t.Fatalf("ip link: %v: %s", err, out)
				}
				l.R1.IP("link set "+second+" up", "addr add "+tt.address+" dev "+tt.device)
				l.Client.IP("link set "+second+" up", "addr add 10.77.0.2/24 dev "+second, "addr add 2001:db8:77::2/64 dev "+second+" nodad")
				own := netip.MustParsePrefix(tt.address).Addr()
				reached := func() bool {
					if tt.device == lab.Interface {
						return acceptsAt(t, l, l.R1, own)
					} else if own.IsLinkLocalUnicast() {
						return accepts(t, l, own.WithZone(second))
					}
					return accepts(t, l, own)
				}
				if !lab.Until(5*time.Second, reached) { // duplicate address detection
					t.Fatalf("%v is out of reach before the start", own)
				}
				router := func(priority int, more string) string {
					return fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = %q\nvip = [%s]\nversion = 3\npriority = %d\n%s"+timers3+"\n", lab.VRID, lab.Interface, tt.vip, priority, more)
				}
				runText(t, l.R2, router(high, "")).AwaitLine(0, 10*time.Second, "backup->active")
				p := runText(t, l.R1, router(low, extra))
				p.AwaitLine(0, 10*time.Second, "initialize->backup")
				if !reached() {
					t.Errorf("%v is out of reach as a Backup; it said\n%s", own, p.Output())
				}
				p.AwaitLine(0, 10*time.Second, tt.says)
				p.Kill()
				if !reached() {
					t.Errorf("%v is out of reach after a death", own)
				}
			})
		}
	}
}
