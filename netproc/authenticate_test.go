package netproc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// noon is the wall clock of the tests.
var noon = time.Unix(1_800_000_000, 0)

// print1 is the fingerprint of key 1.
var print1 = auth.Fingerprint(hmacKey(1))

func hmacKey(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

// authenticated brings a process with one router and its secrets up to Backup.
func authenticated(t testing.TB, r ipc.Router, say ...any) *parent {
	t.Helper()
	d := newParent(t)
	d.p.wall = func() time.Time { return noon.Add(time.Duration(d.now - start)) }
	link := linkUp
	if r.Family == ipc.IPv6 {
		link = linkUp6
	}
	d.say(append(append([]any{ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), r}, say...), link, ipc.Commit{Routers: 1})...)
	d.expect("configured", d.turn(), "g1 ready", "g1 s0 initialize->backup startup")
	return d
}

func withHMAC(r ipc.Router, mode uint8) ipc.Router {
	r.Auth, r.HMAC = ipc.AuthHMAC, ipc.HMAC{ActiveKey: 1, Mode: mode, Window: 5}
	return r
}

// signed is a packet with a trailer of key n, made at an instant.
func signed(t testing.TB, n byte, src netip.Addr, a wire.Advertisement, at time.Time) []byte {
	t.Helper()
	h, err := auth.New(auth.Config{Keys: []auth.Key{{ID: n, Value: hmacKey(n)}}, Active: n, Window: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if src.Is6() {
		m := h.Sign(wire.Append(nil, &a, src, wire.GroupIPv6), 0, src, at)
		wire.Seal(m, src, wire.GroupIPv6)
		return packet6(src, m)
	}
	return packet(src, h.Sign(wire.Append(nil, &a, src, wire.GroupIPv4), 0, src, at))
}

// legacy is a version 2 packet with authentication data.
func legacy(kind auth.Type, secret string, a wire.Advertisement) []byte {
	au := authenticator{legacy: auth.NewLegacy(kind, []byte(secret))}
	au.fill(&a, peer, wire.GroupIPv4)
	return advertisement(peer, a)
}

// TestAuthentication: R11, every reason of it, and what passes.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	simple, p0, p1 := record(), record(), record()
	simple.Auth, p0.Auth, p1.Auth = ipc.AuthSimple, ipc.AuthP0, ipc.AuthP1
	secret := []any{ipc.Slot(0), ipc.Secret{Value: []byte("changeme")}}
	keys := []any{ipc.Slot(0), ipc.Secret{ID: 1, Value: hmacKey(1)}, ipc.Slot(0), ipc.Secret{ID: 2, Value: hmacKey(2)}}
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1
		return b
	}
	three := good3(200)
	at := noon.Add(time.Second)
	for _, tt := range []struct {
		name   string
		router ipc.Router
		say    []any
		packet []byte
		want   report.Drop
	}{
		{"simple", simple, secret, legacy(auth.Simple, "changeme", good(200)), 0},
		{"simple, long secrets are cut", simple, []any{ipc.Slot(0), ipc.Secret{Value: []byte("changeme or not")}}, legacy(auth.Simple, "changeme", good(200)), 0},
		{"simple, no secret", simple, nil, legacy(auth.Simple, "", good(200)), 0},
		{"simple, wrong", simple, secret, legacy(auth.Simple, "changem3", good(200)), report.DropPassword},
		{"simple, none sent", simple, secret, advertisement(peer, good(200)), report.DropAuthType},
		{"none, simple sent", record(), nil, legacy(auth.Simple, "changeme", good(200)), report.DropAuthType},
		{"P0", p0, secret, legacy(auth.P0, "changeme", good(200)), 0},
		{"P0, wrong secret", p0, secret, legacy(auth.P0, "changed", good(200)), report.DropDigest},
		{"P0, P1 sent", p0, secret, legacy(auth.P1, "changeme", good(200)), report.DropAuthType},
		{"P1", p1, secret, legacy(auth.P1, "changeme", good(200)), 0},
		{"P1, wrong secret", p1, secret, legacy(auth.P1, "", good(200)), report.DropDigest},
		{"HMAC in version 2", withHMAC(record(), 2), keys, signed(t, 1, peer, good(200), at), 0},
		{"HMAC in version 3", withHMAC(record3(), 2), keys, signed(t, 1, peer, three, at), 0},
		{"HMAC in IPv6", withHMAC(record6(), 2), keys, signed(t, 1, peer6, good6(200), at), 0},
		{"HMAC with the other key", withHMAC(record3(), 2), keys, signed(t, 2, peer, three, at), 0},
		{"HMAC with a key not ours", withHMAC(record3(), 2), keys, signed(t, 3, peer, three, at), report.DropKey},
		{"HMAC, nothing sent", withHMAC(record3(), 2), keys, advertisement(peer, three), report.DropNoTrailer},
		{"HMAC permissive, nothing sent", withHMAC(record3(), 1), keys, advertisement(peer, three), 0},
		{"HMAC receive-only, nothing sent", withHMAC(record3(), 0), keys, advertisement(peer, three), 0},
		{"HMAC receive-only, a bad one", withHMAC(record3(), 0), keys, flip(signed(t, 1, peer, three, at), 20+12+27), report.DropHMAC},
		{"HMAC, sum changed", withHMAC(record3(), 2), keys, flip(signed(t, 1, peer, three, at), 20+12+12), report.DropHMAC},
		{"HMAC, reserved bit", withHMAC(record3(), 2), keys, flip(signed(t, 1, peer, three, at), 20+12+2), report.DropTrailer},
		{"HMAC, old", withHMAC(record3(), 2), keys, signed(t, 1, peer, three, noon.Add(-time.Minute)), report.DropStale},
		{"HMAC, a byte short", withHMAC(record3(), 2), keys, packet(peer, signed(t, 1, peer, three, at)[20:59]), report.DropLength},
		{"HMAC for who has none", record3(), nil, signed(t, 1, peer, three, at), report.DropLength},
		{"HMAC, legacy authentication", withHMAC(record(), 1), keys, legacy(auth.Simple, "changeme", good(200)), report.DropAuthType},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := authenticated(t, tt.router, tt.say...)
			before := d.p.next()
			d.now += second
			source := peer
			if tt.router.Family == ipc.IPv6 {
				source = peer6
				d.frame6(tt.packet)
			} else {
				d.frame(d.now, tt.packet)
			}
			said := d.turn()
			if tt.want == 0 && strings.HasSuffix(tt.name, "nothing sent") {
				d.expect("unsigned", said, fmt.Sprintf("g1 noticed unsigned link=%d vrid=7 from %v: 1 of 1", tt.router.Link, source))
				said = nil
			}
			if tt.want == 0 {
				if d.p.next() != d.now+downInterval || len(said) > 1 || len(said) == 1 && !strings.Contains(said[0], "s0 mark from "+source.String()) {
					t.Errorf("not heard: %q", said)
				}
				return
			}
			d.expect("dropped", said, fmt.Sprintf("g1 dropped %v link=%d vrid=7 from %v: 1", tt.want, tt.router.Link, source))
			if d.p.next() != before {
				t.Error("a timer moved")
			}
		})
	}
}

