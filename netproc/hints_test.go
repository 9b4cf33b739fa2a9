package netproc

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// hinted lets a turn pass and lists the hints of what is said in it, by the
// reason or the verdict.
func (d *parent) hinted() map[string]string {
	d.t.Helper()
	if err := d.p.turn(ready{control: true, frames: true}); err != nil {
		d.t.Fatal(err)
	}
	hints := map[string]string{}
	for {
		n, err := d.control.Recv(d.buf)
		if err != nil {
			return hints
		}
		for rest := d.buf[:n]; len(rest) > 0; {
			var h ipc.Header
			var payload []byte
			if h, payload, rest, err = ipc.Next(rest); err != nil {
				d.t.Fatal(err)
			}
			d.last = h
			m, err := report.Decode(h.Type, payload)
			if err != nil {
				d.t.Fatal(err)
			}
			if err := ipc.Check(h, len(payload), ipc.FromChild, ipc.LaneControl, ipc.PhaseRun); err != nil {
				d.t.Error(err)
			}
			switch m := m.(type) {
			case report.Dropped:
				hints[m.Reason.String()] = m.Hint
			case report.Noticed:
				hints[m.Notice.String()] = m.Hint
			case report.StateChange:
				hints[m.Verdict.String()] = m.Hint
			}
		}
	}
}

// withSecrets brings a process with one router and its keys up to Backup.
func withSecrets(t *testing.T, r ipc.Router, secrets ...ipc.Secret) *parent {
	t.Helper()
	d := newParent(t)
	say := []any{ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), r}
	for _, s := range secrets {
		say = append(say, ipc.Slot(0), s)
	}
	d.say(append(say, linkUp, ipc.Commit{Routers: 1})...)
	d.turn()
	return d
}

