package wire_test

import (
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var comparable = cmpopts.EquateComparable(netip.Addr{})

// TestRVRRPd reads what the original rVRRPd sends, and writes the same bytes.
func TestRVRRPd(t *testing.T) {
	t.Parallel()
	type sample struct {
		file     string
		authType uint8
		first    string // authentication data of the first
	}
	for _, s := range []sample{
		{"rvrrpd-simple.pcap", 1, "7365637265743132"},
		{"rvrrpd-p0.pcap", 250, "cbf882e9a2cc3183"},
		{"rvrrpd-p1.pcap", 251, "b38a245eddf3df22"},
	} {
		t.Run(s.file, func(t *testing.T) {
			t.Parallel()
			ps := packets(t, s.file)
			for i, p := range ps {
				ip, payload, problem := wire.ParseIPv4(p)
				if problem != wire.NoProblem {
					t.Fatalf("packet %d: %v", i, problem)
				}
				wantIP := wire.IP{TTL: wire.TTL, Protocol: wire.Protocol, Source: netip.MustParseAddr("10.77.0.1"), Destination: wire.GroupIPv4}
				if ip != wantIP {
					t.Errorf("packet %d: got %+v, want %+v", i, ip, wantIP)
				}
				var got wire.Advertisement
				if problem := wire.Parse(payload, ip.Source, ip.Destination, &got); problem != wire.NoProblem {
					t.Fatalf("packet %d: %v", i, problem)
				}
				want := wire.Advertisement{Version: 2, VRID: 7, Priority: 150, AdverInterval: time.Second, AuthType: s.authType,
					AuthData: [8]byte(unhex(t, s.first)), Addresses: addrs("10.77.0.254")}
				if i == len(ps)-1 { // the last is its goodbye
					want.Priority, want.AuthData = 0, got.AuthData
				}
				if diff := cmp.Diff(want, got, comparable); diff != "" {
					t.Errorf("packet %d (-want +got):\n%s", i, diff)
				}
				if again := wire.Append(nil, &got, ip.Source, ip.Destination); string(again) != string(payload) {
					t.Errorf("packet %d: written as %x, read from %x", i, again, payload)
				}
			}
		})
	}
}

// TestKeepalivedTrailer reads what keepalived sends with its HMAC trailer:
// refused as a whole, and without the trailer a good message of either
// version. Its version 3 over IPv4 has the checksum of RFC 5798.
func TestKeepalivedTrailer(t *testing.T) {
	t.Parallel()
	const trailer = 28
	seen := map[uint8]int{}
	for i, p := range packets(t, "ka-hmac.pcap") {
		ip, payload, problem := wire.ParseIPv4(p)
		if p[0]>>4 == 6 {
			if problem != wire.ProblemIPHeader {
				t.Errorf("packet %d: IPv6 read as IPv4: %v", i, problem)
			}
			src, dst := netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
			if got := wire.Parse(p[40:], src, dst, new(wire.Advertisement)); got != wire.ProblemLength {
				t.Errorf("packet %d: with a trailer: %v, want %v", i, got, wire.ProblemLength)
			}
			continue
		}
		if problem != wire.NoProblem {
			t.Fatalf("packet %d: %v", i, problem)
		}
		var a wire.Advertisement
		if got := wire.Parse(payload, ip.Source, ip.Destination, &a); got != wire.ProblemLength {
			t.Errorf("packet %d: with a trailer: %v, want %v", i, got, wire.ProblemLength)
		}
		message := payload[:len(payload)-trailer]
		if got := wire.Parse(message, ip.Source, ip.Destination, &a); got != wire.NoProblem {
			t.Errorf("packet %d: without the trailer: %v", i, got)
		}
		if want := (a.Version == 3); (a.Checksum == wire.FormPseudoHeader) != want {
			t.Errorf("packet %d: version %d, checksum form %d", i, a.Version, a.Checksum)
		}
		if again := wire.Append(nil, &a, ip.Source, ip.Destination); string(again) != string(message) {
			t.Errorf("packet %d: written as %x, read from %x", i, again, message)
		}
		seen[a.Version]++
	}
	if seen[2] == 0 || seen[3] == 0 {
		t.Errorf("messages by version: %v, want both", seen)
	}
}
