//go:build lab

package lab_test

import (
	"encoding/binary"
	"fmt"
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

// TestRollOut: authentication comes, keys change, and authentication goes
// again, by reloads, one router after the other, without a change of role. Not in parallel: gaps are measured.
func TestRollOut(t *testing.T) {
	const count = 3
	l := lab.New(t)
	a := startReloaded(t, l.R1, reloads(count, high, ""))
	b := startReloaded(t, l.R2, reloads(count, low, ""))
	for i := range count {
		l.Tap.Await(0, 10*time.Second, "r1's advertisements", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.VRID == i+1 }))
	}
	b.AwaitLine(0, 5*time.Second, "initialize->backup")
	mark := l.Tap.Len()
	const bare, signed = 60, 14 + 20 + 12 + trailerLen // frames are padded
	for _, step := range []struct {
		mode   string
		active int
		keys   string
		length int // of the Active's frames, when both have made the step
	}{
		{"receive-only", 1, "1", bare},
		{"permissive", 1, "1", signed},
		{"enforce", 1, "1", signed},
		{"enforce", 1, "12", signed},
		{"enforce", 2, "12", signed},
		{"enforce", 2, "2", signed},
		{"permissive", 2, "2", signed},
		{"receive-only", 2, "2", bare},
	} {
		b.reload(hmacConfig(count, low, step.mode, step.active, step.keys, ""), "configuration loaded")
		a.reload(hmacConfig(count, high, step.mode, step.active, step.keys, ""), "configuration loaded")
		from := l.Tap.Len()
		for range 5 { // longer than r2's Active_Down_Interval
			f := l.Tap.Await(l.Tap.Len(), time.Second, "r1's next advertisement", lab.From(l.R1, func(f lab.Frame) bool { return f.VRRP != nil && f.VRRP.VRID == 1 }))
			if f.Len != step.length {
				t.Errorf("%+v: frame of %d bytes, want %d", step, f.Len, step.length)
			}
		}
		steady(t, l.Tap.From(from), l.R1, count)
	}
	steady(t, l.Tap.From(mark), l.R1, count)
	if !b.Said(0, "advertisements noticed.*reason=unsigned source="+l.R1.Addr.String()) {
		t.Errorf("nothing said of what was not signed yet:\n%s", b.Output())
	}
	for _, p := range []*reloaded{a, b} {
		if out := p.Output(); strings.Contains(out, "packets dropped") || strings.Contains(out, key2) || strings.Contains(out, "000102030405") {
			t.Errorf("it said\n%s", out)
		}
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
	from := l.Tap.Len()
	n := l.Client.Flood(2*floodRate, floodTime, interval3, forged)
	if n < 2*floodRate*int(floodTime/time.Second)*8/10 {
		t.Errorf("only %d packets could be sent", n)
	}
	l.Tap.Await(l.Tap.Len(), time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
	undisturbed(t, l.Tap.From(from), l, lab.Router{Version: 3, Interval: interval3}, false)
	for _, p := range []*lab.Process{a, b} {
		if !p.Said(0, "packets dropped.*reason=hmac") || p.Said(0, "crashed|level=ERROR|active->") {
			t.Errorf("it said\n%s", p.Output())
		}
	}
}

// TestLegacyAuthentication: routers with the same secret hear each other, and
// those with another do not.
func TestLegacyAuthentication(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"rfc2338-simple", "p0-t8-sha256", "p1-t8-shake256"} {
		for _, other := range []string{"changeme", "changed"} {
			t.Run(kind+", "+other, func(t *testing.T) {
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
			})
		}
	}
}
