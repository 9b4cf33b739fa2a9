//go:build lab

package lab_test

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// trailerLen is the length of an HMAC trailer.
const trailerLen = 28

// The keys of the lab.
const (
	key1 = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	key2 = "0123456789abcdef0123456789ABCDEF"
)

// hmacConfig is a configuration with HMAC in a mode and keys 1, 2 or both.
func hmacConfig(count, priority int, mode string, active int, keys string, extra string) string {
	var b strings.Builder
	for one := range strings.SplitSeq(strings.TrimSpace(reloads(count, priority, "")), "[[vrouter]]") {
		if one == "" {
			continue
		}
		fmt.Fprintf(&b, "[[vrouter]]%sauth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = %d\nmode = %q\n%s", one+"\n", active, mode, extra)
		for _, k := range keys {
			value := key1
			if k == '2' {
				value = key2
			}
			fmt.Fprintf(&b, "[[vrouter.hmac.key]]\nid = %c\nvalue = %q\n", k, value)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// rollOut is a version and family to roll authentication out with.
type rollOut struct {
	name     string
	edit     *strings.Replacer // of a configuration for version 3 over IPv4
	interval time.Duration
	header   int         // of frames, up to the message
	message  map[int]int // its length without a trailer, by version
}

var rollOuts = []rollOut{
	{"version 3", strings.NewReplacer(), interval3, 14 + 20, map[int]int{3: 12}},
	{"version 2", strings.NewReplacer("version = 3", "version = 2", timers3, "timers = { advert = 1 }"), time.Second, 14 + 20, map[int]int{2: 20}},
	{"versions 2 and 3", strings.NewReplacer("version = 3", "version = \"2+3\""), interval3, 14 + 20, map[int]int{3: 12, 2: 20}},
	{"IPv6", strings.NewReplacer("vip = \"10.9.0.2", "vip = \"fe80::2", "/24\"", "/64\""), interval3, 14 + 40, map[int]int{3: 24}},
}

// TestRollOut: authentication comes, keys change, and authentication goes
// again, by reloads, one router after the other, without a change of role;
// after each step the trailers are on the wire that belong there. Side by side,
// but not beside other tests: gaps are measured.
func TestRollOut(t *testing.T) {
	t.Parallel()
	for _, r := range rollOuts {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.run(t)
		})
	}
}

func (r rollOut) run(t *testing.T) {
	const count = 3
	l := lab.New(t)
	a := startReloaded(t, l.R1, r.edit.Replace(reloads(count, high, "")))
	b := startReloaded(t, l.R2, r.edit.Replace(reloads(count, low, "")))
	for i := range count {
		l.Tap.Await(0, 10*time.Second, "r1's advertisements", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.VRID == i+1 }))
	}
	b.AwaitLine(0, 5*time.Second, "initialize->backup")
	mark := l.Tap.Len()
	for _, step := range []struct {
		mode   string
		active int
		keys   string
		key    int // that the Active signs with when both have made the step; 0: none
	}{
		{"receive-only", 1, "1", 0},
		{"permissive", 1, "1", 1},
		{"enforce", 1, "1", 1},
		{"enforce", 1, "12", 1},
		{"enforce", 2, "12", 2},
		{"enforce", 2, "2", 2},
		{"permissive", 2, "2", 2},
		{"receive-only", 2, "2", 0},
	} {
		b.reload(r.edit.Replace(hmacConfig(count, low, step.mode, step.active, step.keys, "")), "configuration loaded")
		a.reload(r.edit.Replace(hmacConfig(count, high, step.mode, step.active, step.keys, "")), "configuration loaded")
		from := l.Tap.Len()
		for range 4 { // longer than r2's Active_Down_Interval
			l.Tap.Await(l.Tap.Len(), 10*r.interval, "r1's next advertisement", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.VRID == 1 }))
		}
		for _, f := range lab.Select(l.Tap.From(from), func(f lab.Frame) bool { return f.VRRP != nil }) {
			r.check(t, f, step.key)
		}
	}
	r.steady(t, l.Tap.From(mark), l.R1, count)
	if !b.Said(0, "advertisements noticed.*reason=unsigned source=") {
		t.Errorf("nothing said of what was not signed yet:\n%s", b.Output())
	}
	for _, p := range []*reloaded{a, b} {
		// Version 2 of who sends version 3, too, is not listened to.
		out := strings.ReplaceAll(p.Output(), "packets dropped\" link=eth0/ipv4 reason=superseded", "")
		if strings.Contains(out, "packets dropped") || strings.Contains(out, key2) || strings.Contains(out, "000102030405") {
			t.Errorf("it said\n%s", out)
		}
	}
}

// check holds a frame against the trailer it should have, with a key, or 0
// for none.
func (r rollOut) check(t *testing.T, f lab.Frame, key int) {
	t.Helper()
	m, n := f.VRRP.Message, r.message[f.VRRP.Version]
	want := n
	if key > 0 {
		want += trailerLen
	}
	if n == 0 || len(m) != want || f.Len != max(60, r.header+want) {
		t.Errorf("message of %d bytes in a frame of %d, want %d: %s", len(m), f.Len, want, f)
	} else if key > 0 && (m[n] != 1 || int(m[n+1]) != key) {
		t.Errorf("trailer % x, want key %d", m[n:], key)
	}
}

