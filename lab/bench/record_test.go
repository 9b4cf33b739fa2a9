package main

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// sample is an advertisement as tests have it.
var sample = advertisement{source: parseMAC("00:00:5e:00:01:07"), from: netip.MustParseAddr("10.9.0.1"), address: netip.MustParseAddr("10.9.0.7"),
	vrid: 7, priority: 200, interval: 100 * time.Millisecond}

// arp is a frame with an ARP message about two addresses.
func arp(sender, target byte) []byte {
	b := make([]byte, etherLength+28)
	b[12], b[13] = 0x08, 0x06
	copy(b[etherLength+14:], []byte{10, 9, 0, sender})
	copy(b[etherLength+24:], []byte{10, 9, 0, target})
	return b
}

// ipv6 is a frame with an IPv6 packet: its protocol, and its message.
func ipv6(protocol byte, message ...byte) []byte {
	b := make([]byte, etherLength+40)
	b[12], b[13], b[etherLength+6] = 0x86, 0xdd, protocol
	return append(b, message...)
}

// neighbor is a neighbor advertisement for an address that ends so.
func neighbor(flags, end byte) []byte {
	m := make([]byte, 24)
	m[0], m[4], m[23] = neighborAdvertisement, flags, end
	return ipv6(protocolICMP, m...)
}

func TestParse(t *testing.T) {
	t.Parallel()
	good := sample.good()
	for name, c := range map[string]struct {
		frame []byte
		want  record
		ok    bool
	}{
		"advertisement":            {good, record{kind: advert, vrid: 7, priority: 200}, true},
		"gratuitous ARP":           {arp(7, 7), record{kind: announcement, vrid: 7}, true},
		"ARP request":              {arp(1, 7), record{}, false},
		"advertisement over IPv6":  {ipv6(protocolVRRP, 0x31, 9, 100, 1, 0, 10, 0, 0), record{kind: advert, vrid: 9, priority: 100}, true},
		"neighbor advertisement":   {neighbor(0x20, 9), record{kind: announcement, vrid: 9}, true},
		"answer to a solicitation": {neighbor(0x60, 9), record{}, false},
		"short IPv6":               {ipv6(protocolVRRP, 0x31), record{}, false},
		"truncated":                {good[:etherLength+24], record{}, false},
		"short":                    {good[:10], record{}, false},
		"empty":                    {nil, record{}, false},
	} {
		if got, ok := parse(c.frame); ok != c.ok || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, got, ok, c.want, c.ok)
		}
	}
	short := slices.Clone(good)
	short[etherLength] = 0x4f // a header that is longer than the packet
	if _, ok := parse(short); ok {
		t.Error("a header beyond the end is read")
	}
}

func TestAdvertisement(t *testing.T) {
	t.Parallel()
	frame := sample.good()
	ip, m := frame[etherLength:etherLength+20], frame[etherLength+20:]
	if lab.Checksum(ip) != 0 {
		t.Error("the IP header's checksum is wrong")
	}
	if lab.Checksum(slices.Concat(sample.pseudoHeader(len(m)), m)) != 0 {
		t.Error("the message's checksum is wrong")
	}
	if int(ip[3]) != 20+len(m) || m[5] != 10 {
		t.Errorf("length %d, interval %d", ip[3], m[5])
	}
	for i, b := range sample.bogus() {
		if slices.Equal(b, frame) {
			t.Errorf("forgery %d is none", i)
		}
	}
}

func TestGaps(t *testing.T) {
	t.Parallel()
	const second = int64(time.Second)
	records := []record{
		{at: 0, vrid: 1}, {at: second / 2, vrid: 2}, {at: second, vrid: 1},
		{at: second*3/2 + 1e6, vrid: 2}, {at: 3 * second, vrid: 1}, {at: 0, vrid: 1, port: 1},
	}
	if got := gaps(records); !slices.Equal(got, []int64{second, second + 1e6, 2 * second}) {
		t.Errorf("gaps %v", got)
	}
	if got := deviations(records, time.Second); !slices.Equal(got, []float64{0, 1, 1000}) {
		t.Errorf("deviations %v", got)
	}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	records := []record{{at: 10, vrid: 1}, {at: 20, vrid: 1, kind: announcement}, {at: 30, vrid: 1, port: 1}, {at: 40, vrid: 1}}
	if got := of(records, advert, 0); len(got) != 2 || got[1].at != 40 {
		t.Errorf("of: %v", got)
	}
	if got := between(records, time.Unix(0, 20), time.Unix(0, 40)); len(got) != 2 {
		t.Errorf("between: %v", got)
	}
	if first, last := firsts(records)[router{0, 1}], lasts(records)[router{0, 1}]; first != 10 || last != 40 {
		t.Errorf("first %d, last %d", first, last)
	}
	if got := changes(records); got != 2 {
		t.Errorf("changes: %d", got)
	}
}