// TestReplayed: the same twice counts once, also for a process that is told
// what its predecessor heard, and by whom only.
func TestReplayed(t *testing.T) {
	t.Parallel()
	r := withHMAC(record3(), 2)
	secret := []any{ipc.Slot(0), ipc.Secret{ID: 1, Value: hmacKey(1)}}
	p := signed(t, 1, peer, good3(200), noon.Add(time.Second))
	d := authenticated(t, r, secret...)
	d.now += second
	d.frame(d.now, p)
	mark := fmt.Sprintf("g1 s0 mark from 10.77.0.1: %d", binary.BigEndian.Uint64(p[20+12+4:]))
	d.expect("first", d.turn(), mark)
	d.frame(d.now, p)
	d.expect("again", d.turn(), "g1 dropped replayed link=0 vrid=7 from 10.77.0.1: 1")

	next := authenticated(t, r, append(secret, ipc.Slot(0), ipc.Mark{Source: peer, Key: print1, Sequence: binary.BigEndian.Uint64(p[20+12+4:])})...)
	next.now += second
	next.frame(next.now, p)
	next.expect("heard by another process", next.turn(), "g1 dropped replayed link=0 vrid=7 from 10.77.0.1: 1")

	d.generation = 2
	d.say(append([]any{ipc.Slot(0), r, ipc.Header{Slot: 0, Generation: 2}}, secret[1], ipc.Commit{Routers: 1})...)
	d.expect("reloaded", d.turn(), "g2 ready")
	d.frame(d.now, p)
	d.turn()
	if got := d.p.drops[report.DropReplayed].total; got != 2 {
		t.Errorf("after a reload: %d dropped, want 2", got)
	}
}