// steady checks that each virtual router of a node, and nobody else,
// advertised in each version, and that no advertisement is missing.
func (r rollOut) steady(t *testing.T, frames []lab.Frame, n *lab.Node, count int) {
	t.Helper()
	last := map[[2]int]time.Time{}
	for _, f := range frames {
		if f.VRRP == nil {
			continue
		}
		if f.Port != n.Name || f.VRRP.Priority != high {
			t.Errorf("a role changed: %s", f)
			return
		}
		interval := r.interval
		if f.VRRP.Version == 2 {
			interval = time.Second
		}
		which := [2]int{f.VRRP.Version, f.VRRP.VRID}
		if before, seen := last[which]; seen && over(before, f.Time, interval*2) {
			t.Errorf("%v: no advertisement for %v", which, f.Time.Sub(before))
		}
		last[which] = f.Time
	}
	if len(last) != count*len(r.message) {
		t.Errorf("%v advertise", last)
	}
}

// TestHMACFlood: 20,000 advertisements a second with a wrong HMAC.
func TestHMACFlood(t *testing.T) {
	l := lab.New(t)
	config := func(priority int) string {
		return strings.ReplaceAll(strings.ReplaceAll(hmacConfig(1, priority, "enforce", 1, "1", "time_window = 300\n"), "group = 1\n", "group = 10\n"), "10.9.0.101/24", lab.VIP.String()+"/24")
	}
	a := runText(t, l.R1, config(high))
	l.Tap.Await(0, 5*time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
	b := runText(t, l.R2, config(low))
	b.AwaitLine(0, 5*time.Second, "initialize->backup")
	forged := lab.Forgery{VRID: lab.VRID, TTL: 255, Priority: 250, Spoil: func(m []byte) []byte {
		trailer := make([]byte, trailerLen)
		trailer[0], trailer[1] = 1, 1
		binary.BigEndian.PutUint32(trailer[4:], uint32(time.Now().Unix()))
		return append(m, trailer...)
	}}
	marks := map[*lab.Process]int{a: a.Len(), b: b.Len()}
	const rate, lasting = 20_000, 5 * time.Second
	from := l.Tap.Len()
	sent := l.Client.Pour(rate, lasting, interval3, forged)
	if sent < rate*int(lasting/time.Second)*95/100 {
		t.Errorf("only %d packets could be sent", sent)
	}
	l.Tap.Await(l.Tap.Len(), time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
	undisturbed(t, l.Tap.From(from), l, lab.Router{Version: 3, Interval: interval3}, false)
	for p, mark := range marks {
		if p.Said(mark, "crashed|level=ERROR|->") {
			t.Errorf("it said\n%s", p.Output())
		}
	}
	// At the end both tell how many there were. b first: a would hand over.
	for _, p := range []*lab.Process{b, a} {
		if status := p.Terminate(5 * time.Second); status != 0 {
			t.Errorf("status %d", status)
		}
		total := 0
		for _, line := range p.From(0) {
			if m := regexp.MustCompile(`packets dropped.* reason=hmac .*total=(\d+)`).FindStringSubmatch(line.Text); m != nil {
				total, _ = strconv.Atoi(m[1])
			}
		}
		if total < sent*9/10 || total > sent {
			t.Errorf("%d dropped of %d; it said\n%s", total, sent, p.Output())
		}
		t.Logf("%d sent, %d judged", sent, total)
	}
}

// TestLegacyAuthentication: routers with the same secret hear each other, and
// those with another do not.
func TestLegacyAuthentication(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"rfc2338-simple", "p0-t8-sha256", "p1-t8-shake256"} {
		for name, other := range map[string]string{"the same": "changeme", "another": "sw0rdf1h"} {
			t.Run(kind+", "+name, func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				text := func(priority int, secret string) string {
					return lab.Router{Kind: lab.Rvrrpd, Priority: priority}.Configuration("") + fmt.Sprintf("auth_type = %q\nauth_secret = %q\n", kind, secret)
				}
				runText(t, l.R1, text(high, "changeme"))
				l.Tap.Await(0, 6*time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
				b := runText(t, l.R2, text(low, other))
				b.AwaitLine(0, 5*time.Second, "initialize->backup")
				mark := l.Tap.Len()
				for range 5 { // longer than r2's Active_Down_Interval
					l.Tap.Await(l.Tap.Len(), 2*time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
				}
				spoke := len(lab.Select(l.Tap.From(mark), lab.Advert(l.R2))) > 0
				if spoke != (other != "changeme") {
					t.Errorf("r2 speaks: %v; it said\n%s", spoke, b.Output())
				}
				if !spoke {
					return
				}
				// Who was never accepted is told, with what may be the matter, and not asked after.
				drop := map[bool]string{true: "password", false: "digest"}[kind == "rfc2338-simple"]
				b.AwaitLine(0, 5*time.Second, fmt.Sprintf("backup->active.* drop=%s verdict=dropped .*the last names %v as its source.*auth_secret is another at the sender", drop, l.R1.Addr))
				for range 4 { // longer than a look takes
					l.Tap.Await(l.Tap.Len(), 2*time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
				}
				if b.Said(0, "probed") {
					t.Errorf("it was probed; r2 said\n%s", b.Output())
				}
				if out := b.Output(); strings.Contains(out, other) {
					t.Errorf("the secret is in what it said:\n%s", out)
				}
			})
		}
	}
}
