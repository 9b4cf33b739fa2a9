package netproc

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
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

// TestKeepalivedFrames: every multicast packet of keepalived's is accepted as
// a whole by a router configured like its sender, at its time; with any bit
// of its payload or its source changed it is discarded.
func TestKeepalivedFrames(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("wire/testdata/ka-hmac.pcap")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[2]uint8]int{}
	for b = b[24:]; len(b) >= 16; {
		size := int(binary.LittleEndian.Uint32(b[8:]))
		packet := bytes.Clone(b[16+14 : 16+size])
		b = b[16+size:]
		d, f, payload, multicast := configuredLike(t, packet)
		if !multicast {
			continue
		}
		seen[[2]uint8{uint8(f.Family), packet[payload] >> 4}]++
		judged := func() ipc.Drop {
			_, _, _, why := d.p.judge(f, d.now)
			return why
		}
		source := 12
		if f.Family == ipc.IPv6 {
			source = 8
		}
		for bit := payload * 8; bit < len(packet)*8; bit++ {
			packet[bit/8] ^= 1 << (bit % 8)
			if why := judged(); why == 0 {
				t.Errorf("%x: accepted with bit %d changed", packet, bit)
			}
			packet[bit/8] ^= 1 << (bit % 8)
		}
		packet[source+3] ^= 1
		if why := judged(); why == 0 {
			t.Errorf("%x: accepted from another source", packet)
		}
		packet[source+3] ^= 1
		if why := judged(); why != 0 {
			t.Errorf("%x: discarded: %v", packet, why)
		}
		if why := judged(); why != ipc.DropReplayed {
			t.Errorf("%x: the second time: %v", packet, why)
		}
	}
	if len(seen) != 3 {
		t.Errorf("families and versions: %v", seen)
	}
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
		if !multicast {
			return nil, f, payload, false
		}
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
