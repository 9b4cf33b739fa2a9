//go:build lab

package lab_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// on is the configuration of a virtual router on another interface, with a
// network, a VRID and a device of its own.
func on(iface, network, device string, vrid int) string {
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	return strings.NewReplacer(`"`+lab.Interface+`"`, `"`+iface+`"`, "10.9.", network, lab.Device, device, "group = 10", fmt.Sprintf("group = %d", vrid)).Replace(r.Configuration(""))
}

// TestLowerElsewhere: virtual routers on macvlans, as a container has them: the
// kernel names the interface at the very bottom as the one below our devices,
// by a number of another network namespace, or of this one. Whose is what our
// own ledger says: a start takes nothing from another daemon on another such
// interface, restores the settings of the right one, and takes over by a
// handover what is there.
func TestLowerElsewhere(t *testing.T) {
	t.Parallel()
	for _, here := range []bool{false, true} {
		t.Run(fmt.Sprintf("in the same namespace %v", here), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			host := l.R2
			if here {
				host = l.R1
			}
			// What has the number of the interface below, in the daemons' namespace.
			if number(t, l.R1, lab.Interface) != number(t, host, lab.Interface) {
				t.Fatal("the interfaces have different numbers")
			}
			for i, name := range []string{"m1", "m2"} {
				host.IP(fmt.Sprintf("link add link %s name %s netns %s type macvlan mode bridge", lab.Interface, name, l.R1.Namespace))
				l.R1.IP(fmt.Sprintf("addr add 10.%d.0.1/24 dev %s", 7-i, name), "link set "+name+" up")
			}
			settings := func(iface string) (s string) {
				for _, name := range []string{"arp_ignore", "arp_announce", "accept_local"} {
					s += l.R1.Setting("net/ipv4/conf/" + iface + "/" + name)
				}
				return s
			}
			l.R1.Set("net/ipv4/conf/"+lab.Interface+"/arp_ignore", "1") // as an operator may want them
			l.R1.Set("net/ipv4/conf/"+lab.Interface+"/arp_announce", "2")
			lower := settings(lab.Interface)

			file := writeConfig(t, on("m1", "10.7.", "first", 10))
			run := func() *lab.Process {
				p := l.R1.Start(lab.Binary("rvrrpd"), "-m1", "-c", file)
				p.AwaitLine(0, 5*time.Second, "msg=ready")
				return p
			}
			a := run()
			a.AwaitLine(0, 5*time.Second, "backup->active")
			device := number(t, l.R1, "first")

			two := on("m2", "10.6.", "second", 11)
			b := runText(t, l.R1, two)
			b.AwaitLine(0, 5*time.Second, "backup->active")
			b.Kill()
			b = runText(t, l.R1, two)
			b.AwaitLine(0, 5*time.Second, "sweeping devices left behind.*first=second.*link=m2")
			b.AwaitLine(0, 5*time.Second, "backup->active")
			if a.Said(0, "put back|active->|level=ERROR") || number(t, l.R1, "first") != device {
				t.Errorf("the second took from the first, which said\n%s", a.Output())
			}

			a.Signal(syscall.SIGUSR2)
			a.AwaitExit(5 * time.Second)
			a = run()
			a.AwaitLine(0, 5*time.Second, "taken over from the daemon before.*active=1")
			if number(t, l.R1, "first") != device {
				t.Error("the device was not taken over")
			}

			a.Kill()
			a = run()
			a.AwaitLine(0, 5*time.Second, "sweeping devices left behind.*first=first.*link=m1")
			a.AwaitLine(0, 5*time.Second, "backup->active")
			if b.Said(0, "put back|active->|level=ERROR") {
				t.Errorf("the first took from the second, which said\n%s", b.Output())
			}
			for _, p := range []*lab.Process{a, b} {
				if status := p.Terminate(5 * time.Second); status != 0 {
					t.Errorf("status %d; it said\n%s", status, p.Output())
				}
			}
			for iface, want := range map[string]string{lab.Interface: lower, "m1": "000", "m2": "000"} {
				if now := settings(iface); now != want {
					t.Errorf("%s: arp_ignore, arp_announce, accept_local are %s in the end, want %s", iface, now, want)
				}
			}
		})
	}
}
