package netproc

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// kaKeys are the keys of keepalived's capture.
func kaKeys(t testing.TB) []ipc.Secret {
	t.Helper()
	var one []byte
	for i := range byte(32) {
		one = append(one, i)
	}
	seven, err := hex.DecodeString(strings.Repeat("aabbccddeeff00112233445566778899", 3) + "aabbccddeeff001122334455667788ff")
	if err != nil {
		t.Fatal(err)
	}
	return []ipc.Secret{{ID: 1, Value: one}, {ID: 2, Value: []byte("0123456789abcdef0123456789ABCDEF")}, {ID: 7, Value: seven}}
}

// judged judges a packet as a whole: the kernel's check of an IPv4 header, and
// ours. Of a packet to one router alone, which keepalived can send and we do
// not take, all is judged but to whom it is sent, and how far.
func (d *parent) judged(f ipc.Frame, multicast bool) report.Drop {
	packet := f.Packet
	if f.Family == ipc.IPv4 && (int(packet[0]&15) < 5 || sumOfHeader(packet) != 0xffff) {
		return report.DropIPHeader
	}
	d.p.at(0).auth.hmac.Resume(nil)
	_, source, message, why := d.p.judge(f, d.now)
	if multicast || why != report.DropDestination && why != report.DropTTL {
		return why
	}
	var a wire.Advertisement
	destination := netip.AddrFrom4([4]byte(packet[16:20]))
	if f.Family == ipc.IPv6 {
		destination = netip.AddrFrom16([16]byte(packet[24:40]))
	}
	r := d.p.at(0)
	if message[1] != r.record.VRID {
		return report.DropVRID
	}
	if len(message) != wire.Length(message, source)+auth.TrailerLen {
		return report.DropLength
	}
	if problem := wire.ParseWithTrailer(message, auth.TrailerLen, source, destination, &a); problem != wire.NoProblem {
		return dropOf(problem)
	}
	if why := d.p.authenticate(r, message, auth.TrailerLen, &a, source); why != 0 {
		return why
	}
	if why := r.check(&a, source, d.now); why != 0 {
		return why
	}
	return d.p.admit(r, message, auth.TrailerLen, source)
}

// sumOfHeader is the sum of an IPv4 header, 0xffff where it is right.
func sumOfHeader(packet []byte) (sum uint32) {
	for i := 0; i < min(int(packet[0]&15)*4, len(packet)-1); i += 2 {
		sum += uint32(packet[i])<<8 | uint32(packet[i+1])
	}
	return sum>>16 + sum&0xffff
}

// putRight makes the checksums of a packet right again, as far as it is one.
func putRight(packet []byte, payload int) {
	if payload == 20 {
		packet[10], packet[11] = 0, 0
		binary.BigEndian.PutUint16(packet[10:], ^uint16(sumOfHeader(packet)))
	}
	m := packet[payload:]
	var source, group netip.Addr
	covered := len(m)
	if payload == 20 {
		source, group = netip.AddrFrom4([4]byte(packet[12:16])), wire.GroupIPv4
		covered -= auth.TrailerLen
	} else {
		source, group = netip.AddrFrom16([16]byte(packet[8:24])), wire.GroupIPv6
	}
	wire.Seal(m[:covered], source, group) // version 3; both forms are accepted
	if m[0]>>4 == 2 {
		m[6], m[7] = 0, 0
		var sum uint32
		for i := 0; i < covered; i += 2 {
			sum += uint32(m[i])<<8 | uint32(m[i+1])
		}
		binary.BigEndian.PutUint16(m[6:], ^uint16(sum>>16+sum&0xffff))
	}
}

// bits lists bits from one to another, counted from the most significant of
// the first byte.
func bits(spans ...[2]int) (all []int) {
	for _, s := range spans {
		for bit := s[0]; bit < s[1]; bit++ {
			all = append(all, bit)
		}
	}
	return all
}

