package parent

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// fuzzed is a parent with five virtual routers of every kind that differs on
// the wire. Slot 1 is held; what is sent is recorded.
func fuzzed() *daemon {
	v4, v6 := netip.MustParseAddr, netip.MustParseAddr
	router := func(vrid uint8, version uint8, iface string, addrs ...netip.Addr) conf.Router {
		r := conf.Router{VRID: vrid, Version: version, Interface: iface, Priority: 100 + vrid, AdverInterval: time.Second,
			InterfaceType: conf.MACVLAN, DeviceName: "standby", Announcements: conf.Announcements{Repeat: 3}}
		for _, a := range addrs {
			r.Addresses = append(r.Addresses, conf.Address{Addr: a, Bits: a.BitLen()})
		}
		return r
	}
	c := &conf.Config{Routers: []conf.Router{
		router(7, 2, "eth0", v4("10.9.0.254"), v4("10.9.0.253")), router(8, 3, "eth0", v4("10.9.0.252")),
		router(7, 3, "eth0", v6("fe80::7"), v6("2001:db8::7")), router(9, 3, "eth1", v4("10.8.0.254")),
		router(10, 3, "eth0", v4("10.9.0.251")),
	}}
	c.Routers[1].Migration = true
	c.Routers[4].Auth, c.Routers[4].HMAC = conf.AuthHMAC, &conf.HMAC{ActiveKey: 1, AntiReplay: "time", Window: time.Minute, Mode: "enforce"}
	d := &daemon{keeper: unread(),
		living: living{respawn: never},
		broker: broker{conversing: conversing{child: &child{Child: &children.Child{}, phase: ipc.PhaseRun, deadline: never}}, leasing: leasing{leaseCheck: never}, ledger: ledger{generation: 2}, log: slog.New(slog.NewTextHandler(io.Discard, nil))},
	}
	gs, names := grants(c)
	for i, n := range names {
		primary, prefix := v4("10.9.0.1"), netip.MustParsePrefix("10.9.0.1/24")
		if n.family == ipc.IPv6 {
			primary, prefix = v6("fe80::1"), netip.MustParsePrefix("fe80::1/64")
		}
		d.links = append(d.links, &link{wire: wire{linkName: n, id: ipc.Link(i), told: ipc.LinkState{Link: ipc.Link(i), Up: true, Primary: primary}, mac: [6]byte{2, 0, 0, 0, 0, byte(i)}, mtu: 1500, prefixes: []netip.Prefix{prefix}, tx: &cable{room: -1}}})
	}
	for _, g := range gs {
		s := newSlot(&g)
		s.own = true
		d.slots = append(d.slots, s)
	}
	d.show()
	d.slots[1].held, d.slots[1].placed = true, d.place(&d.slots[1].page)
	return d
}

// besieged is that parent with a child that is this test, and a kernel that
// records what it is asked for.
func besieged(t *testing.T) (d *daemon, other *ipc.Conn, e *edge) {
	t.Helper()
	d = fuzzed()
	talker, other := talking(t)
	d.child.Control, d.datagram = talker.child.Control, talker.datagram
	d.now, d.heart.next, d.spawner = ipc.Monotonic(), never, children.Over(-1, nil)
	var err error
	if d.kernel, e, err = newEdge(); err != nil {
		t.Fatal(err)
	}
	d.monitor.FD, d.foreignAddresses.FD, d.tap = -1, -1, func(int, ipc.Family) (int, error) { return -1, nil }
	for i, l := range d.links {
		l.index = linkIndex + i
	}
	for i, s := range d.slots {
		s.index, s.expires = slotIndex+i, never
		d.links[s.link].slots = append(d.links[s.link].slots, s)
	}
	d.show()
	return d, other, e
}

// The numbers of interfaces and of the devices on them.
const (
	linkIndex = 10
	slotIndex = 100
)

// datagrams adds what the network process says in one datagram to the seeds.
func datagrams(f *testing.F) func(slot ipc.Slot, generation uint32, ms ...ipc.Message) {
	return func(slot ipc.Slot, generation uint32, ms ...ipc.Message) {
		var b []byte
		for _, m := range ms {
			h := ipc.Header{Slot: slot, Generation: generation, Sequence: 1}
			if rule, _ := ipc.RuleOf(m.Type()); !rule.Slot {
				h.Slot = ipc.NoSlot
			}
			b = ipc.Append(b, h, m)
		}
		f.Add(b)
	}
}