// TestReplayedAfterReload: a router that begins with HMAC in a reload, and one
// that goes on, are told who was heard before, and say who is forgotten.
func TestReplayedAfterReload(t *testing.T) {
	t.Parallel()
	secret := ipc.Secret{ID: 1, Value: hmacKey(1)}
	p := signed(t, 1, peer, good3(200), noon.Add(time.Second))
	mark := ipc.Mark{Source: peer, Key: print1, Sequence: binary.BigEndian.Uint64(p[20+12+4:])}
	for name, d := range map[string]*parent{
		"without HMAC": authenticated(t, record3()),
		"with HMAC":    authenticated(t, withHMAC(record3(), 1), ipc.Slot(0), secret),
	} {
		d.generation = 2
		at := ipc.Header{Slot: 0, Generation: 2}
		d.say(ipc.Slot(0), withHMAC(record3(), 2), at, secret, at, mark, ipc.Commit{Routers: 1})
		d.expect(name, d.turn(), "g2 ready")
		d.now += second
		d.frame(d.now, p)
		d.expect(name+", replayed", d.turn(), "g2 dropped replayed link=0 vrid=7 from 10.77.0.1: 1")
	}

	d := authenticated(t, withHMAC(record3(), 2), ipc.Slot(0), secret)
	r := d.p.at(0)
	marks := make([]auth.Mark, auth.MaxSenders)
	for i := range marks {
		marks[i] = auth.Mark{Source: netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), Key: print1, Sequence: mark.Sequence + uint64(i)}
	}
	r.auth.hmac.Resume(marks)
	d.now += 60 * second
	p = signed(t, 1, peer, good3(200), noon.Add(time.Minute))
	d.frame(d.now, p)
	d.expect("forgotten", d.turn(), "g1 s0 mark from 10.1.0.0: 0", fmt.Sprintf("g1 s0 mark from ::: %d", mark.Sequence), fmt.Sprintf("g1 s0 mark from 10.77.0.1: %d", binary.BigEndian.Uint64(p[20+12+4:])))
}

// TestSkew: a clock that is off by more than half the window, in either
// direction, is told of; exactly half is not, nor any without a window.
func TestSkew(t *testing.T) {
	t.Parallel()
	monotonic := withHMAC(record3(), 2)
	monotonic.HMAC.Monotonic = true
	for _, tt := range []struct {
		name   string
		router ipc.Router
		off    time.Duration
		told   bool
	}{
		{"right", withHMAC(record3(), 2), 0, false},
		{"ahead", withHMAC(record3(), 2), 3 * time.Second, true},
		{"ahead by half", withHMAC(record3(), 2), 2500 * time.Millisecond, false},
		{"ahead by a bit more", withHMAC(record3(), 2), 2501 * time.Millisecond, true},
		{"behind", withHMAC(record3(), 2), -3 * time.Second, true},
		{"behind by half", withHMAC(record3(), 2), -2500 * time.Millisecond, false},
		{"behind by a bit more", withHMAC(record3(), 2), -2501 * time.Millisecond, true},
		{"far off, without a window", monotonic, 100 * time.Hour, false},
	} {
		d := authenticated(t, tt.router, ipc.Slot(0), ipc.Secret{ID: 1, Value: hmacKey(1)})
		p := signed(t, 1, peer, good3(200), noon.Add(tt.off))
		d.frame(d.now, p)
		want := []string{fmt.Sprintf("g1 s0 mark from 10.77.0.1: %d", binary.BigEndian.Uint64(p[20+12+4:]))}
		if tt.told {
			want = append(want, "g1 noticed skew link=0 vrid=7 from 10.77.0.1: 1 of 1")
		}
		d.expect(tt.name, d.turn(), want...)
	}
}

