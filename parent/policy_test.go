package parent

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// testGrant is VRID 7, priority 100, with two addresses.
func testGrant() grant {
	gs, _ := grants(&conf.Config{Routers: []conf.Router{{
		VRID: 7, Version: 2, Interface: "eth0", Priority: 100, AdverInterval: time.Second,
		InterfaceType: conf.MACVLAN, DeviceName: "standby7", Announcements: conf.Announcements{Repeat: 5},
		Addresses: []conf.Address{{Addr: netip.MustParseAddr("10.9.0.254")}, {Addr: netip.MustParseAddr("10.9.0.253"), Bits: 32}},
	}}})
	return gs[0]
}

// goodMessage is an advertisement the grant allows.
func goodMessage() []byte {
	b := []byte{0x21, 7, 100, 2, 0, 1, 0, 0, 10, 9, 0, 254, 10, 9, 0, 253}
	return append(b, make([]byte, 8)...)
}

func TestAllow(t *testing.T) {
	t.Parallel()
	const generation = 3
	altered := func(at int, to byte) ipc.Message {
		b := goodMessage()
		b[at] = to
		return ipc.Advertise{Message: b}
	}
	cut := func(n int) ipc.Message { return ipc.Advertise{Message: goodMessage()[:n]} }
	tests := []struct {
		name       string
		held, up   bool
		generation uint32
		m          ipc.Message
		code       ipc.Code
		violation  bool
	}{
		{"OK advertise", false, true, 3, ipc.Advertise{Message: goodMessage()}, ipc.CodeDone, false},
		{"OK advertise lower priority", true, true, 3, altered(2, 1), ipc.CodeDone, false},
		{"OK advertise priority 0", true, true, 3, altered(2, 0), ipc.CodeDone, false},
		{"bad advertise priority", true, true, 3, altered(2, 101), 0, true},
		{"bad advertise owner priority", true, true, 3, altered(2, 255), 0, true},
		{"bad advertise version", true, true, 3, altered(0, 0x31), 0, true},
		{"bad advertise type", true, true, 3, altered(0, 0x22), 0, true},
		{"bad advertise VRID", true, true, 3, altered(1, 8), 0, true},
		{"bad advertise count", true, true, 3, altered(3, 1), 0, true},
		{"bad advertise first address", true, true, 3, altered(11, 1), 0, true},
		{"bad advertise second address", true, true, 3, altered(15, 1), 0, true},
		{"bad advertise interval", true, true, 3, altered(5, 2), 0, true},
		{"OK advertise authentication type", true, true, 3, altered(4, 1), ipc.CodeDone, false},
		{"bad advertise short", true, true, 3, cut(23), 0, true},
		{"bad advertise empty", true, true, 3, cut(0), 0, true},
		{"bad advertise long", true, true, 3, ipc.Advertise{Message: append(goodMessage(), 0)}, 0, true},
		{"advertise on a dead link", true, false, 3, ipc.Advertise{Message: goodMessage()}, ipc.CodeLinkDown, false},
		{"advertise forged on a dead link", true, false, 3, altered(1, 8), 0, true},
		{"stale advertise", true, true, 2, ipc.Advertise{Message: goodMessage()}, ipc.CodeStale, false},
		{"bad generation", true, true, 4, ipc.Acquire{}, 0, true},
		{"OK acquire", false, true, 3, ipc.Acquire{}, ipc.CodeDone, false},
		{"OK acquire again", true, true, 3, ipc.Acquire{}, ipc.CodeDone, false},
		{"acquire on a dead link", false, false, 3, ipc.Acquire{}, ipc.CodeLinkDown, false},
		{"OK release", true, true, 3, ipc.Release{}, ipc.CodeDone, false},
		{"OK release on a dead link", true, false, 3, ipc.Release{}, ipc.CodeDone, false},
		{"release of what is not held", false, true, 3, ipc.Release{}, ipc.CodeNotHeld, false},
		{"OK announce", true, true, 3, ipc.Announce{Count: 2}, ipc.CodeDone, false},
		{"OK announce of the last", true, true, 3, ipc.Announce{First: 1, Count: 1}, ipc.CodeDone, false},
		{"announce of what is not held", false, true, 3, ipc.Announce{Count: 1}, ipc.CodeNotHeld, false},
		{"bad announce count", true, true, 3, ipc.Announce{Count: 3}, 0, true},
		{"bad announce first", true, true, 3, ipc.Announce{First: 2, Count: 1}, 0, true},
		{"bad announce far beyond", true, true, 3, ipc.Announce{First: 255, Count: 255}, 0, true},
		{"bad announce of none", true, true, 3, ipc.Announce{}, 0, true},
		{"bad request", true, true, 3, ipc.Stop{}, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := testGrant()
			h := ipc.Header{Type: tt.m.Type(), Generation: tt.generation}
			code, err := allow(&g, tt.held, tt.up, generation, int64(time.Hour), h, tt.m)
			var v *violation
			if errors.As(err, &v) != tt.violation || code != tt.code {
				t.Errorf("allow: %v, %v; want %v, violation %v", code, err, tt.code, tt.violation)
			}
		})
	}
}

