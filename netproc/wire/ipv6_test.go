package wire_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// packet6 is an IPv6 packet with a payload of four bytes.
func packet6() []byte {
	b := []byte{0x6c, 0, 0, 0, 0, 4, wire.Protocol, 255}
	b = append(append(b, src6.AsSlice()...), wire.GroupIPv6.AsSlice()...)
	return append(b, 1, 2, 3, 4)
}

func TestParseIPv6(t *testing.T) {
	t.Parallel()
	good := wire.IP{TTL: 255, Protocol: wire.Protocol, Source: src6, Destination: wire.GroupIPv6}
	with := func(change func(b []byte) []byte) []byte { return change(packet6()) }
	hop, udp := good, good
	hop.TTL, udp.Protocol = 254, 17
	mapped := netip.MustParseAddr("::ffff:10.0.0.1")
	fragment := good
	fragment.Protocol = 44
	for _, tt := range []struct {
		name    string
		packet  []byte
		want    wire.IP
		problem wire.Problem
	}{
		{"good", packet6(), good, wire.NoProblem},
		{"good, padding", append(packet6(), 0, 0), good, wire.NoProblem},
		{"good, flow label", with(func(b []byte) []byte { b[1], b[2], b[3] = 0xcf, 2, 3; return b }), good, wire.NoProblem},
		{"hop limit is not judged", with(func(b []byte) []byte { b[7] = 254; return b }), hop, wire.NoProblem},
		{"protocol is not judged", with(func(b []byte) []byte { b[6] = 17; return b }), udp, wire.NoProblem},
		{"bad, empty", nil, wire.IP{}, wire.ProblemIPHeader},
		{"bad, header incomplete", packet6()[:39], wire.IP{}, wire.ProblemIPHeader},
		{"bad, version 4", with(func(b []byte) []byte { b[0] = 0x45; return b }), wire.IP{}, wire.ProblemIPHeader},
		{"bad, payload beyond what was read", with(func(b []byte) []byte { b[5] = 5; return b }), wire.IP{}, wire.ProblemIPHeader},
		{"bad, IPv4-mapped source", with(func(b []byte) []byte { copy(b[8:], mapped.AsSlice()); return b }), wire.IP{}, wire.ProblemIPHeader},
		{"bad, IPv4-mapped destination", with(func(b []byte) []byte { copy(b[24:], mapped.AsSlice()); return b }), wire.IP{}, wire.ProblemIPHeader},
		{"fragment", with(func(b []byte) []byte { b[6] = 44; return b }), fragment, wire.ProblemFragment},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ip, payload, problem := wire.ParseIPv6(tt.packet)
			if problem != tt.problem {
				t.Fatalf("problem: got %v, want %v", problem, tt.problem)
			}
			if diff := cmp.Diff(tt.want, ip, comparable); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			var want []byte
			if problem == wire.NoProblem {
				want = []byte{1, 2, 3, 4}
			}
			if !bytes.Equal(payload, want) {
				t.Errorf("payload %x, want %x", payload, want)
			}
		})
	}
}

func FuzzIPv6(f *testing.F) {
	f.Add(packet6())
	for _, file := range captures {
		for _, p := range packets(f, file) {
			f.Add(p)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ip, payload, problem := wire.ParseIPv6(b)
		switch problem {
		case wire.NoProblem:
			n := 40 + len(payload)
			if n > len(b) || len(payload) != int(b[4])<<8|int(b[5]) || !ip.Source.Is6() || !ip.Destination.Is6() || ip.Source.Is4In6() {
				t.Errorf("%+v with %d of %d bytes", ip, n, len(b))
			}
		case wire.ProblemFragment, wire.ProblemIPHeader:
			if payload != nil {
				t.Errorf("%v with a payload", problem)
			}
		default:
			t.Errorf("unexpected problem: %v", problem)
		}
	})
}