// TestUnsigned: each sender that does not sign is reported by its name, at a
// limited rate; who signs is not.
func TestUnsigned(t *testing.T) {
	t.Parallel()
	d := authenticated(t, withHMAC(record3(), 1), ipc.Slot(0), ipc.Secret{ID: 1, Value: hmacKey(1)})
	from := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 1, byte(i)}) }
	hear := func(i int) []string {
		d.frame(d.now, advertisement(from(i), good3(200)))
		return d.turn()
	}
	report := func(i, count, total int) string {
		return fmt.Sprintf("g1 noticed unsigned link=0 vrid=7 from %v: %d of %d", from(i), count, total)
	}
	for i := range 16 {
		d.expect("first", hear(i), report(i, 1, i+1))
	}
	for i := range 100 {
		d.expect("told already, or too many", hear(i))
	}
	for range reportEvery/second - 1 {
		d.now += second
		d.expect("within ten seconds", hear(3))
	}
	d.now += second
	d.expect("ten seconds later", hear(3), report(3, 110, 126))
	d.expect("and another", hear(4), report(4, 1, 127))
	d.expect("but once", hear(4))
	at := noon.Add(time.Duration(d.now - start))
	p := signed(t, 1, from(5), good3(200), at)
	d.frame(d.now, p)
	d.expect("signed", d.turn(), fmt.Sprintf("g1 s0 mark from %v: %d", from(5), binary.BigEndian.Uint64(p[20+12+4:])))
	legacy := authenticated(t, record3())
	legacy.frame(legacy.now, advertisement(peer, good3(200)))
	legacy.expect("without HMAC", legacy.turn())
}

// TestSigned: what an Active sends verifies, each time with a newer sequence;
// the roll-out changes what is sent without a change of state.
func TestSigned(t *testing.T) {
	t.Parallel()
	for _, r := range []ipc.Router{record(), record3(), record6()} {
		secret := ipc.Secret{ID: 1, Value: hmacKey(1)}
		d := authenticated(t, withHMAC(r, 0), ipc.Slot(0), secret)
		d.now = d.p.next()
		d.turn()
		d.drained()
		if got := d.turn(); len(got) != 4 {
			t.Fatalf("receive-only signs: %q", got)
		}
		for mode := uint8(1); mode <= 2; mode++ {
			d.generation++
			d.say(ipc.Slot(0), withHMAC(r, mode), ipc.Header{Slot: 0, Generation: d.generation}, secret, ipc.Commit{Routers: 1})
			if got := d.turn(); len(got) != 1 {
				t.Errorf("mode %d: %q", mode, got)
			}
			var last uint64
			for range 3 {
				var sequence uint64
				for sequence == 0 { // some turns only announce
					d.now = d.p.next()
					d.p.turn(ready{})
					sequence = verified(t, d, r)
				}
				if sequence <= last {
					t.Errorf("sequence %d after %d", sequence, last)
				}
				last = sequence
			}
		}
	}
}

// verified reads a mark and an advertisement, and verifies its trailer.
func verified(t *testing.T, d *parent, r ipc.Router) (sequence uint64) {
	t.Helper()
	n, err := d.control.Recv(d.buf)
	if err != nil {
		t.Fatal(err)
	}
	for rest := d.buf[:n]; len(rest) > 0; {
		var h ipc.Header
		var payload []byte
		if h, payload, rest, err = ipc.Next(rest); err != nil {
			t.Fatal(err)
		}
		m, err := report.Decode(h.Type, payload)
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case ipc.Mark:
			if sequence = m.Sequence; m.Source.IsValid() {
				t.Errorf("mark of %v", m.Source)
			}
		case ipc.Advertise:
			src, dst := ours, wire.GroupIPv4
			if r.Family == ipc.IPv6 {
				src, dst = ours6, wire.GroupIPv6
			}
			var a wire.Advertisement
			if problem := wire.ParseWithTrailer(m.Message, auth.TrailerLen, src, dst, &a); problem != wire.NoProblem {
				t.Errorf("advertisement: %v", problem)
			}
			v, err := auth.New(auth.Config{Keys: []auth.Key{{ID: 1, Value: hmacKey(1)}}, Active: 1, Window: 5 * time.Second, Mode: auth.Enforce})
			if err != nil {
				t.Fatal(err)
			}
			n := len(m.Message) - auth.TrailerLen
			if problem := v.Check(m.Message, n, src, d.p.wall()); problem != auth.NoProblem {
				t.Errorf("trailer: %v", problem)
			}
			if _, problem := v.Accept(m.Message, n, src, d.p.wall()); problem != auth.NoProblem {
				t.Errorf("trailer: %v", problem)
			}
			if v.Marks()[0].Sequence != sequence {
				t.Errorf("sequence %d, told was %d", v.Marks()[0].Sequence, sequence)
			}
		}
	}
	return sequence
}

