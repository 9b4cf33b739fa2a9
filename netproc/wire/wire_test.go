package wire_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

var (
	src4 = netip.MustParseAddr("10.77.0.1")
	src6 = netip.MustParseAddr("fe80::1")
)

// header is an IPv4 header without options, for 20 bytes of payload.
const header = "45c00028" + "00000000" + "ff700000" + "0a4d0001" + "e0000012"

func TestParseIPv4(t *testing.T) {
	t.Parallel()
	good := wire.IP{TTL: 255, Protocol: 112, Source: src4, Destination: wire.GroupIPv4}
	payload := slices.Repeat([]byte{0xab}, 20)
	with := func(change func(b []byte)) []byte {
		b := append(unhex(t, header), payload...)
		change(b)
		return b
	}
	options := append(unhex(t, "46c0002c"+header[8:]+"94040000"), payload...)
	tests := []struct {
		name    string
		in      []byte
		ip      wire.IP
		problem wire.Problem
	}{
		{"OK", with(func([]byte) {}), good, wire.NoProblem},
		{"OK, don't fragment", with(func(b []byte) { b[6] = 0x40 }), good, wire.NoProblem},
		{"OK, padding behind total length", append(with(func([]byte) {}), 0, 0, 0, 0, 0, 0), good, wire.NoProblem},
		{"OK, options", options, good, wire.NoProblem},
		{"bad, empty", nil, wire.IP{}, wire.ProblemIPHeader},
		{"bad, header incomplete", with(func([]byte) {})[:19], wire.IP{}, wire.ProblemIPHeader},
		{"bad, version 6", with(func(b []byte) { b[0] = 0x65 }), wire.IP{}, wire.ProblemIPHeader},
		{"bad, header length 16", with(func(b []byte) { b[0] = 0x44 }), wire.IP{}, wire.ProblemIPHeader},
		{"bad, header longer than the packet", with(func(b []byte) { b[0] = 0x4f }), wire.IP{}, wire.ProblemIPHeader},
		{"bad, total length below the header's", with(func(b []byte) { b[3] = 19 }), wire.IP{}, wire.ProblemIPHeader},
		{"bad, total length beyond what was read", with(func(b []byte) { b[3] = 41 }), wire.IP{}, wire.ProblemIPHeader},
		{"bad, first fragment", with(func(b []byte) { b[6] = 0x20 }), good, wire.ProblemFragment},
		{"bad, later fragment", with(func(b []byte) { b[7] = 1 }), good, wire.ProblemFragment},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ip, got, problem := wire.ParseIPv4(tt.in)
			if ip != tt.ip || problem != tt.problem {
				t.Errorf("got %+v %v, want %+v %v", ip, problem, tt.ip, tt.problem)
			}
			want := payload
			if tt.problem != wire.NoProblem {
				want = nil
			}
			if string(got) != string(want) {
				t.Errorf("payload: got %x, want %x", got, want)
			}
		})
	}
}

