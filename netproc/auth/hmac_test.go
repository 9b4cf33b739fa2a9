package auth_test

import (
	"encoding/binary"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/netproc/auth"
)

// The keys of the capture.
func keys(t testing.TB) []auth.Key {
	var one []byte
	for i := range byte(32) {
		one = append(one, i)
	}
	return []auth.Key{
		{ID: 1, Value: one},
		{ID: 2, Value: []byte("0123456789abcdef0123456789ABCDEF")},
		{ID: 7, Value: unhex(t, strings.Repeat("aabbccddeeff00112233445566778899", 3)+"aabbccddeeff001122334455667788ff")},
	}
}

var (
	sender = netip.MustParseAddr("10.77.0.1")
	noon   = time.Unix(1_800_000_000, 500_000_000)
)

func newHMAC(t testing.TB, change func(c *auth.Config)) *auth.HMAC {
	t.Helper()
	c := auth.Config{Keys: keys(t), Active: 1, Window: 5 * time.Second, Mode: auth.Enforce}
	if change != nil {
		change(&c)
	}
	h, err := auth.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// captured are keepalived's packets: payload, length of the message, source.
type captured struct {
	payload []byte
	n       int
	src     netip.Addr
}

func capture(t testing.TB) (out []captured) {
	t.Helper()
	b, err := os.ReadFile("../wire/testdata/ka-hmac.pcap")
	if err != nil {
		t.Fatal(err)
	}
	for b = b[24:]; len(b) >= 16; {
		size := int(binary.LittleEndian.Uint32(b[8:]))
		ip := b[16+14 : 16+size]
		b = b[16+size:]
		var c captured
		if ip[0]>>4 == 4 {
			c.payload = ip[20:binary.BigEndian.Uint16(ip[2:])]
			c.src = netip.AddrFrom4([4]byte(ip[12:16]))
		} else {
			c.payload = ip[40 : 40+int(binary.BigEndian.Uint16(ip[4:]))]
			c.src = netip.AddrFrom16([16]byte(ip[8:24]))
		}
		c.n = len(c.payload) - auth.TrailerLen
		out = append(out, c)
	}
	return out
}

func (c captured) time() time.Time {
	return time.Unix(int64(binary.BigEndian.Uint32(c.payload[c.n+4:])), 0)
}

// TestCapture: every packet that keepalived sent verifies with its keys at
// its time, and none does with a bit changed, but for those of the checksum,
// which are not covered.
func TestCapture(t *testing.T) {
	t.Parallel()
	packets := capture(t)
	if len(packets) < 40 {
		t.Fatalf("%d packets", len(packets))
	}
	used := map[byte]bool{}
	for i, c := range packets {
		used[c.payload[c.n+1]] = true
		fresh := func() *auth.HMAC { return newHMAC(t, nil) }
		if _, problem := verify(fresh(), c.payload, c.n, c.src, c.time()); problem != auth.NoProblem {
			t.Errorf("packet %d: %v", i, problem)
			continue
		}
		h := fresh()
		for bit := range len(c.payload) * 8 {
			at := bit / 8
			if at == 6 || at == 7 {
				continue
			}
			c.payload[at] ^= 1 << (bit % 8)
			if _, problem := verify(h, c.payload, c.n, c.src, c.time()); problem == auth.NoProblem {
				t.Errorf("packet %d: verifies with bit %d changed", i, bit)
			}
			c.payload[at] ^= 1 << (bit % 8)
		}
		if len(h.Marks()) != 0 {
			t.Errorf("packet %d: forgeries are remembered: %v", i, h.Marks())
		}
		if _, problem := verify(h, c.payload, c.n, c.src.Next(), c.time()); problem != auth.BadHMAC {
			t.Errorf("packet %d: from another source: %v", i, problem)
		}
	}
	if len(used) != 3 {
		t.Errorf("keys used in the capture: %v", used)
	}
}

// TestSignAsCaptured: with the same sequence we make the same trailers.
func TestSignAsCaptured(t *testing.T) {
	t.Parallel()
	for i, c := range capture(t) {
		sequence := binary.BigEndian.Uint64(c.payload[c.n+4:])
		h := newHMAC(t, func(cfg *auth.Config) { cfg.Active, cfg.AntiReplay = c.payload[c.n+1], auth.Monotonic })
		h.Resume([]auth.Mark{{Key: keyPrint(t, c.payload[c.n+1]), Sequence: sequence - 1}})
		got := h.Sign(append([]byte("before"), c.payload[:c.n]...), len("before"), c.src, time.Unix(1, 0))
		if string(got[len("before"):]) != string(c.payload) {
			t.Errorf("packet %d: got %x, want %x", i, got[len("before"):], c.payload)
		}
	}
}

// signed is a version 3 message with a trailer of the instant.
func signed(h *auth.HMAC, src netip.Addr, at time.Time) ([]byte, int) {
	m := []byte{0x31, 7, 100, 1, 0, 100, 0, 0, 10, 77, 0, 254}
	return h.Sign(m, 0, src, at), len(m)
}

func TestModes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode  auth.Mode
		signs bool
		bare  auth.Problem
	}{
		{auth.ReceiveOnly, false, auth.NoProblem},
		{auth.Permissive, true, auth.NoProblem},
		{auth.Enforce, true, auth.Missing},
	} {
		h := newHMAC(t, func(c *auth.Config) { c.Mode = tt.mode })
		if h.Signs() != tt.signs {
			t.Errorf("mode %d: signs: %v", tt.mode, h.Signs())
		}
		p, n := signed(newHMAC(t, nil), sender, noon)
		if _, got := verify(h, p[:n], n, sender, noon); got != tt.bare {
			t.Errorf("mode %d: without a trailer: %v, want %v", tt.mode, got, tt.bare)
		}
		if _, got := verify(h, p, n, sender, noon); got != auth.NoProblem {
			t.Errorf("mode %d: with a trailer: %v", tt.mode, got)
		}
		p[n+20] ^= 1
		if _, got := verify(h, p, n, sender, noon.Add(time.Second)); got != auth.BadHMAC {
			t.Errorf("mode %d: with a bad trailer: %v", tt.mode, got)
		}
	}
}

func TestTrailerProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(p []byte, n int) []byte
		want   auth.Problem
	}{
		{"good", func(p []byte, n int) []byte { return p }, auth.NoProblem},
		{"a byte short", func(p []byte, n int) []byte { return p[:len(p)-1] }, auth.Malformed},
		{"a byte long", func(p []byte, n int) []byte { return append(p, 0) }, auth.Malformed},
		{"extension 2", func(p []byte, n int) []byte { p[n] = 2; return p }, auth.Malformed},
		{"key 0", func(p []byte, n int) []byte { p[n+1] = 0; return p }, auth.Malformed},
		{"reserved", func(p []byte, n int) []byte { p[n+3] = 1; return p }, auth.Malformed},
		{"unknown key", func(p []byte, n int) []byte { p[n+1] = 99; return p }, auth.UnknownKey},
		{"another key", func(p []byte, n int) []byte { p[n+1] = 2; return p }, auth.BadHMAC},
		{"stale comes before unknown key", func(p []byte, n int) []byte { p[n+1], p[n+4] = 99, 0; return p }, auth.Stale},
		{"checksum is not covered", func(p []byte, n int) []byte { p[6] ^= 0xff; return p }, auth.NoProblem},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHMAC(t, nil)
			p, n := signed(newHMAC(t, nil), sender, noon)
			if _, got := verify(h, tt.change(p, n), n, sender, noon); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if remembered := len(h.Marks()) != 0; remembered != (tt.want == auth.NoProblem) {
				t.Errorf("%v is remembered", h.Marks())
			}
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(c *auth.Config)
		want   string
	}{
		{"good", func(*auth.Config) {}, ""},
		{"no keys", func(c *auth.Config) { c.Keys = nil }, "no such key"},
		{"active key unknown", func(c *auth.Config) { c.Active = 3 }, "active key 3"},
		{"key 0", func(c *auth.Config) { c.Keys[0].ID = 0 }, "key 0"},
		{"key twice", func(c *auth.Config) { c.Keys[1].ID = 1 }, "given twice"},
		{"key too short", func(c *auth.Config) { c.Keys[1].Value = make([]byte, 31) }, "31 bytes"},
		{"key too long", func(c *auth.Config) { c.Keys[1].Value = make([]byte, 65) }, "65 bytes"},
		{"no window", func(c *auth.Config) { c.Window = time.Millisecond }, "window"},
		{"no window needed", func(c *auth.Config) { c.Window, c.AntiReplay = 0, auth.Monotonic }, ""},
		{"unknown mode", func(c *auth.Config) { c.Mode = 3 }, "mode 3"},
	} {
		c := auth.Config{Keys: keys(t), Active: 1, Window: 5 * time.Second}
		tt.change(&c)
		_, err := auth.New(c)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "0123456789abcdef") {
			t.Errorf("%s: the error tells a key: %v", tt.name, err)
		}
	}
}