// TestAsRVRRPd: our advertisements are the bytes that rVRRPd sent.
func TestAsRVRRPd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file, secret string
		kind         ipc.Auth
	}{
		{"rvrrpd-simple.pcap", "secret12", ipc.AuthSimple},
		{"rvrrpd-p0.pcap", "changeme", ipc.AuthP0},
		{"rvrrpd-p1.pcap", "changeme", ipc.AuthP1},
	} {
		b, err := os.ReadFile("wire/testdata/" + tt.file)
		if err != nil {
			t.Fatal(err)
		}
		r := record()
		r.Auth, r.Priority = tt.kind, 150
		vr, err := newRouter(0, r, []ipc.Secret{{Value: []byte(tt.secret)}}, 1)
		if err != nil {
			t.Fatal(err)
		}
		vr.speakFrom(peer)
		n := 0
		for b = b[24:]; len(b) >= 16; {
			size := int(binary.LittleEndian.Uint32(b[8:]))
			frame := b[16 : 16+size]
			b = b[16+size:]
			ip := frame[14:]
			if frame[12] != 8 || frame[13] != 0 || ip[9] != wire.Protocol {
				continue
			}
			n++
			captured, ours := ip[20:binary.BigEndian.Uint16(ip[2:])], vr.advertise
			if captured[2] == 0 {
				ours = vr.goodbye
			}
			if got := ours[0].(ipc.Advertise).Message; !bytes.Equal(got, captured) {
				t.Errorf("%s: packet %d: got %x, want %x", tt.file, n, got, captured)
			}
		}
		if n < 2 {
			t.Errorf("%s: %d packets", tt.file, n)
		}
	}
}

// TestSamplesOfRVRRPd: checksum and authentication data of what a running
// rVRRPd sent, with secrets short, long and empty.
func TestSamplesOfRVRRPd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind         ipc.Auth
		secret, want string
	}{
		{ipc.AuthSimple, "secret12", "cf2c 7365637265743132"},
		{ipc.AuthSimple, "muchlongerthan8", "90f6 6d7563686c6f6e67"},
		{ipc.AuthP0, "changeme", "2078 cbf882e9a2cc3183"},
		{ipc.AuthP0, "", "38f1 a2e2f24390ace4e5"},
		{ipc.AuthP0, strings.Repeat("k", 100), "b4f3 299ed8b5894e0314"},
		{ipc.AuthP1, "changeme", "adaa b38a245eddf3df22"},
		{ipc.AuthP1, strings.Repeat("k", 200), "7823 30659c326e358fb9"},
	} {
		r := record()
		r.Auth, r.Priority = tt.kind, 150
		var secrets []ipc.Secret
		if tt.secret != "" {
			secrets = []ipc.Secret{{Value: []byte(tt.secret)}}
		}
		vr, err := newRouter(0, r, secrets, 1)
		if err != nil {
			t.Fatal(err)
		}
		vr.speakFrom(peer)
		m := vr.advertise[0].(ipc.Advertise).Message
		if got := fmt.Sprintf("%x %x", m[6:8], m[12:]); got != tt.want {
			t.Errorf("type %d, %q: got %s, want %s", tt.kind, tt.secret, got, tt.want)
		}
		kind := []byte{byte(tt.kind)}
		if head := append(append([]byte{0x21, 7, 150, 1}, kind...), 1); !bytes.Equal(m[:6], head) || len(m) != 20 {
			t.Errorf("type %d, %q: % x", tt.kind, tt.secret, m)
		}
	}
}

