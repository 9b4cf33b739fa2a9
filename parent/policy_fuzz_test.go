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

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// fuzzed is a parent with four virtual routers whose every frame and
// acquisition is recorded: its interfaces are busy, so that frames wait, and
// acquisitions wait for the end of the turn. Slot 1 is held.
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
	}}
	c.Routers[1].Migration = true
	d := &daemon{log: slog.New(slog.NewTextHandler(io.Discard, nil)), generation: 2, leaseCheck: never,
		child: &child{phase: ipc.PhaseRun, reports: rate{period: time.Second, burst: 10}}}
	gs, names := grants(c)
	for i, n := range names {
		primary := v4("10.9.0.1")
		if n.family == ipc.IPv6 {
			primary = v6("fe80::1")
		}
		d.links = append(d.links, &link{linkName: n, id: ipc.Link(i), told: ipc.LinkState{Link: ipc.Link(i), Up: true, Primary: primary}, mac: [6]byte{2, 0, 0, 0, 0, byte(i)}, mtu: 1500})
	}
	for _, g := range gs {
		d.slots = append(d.slots, &slot{grant: g, own: true})
	}
	d.slots[1].held, d.slots[1].placed = true, d.place(d.slots[1])
	for _, l := range d.links {
		l.tx = &wire{room: -1}
	}
	return d
}

// FuzzAllow: whatever the network process says, what reaches the edge to the
// kernel lies within the grants: frames of a granted virtual router, with its
// source address, for its own addresses, on its interface and with no more
// than its priority; and no acquisition but of a granted slot.
func FuzzAllow(f *testing.F) {
	add := func(slot ipc.Slot, generation uint32, m ipc.Message) {
		f.Add(ipc.Append(nil, ipc.Header{Slot: slot, Generation: generation, Sequence: 1}, m))
	}
	good := goodMessage()
	good[2] = 107
	for s := range ipc.Slot(6) {
		add(s, 2, ipc.Advertise{Message: good})
		add(s, 2, ipc.Acquire{})
		add(s, 2, ipc.Announce{Repeat: 3})
		add(s, 1, ipc.Release{})
		add(s, 3, ipc.Acquire{})
	}
	add(1, 2, ipc.Advertise{Message: []byte{0x31, 8, 108, 1, 0, 100, 0, 0, 10, 9, 0, 252}})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		d := fuzzed()
		for rest := datagram; len(rest) > 0; {
			h, payload, after, err := ipc.Next(rest)
			if err != nil {
				break
			}
			rest = after
			if h.Type == ipc.TypeDrain || h.Type == ipc.TypeHello || h.Type == ipc.TypeReady || h.Type == ipc.TypeRelease {
				continue // these go to sockets, processes and the kernel, and carry nothing
			}
			if d.heard(h, payload) != nil {
				break
			}
		}
		for _, l := range d.links {
			d.drain(l)
			for _, frame := range l.tx.(*wire).frames {
				if !granted(d, l, frame) {
					t.Errorf("frame outside the grants: %x", frame)
				}
			}
		}
		for _, a := range d.acquisitions {
			if !slices.Contains(d.slots, a.slot) {
				t.Errorf("acquisition outside the grants: %v", a.slot.name)
			}
		}
	})
}

// granted reads a frame as a host on the LAN would, and looks for the slot
// that may have sent it.
func granted(d *daemon, l *link, b []byte) bool {
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
			return s.held && announced(s, body[14:18]) && bytes.Equal(body[14:18], body[24:28])
		case kind == 0x0800 && body[9] == 112:
			return advertised(s, body[20:binary.BigEndian.Uint16(body[2:])], l.told.Primary, body[12:16])
		case kind == 0x86dd && body[6] == 112:
			return advertised(s, body[40:40+binary.BigEndian.Uint16(body[4:])], l.told.Primary, body[8:24])
		case kind == 0x86dd && body[6] == 58:
			return s.held && body[40] == 136 && announced(s, body[48:64])
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
	ok := len(m) == length && (version == s.version || s.migration && version == 2) && m[0]&15 == 1 && m[1] == s.vrid &&
		m[2] <= s.priority && int(m[3]) == n && bytes.Equal(source, primary.AsSlice())
	for i := range min(n, (len(m)-8)/size) {
		ok = ok && bytes.Equal(m[8+i*size:8+(i+1)*size], s.addrs[i].Addr.AsSlice())
	}
	return ok
}