// TestKeepalivedFrames: every packet of keepalived's is accepted as a whole by
// a router configured like its sender, at its time. With any bit of it
// changed it is not, but for what nothing covers; also when whoever changes
// it puts the checksums right, for which one needs no key.
func TestKeepalivedFrames(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("wire/testdata/ka-hmac.pcap")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for b = b[24:]; len(b) >= 16; {
		size := int(binary.LittleEndian.Uint32(b[8:]))
		original := bytes.Clone(b[16+14 : 16+size])
		b = b[16+size:]
		packet := bytes.Clone(original)
		d, f, payload, multicast := configuredLike(t, packet)
		if why := d.judged(f, multicast); why != 0 {
			t.Errorf("%x: discarded: %v", packet, why)
			continue
		}
		// The second time, with what is remembered.
		if problem := d.p.at(0).auth.hmac.Fresh(packet[payload:], len(packet)-payload-auth.TrailerLen, sourceOf(packet), d.p.wall()); problem != auth.Replayed {
			t.Errorf("%x: the second time: %v", packet, problem)
		}
		if _, _, _, why := d.p.judge(f, d.now); !multicast && why != report.DropDestination && why != report.DropTTL {
			t.Errorf("%x: to one router alone: %v", packet, why)
		}
		kind := fmt.Sprintf("IPv%d, version %d, multicast %v", f.Family, packet[payload]>>4, multicast)
		seen[kind]++

		// What nothing covers: traffic class and flow label of IPv6; to one
		// router alone, the hop limit, too. IPv4 has a checksum of its header.
		var uncovered []int
		// And what only checksums cover: type of service, identification, the
		// reserved flag and DF of IPv4, and the checksums themselves.
		sums := bits([2]int{8, 16}, [2]int{32, 50}, [2]int{80, 96}, [2]int{payload*8 + 48, payload*8 + 64})
		if f.Family == ipc.IPv6 {
			uncovered = bits([2]int{4, 32})
			sums = bits([2]int{4, 32}, [2]int{payload*8 + 48, payload*8 + 64})
			if !multicast {
				uncovered = bits([2]int{4, 32}, [2]int{56, 64})
			}
		}
		var accepted, put []int
		for bit := range len(packet) * 8 {
			packet[bit/8] ^= 0x80 >> (bit % 8)
			if why := d.judged(f, multicast); why == 0 {
				accepted = append(accepted, bit)
			}
			if putRight(packet, payload); multicast {
				if why := d.judged(f, true); why == 0 {
					put = append(put, bit)
				}
			}
			copy(packet, original)
		}
		if diff := cmp.Diff(uncovered, accepted); diff != "" {
			t.Errorf("%s: %x: bits that can be changed (-want +got):\n%s", kind, packet, diff)
		}
		if diff := cmp.Diff(sums, put); diff != "" && multicast {
			t.Errorf("%s: %x: bits that can be changed, with checksums put right (-want +got):\n%s", kind, packet, diff)
		}
	}
	want := map[string]int{"IPv4, version 2, multicast true": 6, "IPv4, version 2, multicast false": 6, "IPv4, version 3, multicast true": 14,
		"IPv4, version 3, multicast false": 6, "IPv6, version 3, multicast true": 6, "IPv6, version 3, multicast false": 6}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("packets (-want +got):\n%s", diff)
	}
}

func sourceOf(packet []byte) netip.Addr {
	if packet[0]>>4 == 6 {
		return netip.AddrFrom16([16]byte(packet[8:24]))
	}
	return netip.AddrFrom4([4]byte(packet[12:16]))
}

// configuredLike returns a process with a router like the sender's of a
// packet, and where the payload begins.
func configuredLike(t *testing.T, packet []byte) (d *parent, f ipc.Frame, payload int, multicast bool) {
	t.Helper()
	r, link := record(), linkUp
	f = ipc.Frame{Family: ipc.IPv4, Packet: packet}
	payload, multicast = 20, packet[16] == 224
	parse := wire.ParseIPv4
	if packet[0]>>4 == 6 {
		payload, multicast = 40, packet[24] == 0xff
		parse, f.Family, f.Link, link, r.Link = wire.ParseIPv6, ipc.IPv6, 6, linkUp6, 6
	}
	ip, message, problem := parse(packet)
	if problem != wire.NoProblem {
		t.Fatal(problem)
	}
	var a wire.Advertisement
	if problem := wire.ParseWithTrailer(message, auth.TrailerLen, ip.Source, ip.Destination, &a); problem != wire.NoProblem {
		t.Fatalf("%x: %v", packet, problem)
	}
	r.Family, r.Version, r.VRID, r.AdverInterval, r.Addresses = f.Family, a.Version, a.VRID, int64(a.AdverInterval), a.Addresses
	r.Auth, r.HMAC = ipc.AuthHMAC, ipc.HMAC{ActiveKey: 1, Mode: 2, Window: 5}
	d = newParent(t)
	at := time.Unix(int64(binary.BigEndian.Uint32(message[len(message)-auth.TrailerLen+4:])), 0)
	d.p.wall = func() time.Time { return at }
	say := []any{ipc.Hello{Build: ipc.Build()}, ipc.Slot(0), r}
	for _, k := range kaKeys(t) {
		say = append(say, ipc.Slot(0), k)
	}
	if link.Primary == ip.Source {
		link.Primary = netip.MustParseAddr("10.77.0.77")
	}
	d.say(append(say, link, ipc.Commit{Routers: 1})...)
	d.turn()
	return d, f, payload, multicast
}