func TestAllowRates(t *testing.T) {
	t.Parallel()
	now := int64(time.Hour)
	for _, tt := range []struct {
		m     ipc.Message
		burst int
		per   time.Duration
	}{
		{ipc.Advertise{Message: goodMessage()}, 20, 100 * time.Millisecond},
		{ipc.Announce{Count: 1}, 10 * 5 * 2, 500 * time.Millisecond / (5 * 2)},
		{ipc.Acquire{}, 40, 50 * time.Millisecond},
	} {
		g := testGrant()
		do := func(at int64) ipc.Code {
			code, err := allow(&g, true, true, 1, at, ipc.Header{Type: tt.m.Type(), Generation: 1}, tt.m)
			if err != nil {
				t.Fatal(err)
			}
			return code
		}
		for i := range tt.burst {
			if code := do(now); code != ipc.CodeDone {
				t.Fatalf("%T number %d of the burst: %v", tt.m, i, code)
			}
		}
		if code := do(now); code != ipc.CodeBusy {
			t.Errorf("%T beyond the burst: %v", tt.m, code)
		}
		later := now + int64(tt.per)
		if code := do(later); code != ipc.CodeDone {
			t.Errorf("%T one period later: %v", tt.m, code)
		}
		if code := do(later); code != ipc.CodeBusy {
			t.Errorf("%T twice one period later: %v", tt.m, code)
		}
	}
}

// TestRefusedCostsNothing: what cannot be done takes nothing from its limit.
func TestRefusedCostsNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		m     ipc.Message
		burst int
		code  ipc.Code
	}{
		{ipc.Advertise{Message: goodMessage()}, 20, ipc.CodeLinkDown},
		{ipc.Announce{Count: 1}, 10 * 5 * 2, ipc.CodeNotHeld},
		{ipc.Acquire{}, 40, ipc.CodeLinkDown},
		{ipc.Look{}, 6, ipc.CodeLinkDown},
	} {
		g, codes := testGrant(), make(map[ipc.Code]int)
		do := func(up bool) {
			code, err := allow(&g, true, up, 1, int64(time.Hour), ipc.Header{Type: tt.m.Type(), Generation: 1}, tt.m)
			if err != nil {
				t.Fatal(err)
			}
			codes[code]++
		}
		for range 100 {
			do(false)
		}
		for range tt.burst + 1 {
			do(true)
		}
		if want := map[ipc.Code]int{tt.code: 100, ipc.CodeDone: tt.burst, ipc.CodeBusy: 1}; !maps.Equal(codes, want) {
			t.Errorf("%T: %v, want %v", tt.m, codes, want)
		}
	}
}

// TestServes: nobody is asked for who cannot be a router on the link.
func TestServes(t *testing.T) {
	t.Parallel()
	d := fuzzed()
	four, six := d.links[0], d.links[1]
	four.index, six.index = linkIndex, linkIndex
	for _, tt := range []struct {
		l    *link
		m    ipc.Message
		want bool
	}{
		{four, ipc.Acquire{}, true},
		{four, ipc.Look{}, true},
		{four, ipc.Look{Peer: netip.MustParseAddr("10.9.0.77")}, true},
		{four, ipc.Look{Peer: netip.MustParseAddr("192.0.2.1")}, false},
		{four, ipc.Look{Peer: netip.MustParseAddr("fe80::77")}, false},
		{four, ipc.Look{Peer: netip.MustParseAddr("::ffff:10.9.0.77")}, false},
		{six, ipc.Look{Peer: netip.MustParseAddr("fe80::77")}, true},
		{six, ipc.Look{Peer: netip.MustParseAddr("2001:db8::77")}, false},
		{six, ipc.Look{Peer: netip.MustParseAddr("10.9.0.77")}, false},
		{&link{wire: wire{told: ipc.LinkState{Up: true}}}, ipc.Look{}, false}, // nothing to send from
		{&link{wire: wire{told: ipc.LinkState{Up: true}}}, ipc.Release{}, true},
		{&link{}, ipc.Advertise{}, false},
	} {
		if got := tt.l.serves(tt.m); got != tt.want {
			t.Errorf("%v: %+v: %v", tt.l.linkName, tt.m, got)
		}
	}
	// Such a probe takes nothing from the limit of those that can be made.
	s := d.slots[0]
	for range 100 {
		m := ipc.Look{Peer: netip.MustParseAddr("192.0.2.1")}
		if err := d.request(ipc.Header{Type: m.Type(), Generation: d.generation}, m); err != nil {
			t.Fatal(err)
		}
	}
	if s.grant.look.Spent(0) != 0 {
		t.Errorf("the limit is used until %d", s.grant.look.Spent(0))
	}
}