// TestSecretsRefused: the parent must not say what makes no sense, and no
// error tells a secret.
func TestSecretsRefused(t *testing.T) {
	t.Parallel()
	simple3 := record3()
	simple3.Auth = ipc.AuthSimple
	for _, tt := range []struct {
		name string
		say  []any
		want string
	}{
		{"secret without authentication", []any{ipc.Slot(0), record(), ipc.Slot(0), ipc.Secret{Value: []byte("hunter2")}, ipc.Commit{Routers: 1}}, "without authentication"},
		{"secret of no router", []any{ipc.Slot(1), ipc.Secret{Value: []byte("hunter2")}, ipc.Commit{}}, "not configured"},
		{"password in version 3", []any{ipc.Slot(0), simple3, ipc.Commit{Routers: 1}}, "type 1 in version 3"},
		{"short key", []any{ipc.Slot(0), withHMAC(record(), 2), ipc.Slot(0), ipc.Secret{ID: 1, Value: []byte("hunter2")}, ipc.Commit{Routers: 1}}, "7 bytes"},
		{"no key", []any{ipc.Slot(0), withHMAC(record(), 2), ipc.Commit{Routers: 1}}, "no such key"},
	} {
		d := newParent(t)
		d.say(append([]any{ipc.Hello{Build: ipc.Build()}}, tt.say...)...)
		err := d.p.turn(ready{control: true})
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestSecretsAreWiped from the memory that messages are read into.
func TestSecretsAreWiped(t *testing.T) {
	t.Parallel()
	d := authenticated(t, withHMAC(record(), 2), ipc.Slot(0), ipc.Secret{ID: 1, Value: bytes.Repeat([]byte("hunter2!"), 5)})
	if bytes.Contains(d.p.buf, []byte("hunter2!")) {
		t.Error("the secret is still in the buffer")
	}
}

// TestSigningDoesNotAllocate: an Active and a Backup with HMAC.
func TestSigningDoesNotAllocate(t *testing.T) {
	d := authenticated(t, withHMAC(record3(), 2), ipc.Slot(0), ipc.Secret{ID: 1, Value: hmacKey(1)})
	d.now = d.p.next()
	d.turn()
	d.p.drain.answered = true
	d.say(ipc.Header{Slot: ipc.NoSlot, Generation: 1, Sequence: d.p.drain.sequence}, ipc.Result{Request: ipc.TypeDrain, Code: ipc.CodeDone})
	d.p.drain.answered = false
	d.p.turn(ready{control: true, frames: true})
	s := newSteady(d, nil)
	s.heardAll()
	s.now += 10 * second
	s.p.turn(ready{})
	s.heardAll()
	noAllocations(t, func() error {
		err := s.advertise()
		s.heardAll()
		return err
	})
}

// TestMarksOfOtherKeys: of what a process is told at the start, or by a reload, it
// says what is of no key that it has, and what becomes of marks without one.
func TestMarksOfOtherKeys(t *testing.T) {
	t.Parallel()
	const ahead = uint64(3_700_000_000) << 32
	r := withHMAC(record3(), 2)
	r.HMAC.Monotonic = true
	old := []any{
		ipc.Slot(0), ipc.Mark{Source: peer, Key: print1 + 1, Sequence: ahead},
		ipc.Slot(0), ipc.Mark{Sequence: 7},
	}
	d := newParent(t)
	d.p.wall = func() time.Time { return noon.Add(time.Duration(d.now - start)) }
	d.say(append([]any{ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), r, ipc.Slot(0), secret1}, append(old, linkUp, ipc.Commit{Routers: 1})...)...)
	d.expect("at the start", d.turn(), "g1 ready",
		"g1 s0 mark from 10.77.0.1: 0", "g1 s0 mark from invalid IP: 0", "g1 s0 mark from invalid IP: 7", "g1 s0 initialize->backup startup")
	d.now += second
	d.frame(d.now, signed(t, 1, peer, good3(200), noon))
	if said := d.turn(); len(said) != 1 || !strings.Contains(said[0], "mark from 10.77.0.1: ") {
		t.Errorf("the sender is not heard: %q", said)
	}
	r.HMAC.ActiveKey, d.generation = 2, 2
	at := ipc.Header{Slot: 0, Generation: 2}
	d.say(ipc.Slot(0), r, at, ipc.Secret{ID: 2, Value: hmacKey(2)}, at, ipc.Mark{Source: peer, Key: print1, Sequence: ahead}, linkUp, ipc.Commit{Routers: 1})
	d.expect("by a reload", d.turn(), "g2 ready", "g2 s0 mark from 10.77.0.1: 0")
	if m := d.p.at(0).auth.hmac.Marks(); len(m) != 0 {
		t.Errorf("left: %v", m)
	}
}