// TestAppend holds every form against bytes worked out by hand or captured.
func TestAppend(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		in       wire.Advertisement
		src, dst netip.Addr
		want     string
	}{
		{
			"version 2 without authentication, as rVRRPd",
			wire.Advertisement{Version: 2, VRID: 7, Priority: 150, AdverInterval: time.Second, Addresses: addrs("10.77.0.254")},
			src4, wire.GroupIPv4, "21079601" + "00013dab" + "0a4d00fe" + "0000000000000000",
		},
		{
			"version 2, two addresses, priority 0",
			wire.Advertisement{Version: 2, VRID: 255, Priority: 0, AdverInterval: 255 * time.Second, Addresses: addrs("10.0.0.1", "10.0.0.2")},
			src4, wire.GroupIPv4, "21ff0002" + "00ffc8fc" + "0a000001" + "0a000002" + "0000000000000000",
		},
		{
			"version 3 over IPv4",
			wire.Advertisement{Version: 3, VRID: 51, Priority: 100, AdverInterval: time.Second, Addresses: addrs("10.9.0.100")},
			src4, wire.GroupIPv4, "31336401" + "00645ffa" + "0a090064",
		},
		{
			"version 3 over IPv4 with a pseudo-header",
			wire.Advertisement{Version: 3, VRID: 51, Priority: 100, AdverInterval: time.Second, Checksum: wire.FormPseudoHeader, Addresses: addrs("10.9.0.100")},
			src4, wire.GroupIPv4, "31336401" + "0064751d" + "0a090064",
		},
		{
			"version 3 over IPv6, longest interval",
			wire.Advertisement{Version: 3, VRID: 1, Priority: 255, AdverInterval: 40950 * time.Millisecond, Addresses: addrs("fe80::5e")},
			src6, wire.GroupIPv6, "3101ff01" + "0fffc2ff" + "fe80000000000000000000000000005e",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := wire.Append([]byte("before"), &tt.in, tt.src, tt.dst)
			if diff := cmp.Diff("before"+string(unhex(t, tt.want)), string(got)); diff != "" {
				t.Fatalf("got %x, want %s", got[6:], tt.want)
			}
			var back wire.Advertisement
			if problem := wire.Parse(got[6:], tt.src, tt.dst, &back); problem != wire.NoProblem {
				t.Fatal(problem)
			}
			if diff := cmp.Diff(tt.in, back, comparable); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseProblems: each problem, and which comes first where there are two.
func TestParseProblems(t *testing.T) {
	t.Parallel()
	v2 := wire.Append(nil, &wire.Advertisement{Version: 2, VRID: 7, Priority: 1, AdverInterval: time.Second, Addresses: addrs("10.77.0.254")}, src4, wire.GroupIPv4)
	v3 := wire.Append(nil, &wire.Advertisement{Version: 3, VRID: 7, Priority: 1, AdverInterval: time.Second, Addresses: addrs("10.77.0.254")}, src4, wire.GroupIPv4)
	v6 := wire.Append(nil, &wire.Advertisement{Version: 3, VRID: 7, Priority: 1, AdverInterval: time.Second, Addresses: addrs("fe80::1")}, src6, wire.GroupIPv6)
	with := func(b []byte, at int, v byte) []byte {
		b = slices.Clone(b)
		b[at] = v
		return b
	}
	tests := []struct {
		name     string
		in       []byte
		src, dst netip.Addr
		want     wire.Problem
	}{
		{"empty", nil, src4, wire.GroupIPv4, wire.ProblemLength},
		{"version 1", with(v2, 0, 0x11), src4, wire.GroupIPv4, wire.ProblemVersion},
		{"version 4", with(v2, 0, 0x41), src4, wire.GroupIPv4, wire.ProblemVersion},
		{"version 2 over IPv6", with(v6, 0, 0x21), src6, wire.GroupIPv6, wire.ProblemVersion},
		{"version before type", with(v2, 0, 0x02)[:1], src4, wire.GroupIPv4, wire.ProblemVersion},
		{"type 2", with(v2, 0, 0x22), src4, wire.GroupIPv4, wire.ProblemType},
		{"type before length", with(v2, 0, 0x22)[:1], src4, wire.GroupIPv4, wire.ProblemType},
		{"fixed part incomplete", v2[:7], src4, wire.GroupIPv4, wire.ProblemLength},
		{"no authentication data", v2[:12], src4, wire.GroupIPv4, wire.ProblemLength},
		{"one byte short", v2[:19], src4, wire.GroupIPv4, wire.ProblemLength},
		{"one byte too many", append(slices.Clone(v2), 0), src4, wire.GroupIPv4, wire.ProblemLength},
		{"one address counted too many", with(v2, 3, 2), src4, wire.GroupIPv4, wire.ProblemLength},
		{"version 3 with authentication data", append(slices.Clone(v3), make([]byte, 8)...), src4, wire.GroupIPv4, wire.ProblemLength},
		{"version 3, IPv4 address over IPv6", v3, src6, wire.GroupIPv6, wire.ProblemLength},
		{"length before checksum", append(with(v2, 2, 2), 0), src4, wire.GroupIPv4, wire.ProblemLength},
		{"version 2, checksum", with(v2, 2, 2), src4, wire.GroupIPv4, wire.ProblemChecksum},
		{"version 2, authentication data not summed", with(v2, 19, 2), src4, wire.GroupIPv4, wire.ProblemChecksum},
		{"version 3, checksum", with(v3, 2, 2), src4, wire.GroupIPv4, wire.ProblemChecksum},
		{"version 3 over IPv6, checksum", with(v6, 2, 2), src6, wire.GroupIPv6, wire.ProblemChecksum},
		{"version 3 over IPv6, to another group", v6, src6, netip.MustParseAddr("ff02::13"), wire.ProblemChecksum},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := wire.Parse(tt.in, tt.src, tt.dst, new(wire.Advertisement)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestVersion2NeverPseudoHeader: only version 3 has two forms.
func TestVersion2NeverPseudoHeader(t *testing.T) {
	t.Parallel()
	b := wire.Append(nil, &wire.Advertisement{Version: 3, VRID: 7, Priority: 1, Checksum: wire.FormPseudoHeader, Addresses: addrs("10.77.0.254", "0.0.0.0", "0.0.0.0")}, src4, wire.GroupIPv4)
	if got := wire.Parse(b, src4, wire.GroupIPv4, new(wire.Advertisement)); got != wire.NoProblem {
		t.Fatal(got)
	}
	// The same bytes as version 2 with one address, the checksum corrected.
	b[0], b[3] = 0x21, 1
	sum := uint32(b[6])<<8 + uint32(b[7]) + 0x1002
	sum = sum>>16 + sum&0xffff
	b[6], b[7] = byte(sum>>8), byte(sum)
	if got := wire.Parse(b, src4, wire.GroupIPv4, new(wire.Advertisement)); got != wire.ProblemChecksum {
		t.Errorf("version 2 with a pseudo-header: got %v, want %v", got, wire.ProblemChecksum)
	}
}

// TestReserved: the four bits before a version 3 interval are ignored.
func TestReserved(t *testing.T) {
	t.Parallel()
	var a wire.Advertisement
	b := unhex(t, "31336401"+"f064"+"6ff9"+"0a090064")
	if problem := wire.Parse(b, src4, wire.GroupIPv4, &a); problem != wire.NoProblem || a.AdverInterval != time.Second {
		t.Errorf("got %v and interval %v, want none and 1s", problem, a.AdverInterval)
	}
}

func TestPeek(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]uint8{"": {}, "31": {3, 0}, "2107": {2, 7}, "210796": {2, 7}} {
		version, vrid := wire.Peek(unhex(t, in))
		if got := [2]uint8{version, vrid}; got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
}

func TestProblemNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for p := wire.NoProblem; p <= wire.NumProblems; p++ {
		if seen[p.Error()] || p.Error() == "" {
			t.Errorf("problem %d: name %q empty or used twice", p, p.Error())
		}
		seen[p.Error()] = true
	}
}

// TestParseDoesNotAllocate covers the way of a packet, and of one that is
// written into memory that is there.
func TestParseDoesNotAllocate(t *testing.T) {
	a := wire.Advertisement{Version: 2, VRID: 7, Priority: 150, AdverInterval: time.Second, Addresses: addrs("10.77.0.254", "10.77.0.253")}
	p := append(unhex(t, header), wire.Append(nil, &a, src4, wire.GroupIPv4)...)
	p[3] = byte(len(p))
	out := make([]byte, 0, 64)
	allocs := testing.AllocsPerRun(1000, func() {
		ip, payload, problem := wire.ParseIPv4(p)
		if problem != wire.NoProblem || wire.Parse(payload, ip.Source, ip.Destination, &a) != wire.NoProblem {
			t.Fatal("packet refused")
		}
		out = wire.Append(out[:0], &a, src4, wire.GroupIPv4)
	})
	if allocs != 0 {
		t.Errorf("allocations: got %v, want 0", allocs)
	}
}
