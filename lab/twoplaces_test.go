//go:build lab

package lab_test

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestOneAddressOnTwoInterfaces: the same address on two interfaces, as
// link-local ones of IPv6 always are: it answers where the router is Active,
// though it is Backup on the other one.
func TestOneAddressOnTwoInterfaces(t *testing.T) {
	t.Parallel()
	for _, ipv6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("IPv6 %v", ipv6), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			const second = "other0"
			out, err := exec.Command("ip", "-n", l.R1.Namespace, "link", "add", second, "type", "veth", "peer", "name", second, "netns", l.R2.Namespace).CombinedOutput()
			if err != nil {
				t.Fatalf("ip link: %v: %s", err, out)
			}
			for host, n := range []*lab.Node{l.R1, l.R2} {
				n.IP(fmt.Sprintf("addr add 10.9.0.%d/24 dev %s", host+101, second), "link set "+second+" up")
			}
			forward(l.R1)
			l.R2.Set("net/ipv4/conf/eth0/arp_ignore", "1") // it has the address on the other one
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, IPv6: ipv6}
			list := ""
			for _, vip := range r.VIPs() {
				list += fmt.Sprintf("%q, ", vip.String()+map[bool]string{false: "/24", true: "/64"}[ipv6])
			}
			router := func(device string, priority int) string {
				return fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = %q\nvip = [%s]\nversion = 3\npriority = %d\npreemption = true\n"+timers3+"\n", lab.VRID, device, list, priority)
			}
			b := runText(t, l.R2, router(second, high))
			b.AwaitLine(0, 10*time.Second, "backup->active")
			p := runText(t, l.R1, router(lab.Interface, low)+router(second, low))
			if warned := p.Said(0, "on another interface, too"); !ipv6 {
				p.AwaitLine(0, 5*time.Second, "on another interface, too")
			} else if warned {
				t.Errorf("it said\n%s", p.Output())
			}
			p.AwaitLine(0, 10*time.Second, "backup->active.*vr=eth0/")
			r.OnInterface = true
			answers(t, l, l.R1, r)
			if !accepts(t, l, r.VIPs()[0]) {
				t.Errorf("%v does not answer", r.VIPs()[0])
			}
			// Renewed for longer than a lease.
			awaitAdverts(l, l.R1, lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: low}, 5)
			answers(t, l, l.R1, r)
			if p.Said(0, "->active.*vr="+second) {
				t.Errorf("it said\n%s", p.Output())
			}
		})
	}
}

// TestNoSubnet: an address in no subnet of the interface is told of, and so is
// OpenStack's; both work.
func TestNoSubnet(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	p := runText(t, l.R1, fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = %q\nvip = [\"%v\", \"10.88.0.254\", \"169.254.0.1/24\"]\nversion = 3\n"+timers3+"\n", lab.VRID, lab.Interface, lab.VIP))
	p.AwaitLine(0, 5*time.Second, "169.254.0.1 is link-local and reserved")
	p.AwaitLine(0, 5*time.Second, `virtual addresses in no subnet of the interface.*link=eth0/ipv4 addresses="\[10.88.0.254 169.254.0.1\]"`)
	l.Tap.Await(0, 5*time.Second, "r1's advertisement", advertisement(l.R1))
	if !lab.Until(2*time.Second, func() bool { return len(l.R1.Addresses(lab.Interface)) >= 4 }) {
		t.Errorf("r1 has %v", l.R1.Addresses(lab.Interface))
	}
	p.Signal(syscall.SIGHUP) // a reload changes nothing, and tells nothing again
	p.AwaitLine(0, 5*time.Second, "configuration loaded")
	awaitAdverts(l, l.R1, lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: 100}, 4)
	if n := strings.Count(p.Output(), "in no subnet"); n != 1 {
		t.Errorf("told %d times; it said\n%s", n, p.Output())
	}
}
