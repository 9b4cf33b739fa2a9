package netproc

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// receiver is a process with one router, and what is sent to it that is right.
type receiver struct {
	*parent
	known [][]byte
}

// receivers have every kind of authentication, with version 2, 3 and IPv6, and every
// mode of HMAC.
func receivers(t testing.TB) (all []receiver) {
	word := ipc.Secret{Value: []byte("changeme")}
	add := func(r ipc.Router, secret *ipc.Secret, known ...[]byte) {
		var say []any
		if secret != nil {
			say = append(say, ipc.Slot(0), ipc.Secret{ID: secret.ID, Value: bytes.Clone(secret.Value)})
		}
		d := authenticated(t, r, say...)
		d.now += second
		d.p.now = d.now
		d.p.deliver = func([]byte) error { return nil }
		up := d.p.links[r.Link]
		if r.Family == ipc.IPv4 {
			up.Networks = networks("10.77.0.2/24")
		}
		d.p.links[r.Link] = up
		all = append(all, receiver{d, known})
	}
	at := noon.Add(time.Second)
	add(record(), nil, advertisement(peer, good(200)))
	add(record3(), nil, advertisement(peer, good3(200)))
	add(record6(), nil, advertisement6(peer6, good6(200)))
	for _, kind := range []auth.Type{auth.Simple, auth.P0, auth.P1} {
		r := record()
		r.Auth = ipc.Auth(kind)
		add(r, &word, legacy(kind, "changeme", good(200)))
	}
	for mode := range uint8(3) {
		for _, monotonic := range []bool{false, true} {
			for _, r := range []ipc.Router{record(), record3(), record6()} {
				a, source := good(200), peer
				if r.Version == 3 {
					a = good3(200)
				}
				if r.Family == ipc.IPv6 {
					a, source = good6(200), peer6
				}
				r = withHMAC(r, mode)
				r.HMAC.Monotonic = monotonic
				add(r, &secret1, signed(t, 1, source, a, at))
			}
		}
	}
	return all
}

// proven says whether a packet's message was made by who knows the secret: it is
// the one that is known, but for what is not covered.
func (v *receiver) proven(source netip.Addr, message []byte) bool {
	bare := func(m []byte) []byte {
		m = bytes.Clone(m)
		clear(m[6:8]) // the checksum
		return m
	}
	known, from := v.known[0], peer
	if known[0]>>4 == 6 {
		known, from = known[40:], peer6
	} else {
		known = known[20:]
	}
	switch r := v.p.at(0); {
	case r.record.Auth == ipc.AuthSimple:
		return len(message) >= auth.DataLen && bytes.Equal(message[len(message)-auth.DataLen:], []byte("changeme"))
	case r.record.Auth == ipc.AuthHMAC && from != source:
		return false
	}
	return bytes.Equal(bare(known), bare(message))
}

// FuzzReceive: whatever arrives, and however it is to be authenticated, what is
// discarded touches no timer and no memory, and what counts is from who knows the
// secret.
func FuzzReceive(f *testing.F) {
	all := receivers(f)
	for i, v := range all {
		for _, b := range v.known {
			f.Add(uint8(i), b)
			f.Add(uint8(i+1), b)
			f.Add(uint8(i), b[:len(b)-1])
			f.Add(uint8(i), append(bytes.Clone(b), make([]byte, auth.TrailerLen)...))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, packet []byte) {
		if len(packet) > ipc.MaxFrame {
			return
		}
		v := &all[int(which)%len(all)]
		r := v.p.at(0)
		frame := ipc.Frame{Link: r.record.Link, Family: r.record.Family, Received: v.now, Packet: packet}
		var before []auth.Mark
		if r.auth.hmac != nil {
			before = append(before, r.auth.hmac.Marks()...)
		}
		state, due, dropped := r.vr.State(), v.p.next(), v.total()
		got := bytes.Clone(packet)
		v.p.packet(frame)
		if err := v.p.flush(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, packet) {
			t.Errorf("the packet was changed: %x, was %x", packet, got)
		}
		if v.total() > dropped {
			if v.total() != dropped+1 || r.vr.State() != state || v.p.next() != due {
				t.Errorf("%x was discarded, and has an effect", packet)
			}
			if why := r.heard.why; r.auth.hmac != nil && why != report.DropOwnFrame && why < report.DropAdverInterval && !sameList(before, r.auth.hmac.Marks()) {
				t.Errorf("%x was discarded for %v, and is remembered: %v, was %v", packet, why, r.auth.hmac.Marks(), before)
			}
			return
		}
		parse := wire.ParseIPv4
		if r.record.Family == ipc.IPv6 {
			parse = wire.ParseIPv6
		}
		ip, message, _ := parse(packet)
		enforced := r.record.Auth != ipc.AuthNone && (r.auth.hmac == nil || r.auth.hmac.Demands() || r.trailerOf(message, ip.Source) > 0)
		if enforced && !v.proven(ip.Source, message) {
			t.Errorf("%x is accepted", packet)
		}
	})
}

// total is how many packets have been discarded.
func (v *receiver) total() (n uint64) {
	for _, c := range v.p.drops {
		n += c.total
	}
	return n
}

func sameList(a, b []auth.Mark) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