// FuzzAllow: whatever the network process says in a datagram, what reaches the
// edge to the kernel in that turn lies within the grants: frames of a granted
// virtual router, with its source address, for its own addresses, on its
// interface, with its interval and with no more than its priority; its own
// addresses on its own device; and questions for these, and for addresses of the
// link's own networks.
func FuzzAllow(f *testing.F) {
	add := datagrams(f)
	good := goodMessage()
	good[2] = 107
	for s := range ipc.Slot(6) {
		for _, address := range []string{"10.9.0.77", "192.0.2.1", "fe80::77", "2001:db8::77"} {
			add(s, 2, ipc.Look{Peer: netip.MustParseAddr(address)})
			add(s, 2, ipc.Mark{Source: netip.MustParseAddr(address), Sequence: 1})
		}
		add(s, 2, ipc.Advertise{Message: good})
		add(s, 2, ipc.Acquire{}, ipc.Announce{Count: 1}, ipc.Release{}, ipc.Acquire{})
		add(s, 2, ipc.Announce{First: 1, Count: 1}, ipc.Drain{}, ipc.Ping{}, ipc.Ready{})
		add(s, 2, ipc.Look{}, ipc.Acquire{}, ipc.Look{})
		add(s, 1, ipc.Release{})
		add(s, 3, ipc.Acquire{})
	}
	add(1, 2, ipc.Advertise{Message: []byte{0x31, 8, 108, 1, 0, 100, 0, 0, 10, 9, 0, 252}})
	add(4, 2, ipc.Advertise{Message: append([]byte{0x31, 10, 110, 1, 0, 100, 0, 0, 10, 9, 0, 251}, make([]byte, trailerLen)...)})
	add(2, 2, ipc.Advertise{Message: append(append([]byte{0x31, 7, 107, 2, 0, 100, 0, 0},
		netip.MustParseAddr("fe80::7").AsSlice()...), netip.MustParseAddr("2001:db8::7").AsSlice()...)})
	// What is forged, one byte in each.
	for at, to := range map[int]byte{1: 10, 2: 109, 3: 2, 5: 101, 11: 99} {
		b := []byte{0x31, 8, 108, 1, 0, 100, 0, 0, 10, 9, 0, 252}
		b[at] = to
		add(1, 2, ipc.Advertise{Message: b})
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if len(datagram) == 0 || len(datagram) > ipc.MaxDatagram {
			return
		}
		d, other, e := besieged(t)
		if err := other.Send(datagram); err != nil {
			t.Fatal(err)
		}
		_ = d.turn([fdCount]bool{fdControl: true}, -1)
		lawful(t, d, map[*slot]bool{d.slots[1]: true}, e)
	})
}

// asks finds the slot on whose behalf the kernel was asked for something.
func asks(d *daemon, a asked) *slot {
	i := slices.IndexFunc(d.slots, func(s *slot) bool {
		address := a.kind == unix.RTM_NEWADDR || a.kind == unix.RTM_DELADDR
		return s.index == a.device && (a.kind == unix.RTM_NEWLINK || address && announced(s, a.addr.AsSlice()))
	})
	if i < 0 {
		return nil
	}
	return d.slots[i]
}

// question says whether a frame asks, as the link itself, for an address of the
// link's own networks or of a virtual router on it.
func question(d *daemon, l *link, b []byte) bool {
	target, source, from := []byte(nil), b[6:12], []byte(nil)
	switch kind, body := binary.BigEndian.Uint16(b[12:]), b[14:]; {
	case kind == 0x0806 && body[7] == 1:
		target, from = body[24:28], body[14:18]
	case kind == 0x86dd && body[6] == 58 && body[40] == 135:
		target, from = body[48:64], body[8:24]
	default:
		return false
	}
	ip, _ := netip.AddrFromSlice(target)
	return bytes.Equal(source, l.mac[:]) && bytes.Equal(from, l.told.Primary.AsSlice()) &&
		(l.prefixes[0].Contains(ip) || slices.ContainsFunc(d.slots, func(s *slot) bool { return d.links[s.link] == l && announced(s, target) }))
}

// granted reads a frame as a host on the LAN would, and looks for the slot
// that may have sent it.
func granted(d *daemon, held map[*slot]bool, l *link, b []byte) bool {
	if len(b) < 14 {
		return false
	}
	return slices.ContainsFunc(d.slots, func(s *slot) bool {
		if d.links[s.link] != l || !bytes.Equal(b[6:12], s.mac[:]) {
			return false
		}
		kind, body := binary.BigEndian.Uint16(b[12:]), b[14:]
		switch {
		case kind == 0x0806:
			return held[s] && announced(s, body[14:18]) && bytes.Equal(body[14:18], body[24:28])
		case kind == 0x0800 && body[9] == 112:
			return advertised(s, body[20:binary.BigEndian.Uint16(body[2:])], l.told.Primary, body[12:16])
		case kind == 0x86dd && body[6] == 112:
			return advertised(s, body[40:40+binary.BigEndian.Uint16(body[4:])], l.told.Primary, body[8:24])
		case kind == 0x86dd && body[6] == 58:
			return held[s] && body[40] == 136 && announced(s, body[48:64])
		}
		return false
	})
}

func announced(s *slot, address []byte) bool {
	return slices.ContainsFunc(s.addrs, func(a conf.Address) bool { return bytes.Equal(a.Addr.AsSlice(), address) })
}

func advertised(s *slot, m []byte, primary netip.Addr, source []byte) bool {
	n, size := len(s.addrs), s.addrs[0].Addr.BitLen()/8
	version, length := m[0]>>4, 8+n*size
	if version == 2 {
		length += 8
	}
	signed := s.told.Auth == ipc.AuthHMAC && len(m) == length+28
	interval := map[uint8][]byte{2: {1}, 3: {0, 100}}[version] // a second
	ok := (len(m) == length || signed) && len(interval) > 0 && bytes.HasSuffix(m[4:6], interval) && (version == s.version || s.migration && version == 2) && m[0]&15 == 1 && m[1] == s.vrid &&
		m[2] <= s.priority && int(m[3]) == n && bytes.Equal(source, primary.AsSlice())
	for i := range min(n, (len(m)-8)/size) {
		ok = ok && bytes.Equal(m[8+i*size:8+(i+1)*size], s.addrs[i].Addr.AsSlice())
	}
	return ok
}
