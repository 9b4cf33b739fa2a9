package routes

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestConcerns: of routes only those to destinations of ours are news, whoever
// made them or took them away.
func TestConcerns(t *testing.T) {
	t.Parallel()
	message := func(kind byte, protocol byte, to string) []byte {
		b := make([]byte, 28)
		b[4], b[16], b[16+5] = kind, unix.AF_INET, protocol
		if to != "" {
			p := netip.MustParsePrefix(to)
			if b[16+1] = byte(p.Bits()); p.Addr().Is6() {
				b[16] = unix.AF_INET6
			}
			if p.Bits() > 0 {
				addr := p.Addr().AsSlice()
				b = append(b, 8, 0, unix.RTA_TABLE, 0, 254, 0, 0, 0, byte(4+len(addr)), 0, unix.RTA_DST, 0)
				b = append(b, addr...)
			}
		}
		binary.NativeEndian.PutUint32(b, uint32(len(b)))
		return b
	}
	to := func(p netip.Prefix) bool {
		return p == netip.MustParsePrefix("10.64.0.0/16") || p == netip.MustParsePrefix("::/0")
	}
	for _, tt := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"nothing", nil, false},
		{"another route", message(24, 186, "10.65.0.0/16"), false},
		{"another length", message(24, 186, "10.64.0.0/17"), false},
		{"another of our protocol gone", message(25, protocol, "10.65.0.0/16"), false},
		{"the default route of the other family", message(24, 186, "0.0.0.0/0"), false},
		{"ours gone", message(25, protocol, "10.64.0.0/16"), true},
		{"somebody's in the place of ours", message(24, 186, "10.64.0.0/16"), true},
		{"and gone", message(25, 186, "10.64.0.0/16"), true},
		{"the default route", message(24, 186, "::/0"), true},
		{"a link", message(16, 0, ""), true},
		{"an address behind routes", slices.Concat(message(24, 186, "10.65.0.0/16"), message(25, 186, "2001:db8::/32"), message(21, 0, "")), true},
		{"malformed", []byte{200, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, true},
		{"malformed attribute", message(24, 186, "10.65.0.0/16")[:40], true},
	} {
		all, err := syscall.ParseNetlinkMessage(tt.b)
		if got := err != nil || slices.ContainsFunc(all, func(m syscall.NetlinkMessage) bool { return concerns(m, to) }); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// FuzzRoutes: whatever is in a message about a route, nothing is taken for ours that has not our
// mark, nor for one to nowhere.
func FuzzRoutes(f *testing.F) {
	for _, b := range [][]byte{
		nil, {2, 24}, append([]byte{2, 16, 0, 0, 254, protocol, 0, 1, 0, 0, 0, 0}, 8, 0, 1, 0, 10, 64, 0, 0, 8, 0, 5, 0, 10, 9, 0, 99, 8, 0, 6, 0, 5, 0, 0, 0, 12, 0, 8, 0, 8, 0, 2, 0, 0x78, 5, 0, 0),
		append([]byte{10, 0, 0, 0, 254, protocol, 0, 1, 0, 0, 0, 0}, 20, 0, 5, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, m []byte) {
		r, ours := read(m)
		if ours && (m[5] != protocol || !r.To.IsValid() || r.Metric < 0 || r.MTU < 0) {
			t.Errorf("%+v of %x", r, m)
		}
		destination(m)
	})
}

// TestReadRoute: a route is read with all that makes it ours; what is in another table, or no
// entry of one, is not.
func TestReadRoute(t *testing.T) {
	t.Parallel()
	message := func(table byte, flags byte, attrs ...[]byte) []byte {
		return slices.Concat(append([][]byte{{unix.AF_INET, 16, 0, 0, table, protocol, 0, unix.RTN_UNICAST, 0, flags, 0, 0}}, attrs...)...)
	}
	to, via := []byte{8, 0, unix.RTA_DST, 0, 10, 64, 0, 0}, []byte{8, 0, unix.RTA_GATEWAY, 0, 10, 9, 0, 99}
	metric, mtu := []byte{8, 0, unix.RTA_PRIORITY, 0, 5, 0, 0, 0}, []byte{12, 0, unix.RTA_METRICS, 0, 8, 0, unix.RTAX_MTU, 0, 0x78, 5, 0, 0}
	want := Route{To: netip.MustParsePrefix("10.64.0.0/16"), Via: netip.MustParseAddr("10.9.0.99"), Metric: 5, MTU: 1400}
	for name, tt := range map[string]struct {
		m    []byte
		ours bool
	}{
		"ours":                   {message(unix.RT_TABLE_MAIN, 0, to, via, metric, mtu), true},
		"of another table":       {message(unix.RT_TABLE_LOCAL, 0, to, via, metric, mtu), false},
		"of a table with a name": {message(unix.RT_TABLE_MAIN, 0, to, via, metric, mtu, []byte{8, 0, unix.RTA_TABLE, 0, 0, 1, 0, 0}), false},
		"no entry":               {message(unix.RT_TABLE_MAIN, 2, to, via, metric, mtu), false},
		"cut off":                {message(unix.RT_TABLE_MAIN, 0, to, via, metric, mtu[:6]), false},
	} {
		if got, ours := read(tt.m); ours != tt.ours || ours && got != want {
			t.Errorf("%s: %+v, %v", name, got, ours)
		}
	}
}