// TestDropHints: what the log says of a packet that is discarded, and again at
// the takeover that follows from it. Nothing secret is in it.
func TestDropHints(t *testing.T) {
	t.Parallel()
	const secret, other = "topsecretpasswordpasswordpassword", "anothersecretpasswordpassword!!!"
	legacy := func(kind ipc.Auth) ipc.Router {
		r := record()
		r.Auth = kind
		return r
	}
	signed := func(r ipc.Router, mode uint8) ipc.Router {
		r.Auth, r.HMAC = ipc.AuthHMAC, ipc.HMAC{ActiveKey: 1, Mode: mode, Window: 5}
		return r
	}
	trailer := func(id uint8, key string, at time.Time) func(a wire.Advertisement) []byte {
		return func(a wire.Advertisement) []byte {
			h, err := auth.New(auth.Config{Keys: []auth.Key{{ID: id, Value: []byte(key)}}, Active: id, Mode: auth.Enforce, Window: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			return packet(peer, h.Sign(wire.Append(nil, &a, peer, wire.GroupIPv4), 0, peer, at))
		}
	}
	edit := func(change func(a *wire.Advertisement)) func(a wire.Advertisement) []byte {
		return func(a wire.Advertisement) []byte {
			change(&a)
			return advertisement(peer, a)
		}
	}
	data := func(kind auth.Type, secret string) func(a wire.Advertisement) []byte {
		return edit(func(a *wire.Advertisement) {
			a.AuthType = uint8(kind)
			m := wire.Append(nil, a, peer, wire.GroupIPv4)
			a.AuthData = auth.NewLegacy(kind, []byte(secret)).Data(m[:len(m)-auth.DataLen])
		})
	}
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	one := []ipc.Secret{{ID: 1, Value: []byte(secret)}}
	three := func() (keys []ipc.Secret) {
		for id := range 5 {
			keys = append(keys, ipc.Secret{ID: uint8(id + 1), Value: []byte(secret)})
		}
		return keys
	}()
	for _, tt := range []struct {
		name    string
		router  ipc.Router
		secrets []ipc.Secret
		packet  func(a wire.Advertisement) []byte
		why     report.Drop
		want    string
	}{
		{"version", record3(), nil, edit(func(a *wire.Advertisement) { a.Version = 2 }), report.DropVersion, "the sender speaks version 2, we version 3"},
		{"another type", legacy(ipc.AuthSimple), []ipc.Secret{{Value: []byte(secret)}}, edit(func(*wire.Advertisement) {}), report.DropAuthType,
			"the sender has auth_type none, we rfc2338-simple"},
		{"a password, and we sign", signed(record(), 2), one, edit(func(a *wire.Advertisement) { a.AuthType = 1 }), report.DropAuthType,
			"the sender has auth_type rfc2338-simple, we hmac"},
		{"password", legacy(ipc.AuthSimple), []ipc.Secret{{Value: []byte(secret)}}, data(auth.Simple, other), report.DropPassword, "auth_secret is another at the sender"},
		{"P0", legacy(ipc.AuthP0), []ipc.Secret{{Value: []byte(secret)}}, data(auth.P0, other), report.DropDigest,
			"auth_secret is another at the sender, or the advertisement was changed on its way"},
		{"P1", legacy(ipc.AuthP1), []ipc.Secret{{Value: []byte(secret)}}, data(auth.P1, other), report.DropDigest,
			"auth_secret is another at the sender, or the advertisement was changed on its way"},
		{"unsigned", signed(record(), 2), one, edit(func(*wire.Advertisement) {}), report.DropNoTrailer,
			`the sender does not sign with HMAC, and mode = "enforce" demands it`},
		{"signed, and we do not know HMAC", record(), nil, trailer(1, secret, now), report.DropLength,
			"the message is followed by what can be an HMAC trailer: the sender may have auth_type hmac, and we have not"},
		{"no such key", signed(record(), 2), one, trailer(7, secret, now), report.DropKey, "the sender signs with key 7, and we have key 1"},
		{"no such key of many", signed(record(), 2), three, trailer(7, secret, now), report.DropKey, "the sender signs with key 7, and we have key 1, key 2, key 3 and 2 more"},
		{"another value", signed(record3(), 1), one, trailer(1, other, now), report.DropHMAC,
			"the sender signs with key 1, which has another value there than here, or the advertisement was changed on its way"},
		{"an hour ago", signed(record(), 2), one, trailer(1, secret, now.Add(-time.Hour)), report.DropStale,
			"its trailer was made at 2026-11-28 11:00:00 by the sender's clock, and ours says 2026-11-28 12:00:00; time_window is 5 s: a clock is wrong, or an old advertisement was sent again"},
		{"interval", record(), nil, edit(func(a *wire.Advertisement) { a.AdverInterval = 3 * time.Second }), report.DropAdverInterval,
			"the sender advertises every 3s, we every 1s: timers.advert must be the same in version 2"},
		{"addresses", record(), nil, edit(func(a *wire.Advertisement) { a.Addresses = []netip.Addr{virtual, virtual2} }), report.DropAddressList,
			"the sender has virtual addresses that we have not: 10.77.0.253"},
		{"all addresses", record(), nil, edit(func(a *wire.Advertisement) { a.Addresses = []netip.Addr{virtual2} }), report.DropAddressList,
			"no virtual address in common: the sender has 10.77.0.253, we have 10.77.0.254; another cluster with this VRID?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var secrets []ipc.Secret
			for _, s := range tt.secrets {
				secrets = append(secrets, ipc.Secret{ID: s.ID, Value: slices.Clone(s.Value)})
			}
			d := withSecrets(t, tt.router, secrets...)
			d.p.wall = func() time.Time { return now }
			a := good(200)
			a.Version = tt.router.Version
			d.now += second
			d.frame(d.now, tt.packet(a))
			got := d.hinted()
			if got[tt.why.String()] != tt.want {
				t.Errorf("dropped: %q, want %v: %q", got, tt.why, tt.want)
			}
			d.now = d.p.next()
			d.turn()
			d.drained()
			at := d.hinted()
			if want := "advertisements arrive and are dropped, and the sender may still be Active (the last names 10.77.0.1 as its source): " + tt.want; at["dropped"] != want {
				t.Errorf("takeover: %q, want %q", at, want)
			}
			if said := fmt.Sprint(got, at); strings.Contains(said, secret[:8]) || strings.Contains(said, other[:8]) {
				t.Errorf("a secret is in %s", said)
			}
		})
	}
}

// TestReplayHint: an advertisement that comes a second time.
func TestReplayHint(t *testing.T) {
	t.Parallel()
	r := record()
	r.Auth, r.HMAC = ipc.AuthHMAC, ipc.HMAC{ActiveKey: 1, Mode: 2, Window: 5}
	key := strings.Repeat("k", 32)
	d := withSecrets(t, r, ipc.Secret{ID: 1, Value: []byte(key)})
	h, err := auth.New(auth.Config{Keys: []auth.Key{{ID: 1, Value: []byte(key)}}, Active: 1, Mode: auth.Enforce, Window: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	a := good(200)
	again := packet(peer, h.Sign(wire.Append(nil, &a, peer, wire.GroupIPv4), 0, peer, d.p.wall()))
	d.now += second
	d.frame(d.now, again)
	if got := d.hinted(); len(got) != 0 {
		t.Errorf("the first time: %q", got)
	}
	d.frame(d.now, again)
	if got := d.hinted()["replayed"]; got != dropHints[report.DropReplayed] || got == "" {
		t.Errorf("the second time: %q", got)
	}
}

// TestNoticeHints: what differs in an advertisement that is accepted.
func TestNoticeHints(t *testing.T) {
	t.Parallel()
	addrs := func(list ...string) (as []netip.Addr) {
		for _, s := range list {
			as = append(as, netip.MustParseAddr(s))
		}
		return as
	}
	for _, tt := range []struct {
		name         string
		theirs, ours []netip.Addr
		want         string
	}{
		{"none in common", addrs("10.77.0.9"), addrs("10.77.0.254"), "no virtual address in common: the sender has 10.77.0.9, we have 10.77.0.254; another cluster with this VRID?"},
		{"one more", addrs("10.77.0.9", "10.77.0.254"), addrs("10.77.0.254"), "the sender has virtual addresses that we have not: 10.77.0.9"},
		{"one less", addrs("10.77.0.254"), addrs("10.77.0.9", "10.77.0.254"), "the sender lacks the virtual addresses 10.77.0.9"},
		{"another", addrs("10.77.0.254", "10.77.0.8"), addrs("10.77.0.9", "10.77.0.254"), "the sender has virtual addresses that we have not: 10.77.0.8; it lacks ours: 10.77.0.9"},
		{"one twice", addrs("10.77.0.254", "10.77.0.254"), addrs("10.77.0.254"), "the sender names one of our virtual addresses more than once"},
		{"many", addrs("10.77.0.1", "10.77.0.2", "10.77.0.3", "10.77.0.4", "10.77.0.5", "10.77.0.254"), addrs("10.77.0.254"),
			"the sender has virtual addresses that we have not: 10.77.0.1, 10.77.0.2, 10.77.0.3 and 2 more"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := record3()
			r.Addresses = tt.ours
			d := withSecrets(t, r)
			a := good3(200)
			a.Addresses = tt.theirs
			d.now += second
			d.frame(d.now, advertisement(peer, a))
			if got := d.hinted()["addresses"]; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestHintsAreShort: the longest there are fit a message.
func TestHintsAreShort(t *testing.T) {
	t.Parallel()
	long := func(first byte) (as []netip.Addr) {
		for i := range ipc.MaxAddresses {
			a := [16]byte{first, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, byte(i)}
			as = append(as, netip.AddrFrom16(a))
		}
		return as
	}
	for _, theirs := range [][]netip.Addr{long(0xfe), append(long(0xfe), netip.AddrFrom16([16]byte{15: 1}))} {
		r := router{addressLists: addressLists{sorted: append(long(0x20), netip.AddrFrom16([16]byte{15: 1}))}}
		if hint := verdictHints[report.VerdictDropped] + " (the last names " + theirs[0].String() + " as its source): " + r.difference(theirs); len(hint) > ipc.MaxHint {
			t.Errorf("%d bytes: %s", len(hint), hint)
		}
	}
	for _, list := range [][]string{dropHints[:], noticeHints[:], verdictHints[:]} {
		for _, hint := range list {
			if len(hint) > ipc.MaxHint/2 || strings.ContainsFunc(hint, func(c rune) bool { return c < ' ' || c > '~' }) {
				t.Errorf("%q", hint)
			}
		}
	}
}

// TestHintsInAFlood: words are made for what is reported, not for each packet.
// Not in parallel: allocations are counted.
func TestHintsInAFlood(t *testing.T) {
	r := record()
	r.Auth = ipc.AuthSimple
	d := withSecrets(t, r, ipc.Secret{Value: []byte("password")})
	f := ipc.Frame{Family: ipc.IPv4, Received: d.now, Packet: advertisement(peer, good(200))}
	if allocs := testing.AllocsPerRun(1000, func() { d.p.packet(f) }); allocs != 0 {
		t.Errorf("%v allocations for each packet of a flood", allocs)
	}
}
