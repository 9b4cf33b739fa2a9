package parent

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"golang.org/x/sys/unix"
)

// betweenGenerations is besieged's parent after it has told its child the next
// configuration, and before that has taken it over. In it slot 0 has a lower
// priority, slot 1, which is held, another address, slot 2 another
// interval, slot 3 is new where another is gone, and slot 4 has another key. No slot of
// the next generation has a device yet, nor could any be made here.
func betweenGenerations(t *testing.T) (d *daemon, other *ipc.Conn, e *edge) {
	t.Helper()
	d, other, e = besieged(t)
	router := func(vrid, version, priority uint8, addrs ...string) conf.Router {
		r := conf.Router{VRID: vrid, Version: version, Interface: "eth0", Priority: priority, AdverInterval: time.Second,
			InterfaceType: conf.MACVLAN, DeviceName: "standby", Announcements: conf.Announcements{Repeat: 3}}
		for _, a := range addrs {
			ip := netip.MustParseAddr(a)
			r.Addresses = append(r.Addresses, conf.Address{Addr: ip, Bits: ip.BitLen()})
		}
		return r
	}
	c := &conf.Config{Routers: []conf.Router{
		router(7, 2, 50, "10.9.0.254", "10.9.0.253"), router(8, 3, 108, "10.9.0.250"), router(7, 3, 107, "fe80::7", "2001:db8::7"),
		router(10, 3, 110, "10.9.0.251"), router(11, 3, 111, "10.9.0.249"),
	}}
	c.Routers[1].Migration = true
	c.Routers[2].AdverInterval = 2 * time.Second
	c.Routers[3].Auth, c.Routers[3].HMAC = conf.AuthHMAC, &conf.HMAC{ActiveKey: 2, AntiReplay: "time", Window: time.Minute, Mode: "enforce"}
	next := d.match(c)
	d.old = d.slots
	d.adopt(next)
	d.generation++
	for i, s := range d.slots {
		if s != nil && !slices.Contains(d.old, s) { // it has its device: none is made here
			s.index, s.own = 2*slotIndex+i, true
		}
	}
	return d, other, e
}

// ends says whether a datagram has a Ready of the next generation, with which the
// reload is over.
func ends(d *daemon, datagram []byte) bool {
	for len(datagram) > 0 {
		h, _, rest, err := ipc.Next(datagram)
		if err != nil {
			return false
		}
		if h.Type == ipc.TypeReady && h.Generation == d.generation {
			return true
		}
		datagram = rest
	}
	return false
}

// TestNextGenerationIsNotYet: until the child has taken over the next generation
// with Ready, a request of it is a violation, and nothing is done.
func TestNextGenerationIsNotYet(t *testing.T) {
	t.Parallel()
	for _, m := range []ipc.Message{ipc.Acquire{}, ipc.Release{}, ipc.Announce{Count: 1}, ipc.Look{}, ipc.Advertise{Message: goodMessage()}} {
		for slot := range ipc.Slot(7) {
			d, _, e := betweenGenerations(t)
			err := d.request(ipc.Header{Type: m.Type(), Slot: slot, Generation: d.generation}, m)
			d.acquireAll()
			if asked := e.close(); err == nil || len(asked) > 0 {
				t.Errorf("%T of slot %d: %v; the kernel is asked for %+v", m, slot, err, asked)
			}
			for _, s := range d.slots {
				if s != nil && !slices.Contains(d.old, s) && (s.held || len(s.placed) > 0) {
					t.Errorf("%T of slot %d: %s is held", m, slot, s.name)
				}
			}
		}
	}
}

// FuzzAllowDuringReload: while a reload is under way, whatever the network process
// says in a datagram, what reaches the edge to the kernel in that turn lies within
// the grants of the generation that it has taken over; what the next one is granted,
// or is not any more, changes nothing before it has.
func FuzzAllowDuringReload(f *testing.F) {
	add := datagrams(f)
	v3 := func(vrid, priority byte, address ...byte) ipc.Message {
		return ipc.Advertise{Message: append([]byte{0x31, vrid, priority, 1, 0, 100, 0, 0}, address...)}
	}
	good := goodMessage()
	good[2] = 107
	for generation := uint32(1); generation <= 4; generation++ {
		for s := range ipc.Slot(7) {
			add(s, generation, ipc.Advertise{Message: good})
			add(s, generation, ipc.Acquire{}, ipc.Announce{Count: 1}, ipc.Release{}, ipc.Acquire{})
			add(s, generation, ipc.Look{}, ipc.Drain{}, ipc.Ping{}, ipc.Ready{})
			add(s, generation, ipc.Look{Peer: netip.MustParseAddr("10.9.0.77")}, report.StateChange{}, ipc.Mark{Source: netip.MustParseAddr("10.9.0.77"), Sequence: 1})
		}
		add(1, generation, v3(8, 108, 10, 9, 0, 252))
		add(1, generation, v3(8, 108, 10, 9, 0, 250))
		add(5, generation, v3(11, 111, 10, 9, 0, 249))
		add(3, generation, v3(9, 109, 10, 8, 0, 254), ipc.Release{})
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if len(datagram) == 0 || len(datagram) > ipc.MaxDatagram {
			return
		}
		d, other, e := betweenGenerations(t)
		if ends(d, datagram) {
			e.close()
			return
		}
		if err := other.Send(datagram); err != nil {
			t.Fatal(err)
		}
		next := d.slots
		_ = d.turn([fdCount]bool{fdControl: true}, -1)
		for _, s := range next {
			if s != nil && !slices.Contains(d.old, s) && (s.held || len(s.placed) > 0 || s.acquiring != nil) {
				t.Errorf("%s of the next generation is held: %v", s.name, s.placed)
			}
		}
		if d.slots = d.old; d.old == nil {
			t.Fatal("the reload is over")
		}
		d.show()
		lawful(t, d, map[*slot]bool{d.slots[1]: true}, e)
	})
}

// lawful holds what was sent, and what the kernel was asked for, against the
// grants of a parent, of whose slots some were held before.
func lawful(t *testing.T, d *daemon, held map[*slot]bool, e *edge) {
	t.Helper()
	for _, a := range e.close() {
		if s := asks(d, a); a.kind == unix.RTM_NEWADDR && s != nil {
			held[s] = true
		} else if s == nil {
			t.Errorf("the kernel is asked for what no grant covers: %+v", a)
		}
	}
	for _, l := range d.links {
		if l.tx == nil {
			continue
		}
		for _, frame := range l.tx.(*cable).sent {
			if !granted(d, held, l, frame) && !question(d, l, frame) {
				t.Errorf("frame outside the grants: %x", frame)
			}
		}
	}
	for _, s := range d.slots {
		if s.held && !held[s] || s.held && !slices.EqualFunc(s.placed, s.addrs, func(v vaddr, a conf.Address) bool { return v.Prefix.Addr() == a.Addr }) {
			t.Errorf("%s: the ledger says %v", s.name, s.placed)
		}
	}
}
