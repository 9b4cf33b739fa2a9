package netproc

import (
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestIPv6: a virtual router in IPv6 and its twin in IPv4 with the same VRID
// know nothing of each other.
func TestIPv6(t *testing.T) {
	t.Parallel()
	d := newParent(t)
	d.say(ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), record(), ipc.Slot(1), record6(), linkUp, linkUp6, ipc.Commit{Routers: 2})
	d.expect("configured", d.turn(), "g1 ready", "g1 s0 initialize->backup startup", "g1 s1 initialize->backup startup")
	d.now += second
	d.frame(d.now, advertisement(peer, good(200)))
	d.expect("IPv4", d.turn())
	if got, want := d.p.next(), start+downInterval; got != want {
		t.Errorf("IPv6 Active_Down_Timer: due at %d, want %d", got, want)
	}
	d.now = d.p.next()
	d.expect("due", d.turn(), "g1 drain")
	d.drained()
	d.expect("takeover in IPv6 alone", d.turn(),
		"g1 s1 advertise v3 vrid=7 priority=100 every 1s [fe80::5e00:207 2001:db8::254]",
		"g1 s1 acquire", "g1 s1 announce 0+2", "g1 s1 backup->active active-down")
	a := good6(100)
	d.now += ms
	d.frame6(advertisement6(mustAddr("fe80::1"), a)) // below fe80::2
	d.expect("the same priority, a smaller address", d.turn(), "g1 s1 advertise v3 vrid=7 priority=100 every 1s [fe80::5e00:207 2001:db8::254]")
	d.now += ms
	d.frame6(advertisement6(mustAddr("fe80::ff"), a))
	d.expect("the same priority, a greater address", d.turn(), "g1 s1 release", "g1 s1 active->backup higher-address fe80::ff/100")
}

// TestIPv6DoesNotAllocate: hearing the Active in IPv6 costs no memory.
func TestIPv6DoesNotAllocate(t *testing.T) {
	d := configured6(t, record6())
	h := ipc.Header{Slot: ipc.NoSlot, Generation: 1}
	s := &steady{d, ipc.Append(nil, h, ipc.Frame{Link: 6, Family: ipc.IPv6, Received: start, Packet: advertisement6(peer6, good6(200))})}
	noAllocations(t, s.receive)
	if got, want := s.p.next(), start+downInterval; got != want {
		t.Errorf("due at %d, want %d", got, want)
	}
}
