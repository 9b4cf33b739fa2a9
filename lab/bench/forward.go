package main

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// Implementation constants.
const (
	// pours is how often packets are counted each time, for sliceTime. The best
	// counts: what else runs on the machine makes the others worse.
	pours     = 12
	sliceTime = 200 * time.Millisecond
	// forwardSettle is how long a daemon with one virtual router rests.
	forwardSettle = 2 * time.Second
)

// forward measures what a gateway forwards from the client to the far side, r2,
// with a daemon on it, in percent of the better of what it forwards
// before and after without.
func forward(role string) func(*trial) {
	return func(t *trial) {
		s := t.newScene(0)
		s.MoreLinks(1)
		if !lab.Until(10*time.Second, func() bool { return len(s.R1.Addresses("link0")) == 2 && len(s.R2.Addresses("link0")) == 2 }) {
			t.Fatalf("the far side does not come up")
		}
		v := virtualRouters{links: s.links, count: 1, first: floodVRID, interval: floodInterval, priority: high}
		own := parseMAC(s.R1.MAC)
		before := s.pour(own)
		var p *lab.Process
		var with float64
		if role == "active" {
			p, _ = s.startActive(t.who, v)
			time.Sleep(forwardSettle)
			with = s.pour(net.HardwareAddr{0, 0, 0x5e, 0, 1, floodVRID})
		} else {
			a := v.advertisement(s.Client, s.links[0], floodVRID)
			a.priority = high + 1
			s.startSender(s.Client, s.links[0].device, 10, [][]byte{a.good()})
			s.wire.forget()
			p = s.start(s.R1, t.who, v)
			time.Sleep(forwardSettle)
			with = s.pour(own)
			if len(of(s.wire.read(), advert, s.r1...)) > 0 {
				t.Fatalf("%s is not Backup", t.who)
			}
		}
		stop(p)
		time.Sleep(time.Second)
		after := s.pour(own)
		t.note(role, 100*with/max(before, after))
		t.note(role+"/packets", with)
	}
}

// pour sends datagrams by way of a hardware address, as many as one process
// can, and returns how many a second reach the far side. It stays on one processor:
// which one it has makes more difference than a daemon.
func (s *scene) pour(by net.HardwareAddr) float64 {
	const discard = 9
	frame := lab.UDP(by, netip.AddrPortFrom(s.Client.Addr, discard), netip.AddrPortFrom(netip.MustParseAddr("10.100.0.2"), discard), make([]byte, 18))
	sender := s.startSender(s.Client, lab.Interface, 0, [][]byte{frame}, "taskset", "-c", "0")
	defer sender.Kill()
	time.Sleep(500 * time.Millisecond)
	best := 0.0
	for range pours {
		before, from := arrived(s.trial, s.R2, "link0"), time.Now()
		time.Sleep(sliceTime)
		n, lasted := arrived(s.trial, s.R2, "link0")-before, time.Since(from)
		best = max(best, float64(n)/lasted.Seconds())
	}
	if best == 0 {
		s.trial.Fatalf("nothing is forwarded")
	}
	return best
}

// received is how many packets have come into the switch by a port.
func (s *scene) received(port string) int { return arrived(s.trial, s.Switch, port) }

// arrived is how many packets an interface of a node has received.
func arrived(t *trial, n *lab.Node, device string) (packets int) {
	err := n.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/dev")
		packets = receivedPackets(string(b), device)
		return err
	})
	if err != nil {
		t.Fatalf("counters of %s: %v", device, err)
	}
	return packets
}

// receivedPackets reads /proc/net/dev: behind the name are bytes, then packets.
func receivedPackets(dev, device string) int {
	for line := range strings.Lines(dev) {
		name, rest, found := strings.Cut(strings.TrimSpace(line), ":")
		if f := strings.Fields(rest); found && name == device && len(f) > 1 {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	return 0
}