// Version 3 has no authentication data.
func TestAllowVersion3(t *testing.T) {
	t.Parallel()
	g := testGrant()
	g.version = 3
	b := goodMessage()
	b[0], b[5] = 0x31, 100
	told := func(high, low byte) []byte {
		m := slices.Clone(b[:16])
		m[4], m[5] = high, low
		return m
	}
	for _, tt := range []struct {
		message   []byte
		violation bool
	}{{b[:16], false}, {b, true}, {b[:15], true}, {goodMessage()[:16], true}, {told(0, 99), true}, {told(1, 100), true}, {told(0x10, 100), true}} {
		_, err := allow(&g, true, true, 1, 0, ipc.Header{Type: ipc.TypeAdvertise, Generation: 1}, ipc.Advertise{Message: tt.message})
		if (err != nil) != tt.violation {
			t.Errorf("%x: %v, want violation %v", tt.message, err, tt.violation)
		}
	}
}

// A release is never refused for its rate: an address must always be given back.
func TestReleaseIsNeverBusy(t *testing.T) {
	t.Parallel()
	g := testGrant()
	for range 1000 {
		code, err := allow(&g, true, true, 1, 0, ipc.Header{Type: ipc.TypeRelease, Generation: 1}, ipc.Release{})
		if code != ipc.CodeDone || err != nil {
			t.Fatalf("release: %v, %v", code, err)
		}
	}
}

// TestAllowMigration: in migration mode either version is allowed, and
// nothing that is neither.
func TestAllowMigration(t *testing.T) {
	t.Parallel()
	g := testGrant()
	g.version, g.migration = 3, true
	v2, v3 := goodMessage(), goodMessage()[:16]
	v3[0], v3[5] = 0x31, 100
	for _, tt := range []struct {
		name string
		m    []byte
		ok   bool
	}{
		{"version 2", v2, true},
		{"version 3", v3, true},
		{"version 2 without authentication data", v2[:16], false},
		{"version 3 with authentication data", append([]byte{0x31}, v2[1:]...), false},
		{"version 4", append([]byte{0x41}, v3[1:]...), false},
		{"another VRID in version 2", append([]byte{0x21, 8}, v2[2:]...), false},
		{"priority above the granted in version 2", append([]byte{0x21, 7, 101}, v2[3:]...), false},
		{"another interval in version 2", append([]byte{0x21, 7, 100, 2, 0, 2}, v2[6:]...), false},
		{"nothing", nil, false},
	} {
		if err := allowMessage(&g, tt.m); (err == nil) != tt.ok {
			t.Errorf("%s: %v, want allowed: %v", tt.name, err, tt.ok)
		}
	}
}

// TestTells: the interval in every form that the child may write it in.
func TestTells(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		interval time.Duration
		version  uint8
		want     []byte
	}{
		{time.Second, 2, []byte{1}}, {255 * time.Second, 2, []byte{255}},
		{10 * time.Millisecond, 2, []byte{1}}, {1010 * time.Millisecond, 2, []byte{2}}, {40 * time.Second, 2, []byte{40}},
		{10 * time.Millisecond, 3, []byte{0, 1}}, {time.Second, 3, []byte{0, 100}}, {40950 * time.Millisecond, 3, []byte{0x0f, 0xff}},
	} {
		g := testGrant()
		g.interval = tt.interval
		if got := g.tells(tt.version); !slices.Equal(got, tt.want) {
			t.Errorf("%v in version %d: %#x, want %#x", tt.interval, tt.version, got, tt.want)
		}
	}
}
