package main

import (
	"encoding/binary"
	"slices"
	"time"
)

// kind is what a frame is.
type kind uint8

const (
	// advert is a VRRP advertisement.
	advert kind = iota
	// announcement is a gratuitous ARP message, or an unsolicited neighbor advertisement.
	announcement
)

// record is a frame on the wire, as small as it can be: there are many.
type record struct {
	// at is the kernel's time, in nanoseconds since 1970.
	at int64
	// port is where it was seen, by its place in the wire's list.
	port uint8
	kind kind
	// vrid is the VRID; of an announcement the last byte of the address, which is the same.
	vrid uint8
	// priority is that of an advertisement.
	priority uint8
}

// router tells virtual routers apart: the same VRID is on several ports.
type router struct{ port, vrid uint8 }

func (r record) router() router { return router{r.port, r.vrid} }

// Specification constants: lengths and numbers of Ethernet, ARP, IP, ICMPv6 and VRRP.
const (
	etherLength  = 14
	etherIPv4    = 0x0800
	etherARP     = 0x0806
	etherIPv6    = 0x86dd
	protocolVRRP = 112
	protocolICMP = 58
	// neighborAdvertisement is a type of ICMPv6, solicited a bit of its flags.
	neighborAdvertisement = 136
	solicited             = 0x40
)

// parse reads an Ethernet frame; false when it is neither.
func parse(b []byte) (r record, ok bool) {
	if len(b) < etherLength {
		return r, false
	}
	p := b[etherLength:]
	switch binary.BigEndian.Uint16(b[12:]) {
	case etherIPv4:
		if len(p) < 20 || p[9] != protocolVRRP {
			return r, false
		}
		m := p[min(len(p), int(p[0]&15)*4):]
		if len(m) < 8 {
			return r, false
		}
		return record{kind: advert, vrid: m[1], priority: m[2]}, true
	case etherIPv6:
		return parseIPv6(p)
	case etherARP:
		if len(p) < 28 || string(p[14:18]) != string(p[24:28]) {
			return r, false
		}
		return record{kind: announcement, vrid: p[17]}, true
	}
	return r, false
}

// parseIPv6 reads an IPv6 packet, whose header is 40 bytes.
func parseIPv6(p []byte) (r record, ok bool) {
	switch {
	case len(p) >= 48 && p[6] == protocolVRRP:
		return record{kind: advert, vrid: p[41], priority: p[42]}, true
	case len(p) >= 64 && p[6] == protocolICMP && p[40] == neighborAdvertisement && p[44]&solicited == 0:
		return record{kind: announcement, vrid: p[63]}, true
	}
	return r, false
}

// between are the records of two instants.
func between(records []record, from, to time.Time) []record {
	return slices.DeleteFunc(slices.Clone(records), func(r record) bool {
		return r.at < from.UnixNano() || r.at >= to.UnixNano()
	})
}

// of are the records of a kind on ports.
func of(records []record, k kind, ports ...uint8) []record {
	return slices.DeleteFunc(slices.Clone(records), func(r record) bool {
		return r.kind != k || !slices.Contains(ports, r.port)
	})
}

// firsts is when each virtual router is seen first.
func firsts(records []record) map[router]int64 {
	first := make(map[router]int64)
	for _, r := range records {
		if at, seen := first[r.router()]; !seen || r.at < at {
			first[r.router()] = r.at
		}
	}
	return first
}

// lasts is when each virtual router is seen last.
func lasts(records []record) map[router]int64 {
	last := make(map[router]int64)
	for _, r := range records {
		last[r.router()] = max(last[r.router()], r.at)
	}
	return last
}

// gaps are the times between one frame of each virtual router and its next, in
// nanoseconds.
func gaps(records []record) (all []int64) {
	last := make(map[router]int64)
	sorted := slices.SortedStableFunc(slices.Values(records), func(a, b record) int { return int(a.at - b.at) })
	for _, r := range sorted {
		if before, seen := last[r.router()]; seen {
			all = append(all, r.at-before)
		}
		last[r.router()] = r.at
	}
	return all
}

// deviations are how far the gaps are from the interval, in sorted milliseconds.
func deviations(records []record, interval time.Duration) (ms []float64) {
	for _, g := range gaps(records) {
		ms = append(ms, milliseconds((time.Duration(g) - interval).Abs()))
	}
	slices.Sort(ms)
	return ms
}

// changes is how often another port speaks than the one before.
func changes(records []record) (n int) {
	for i := 1; i < len(records); i++ {
		if records[i].port != records[i-1].port {
			n++
		}
	}
	return n
}