func TestHMACDoesNotAllocate(t *testing.T) {
	h, out := newHMAC(t, nil), newHMAC(t, nil)
	m := []byte{0x31, 7, 100, 1, 0, 100, 0, 0, 10, 77, 0, 254}
	n := len(m)
	b := append(make([]byte, 0, 256), m...)
	at := noon
	allocs := testing.AllocsPerRun(1000, func() {
		at = at.Add(time.Millisecond)
		b = out.Sign(b[:n], 0, sender, at)
		if _, problem := verify(h, b, n, sender, at); problem != auth.NoProblem {
			t.Fatal(problem)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkSign(b *testing.B) {
	h := newHMAC(b, nil)
	buf := make([]byte, 12, 256)
	buf[0] = 0x31
	b.ReportAllocs()
	for b.Loop() {
		buf = h.Sign(buf[:12], 0, sender, noon)
	}
}

func BenchmarkVerify(b *testing.B) {
	h := newHMAC(b, nil)
	p, n := signed(newHMAC(b, nil), sender, noon)
	p[len(p)-1] ^= 1
	b.ReportAllocs()
	for b.Loop() {
		verify(h, p, n, sender, noon)
	}
}

// FuzzVerify: nothing that was not signed is taken, and nothing panics.
func FuzzVerify(f *testing.F) {
	for _, c := range capture(f) {
		f.Add(c.payload, c.n, c.src.AsSlice())
	}
	h := newHMAC(f, nil)
	f.Fuzz(func(t *testing.T, payload []byte, n int, source []byte) {
		src, ok := netip.AddrFromSlice(source)
		if !ok || n < 8 || n > len(payload) {
			return
		}
		for _, c := range capture(t) {
			if string(c.payload) == string(payload) {
				return
			}
		}
		if _, problem := verify(h, payload, n, src, time.Now()); problem == auth.NoProblem {
			t.Errorf("%x of %d bytes from %v verifies", payload, n, src)
		}
	})
}

// keyPrint is the fingerprint of a key of the capture.
func keyPrint(t testing.TB, id byte) uint32 {
	for _, k := range keys(t) {
		if k.ID == id {
			return auth.Fingerprint(k.Value)
		}
	}
	t.Fatalf("no key %d", id)
	return 0
}

// verify makes all checks of an advertisement that nothing else is wrong with, and
// remembers it.
func verify(h *auth.HMAC, payload []byte, n int, src netip.Addr, now time.Time) (time.Duration, auth.Problem) {
	if problem := h.Check(payload, n, src, now); problem != auth.NoProblem {
		return 0, problem
	}
	return h.Accept(payload, n, src, now)
}
