package netproc

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// The kernel puts fragments together before the daemon sees anything of them.
// So does the sniffer, with the kernel's rules, in bounded memory.

// Implementation constants.
const (
	assembliesMax = 16        // packets that are put together at once
	assembledMax  = 1<<16 - 1 // bytes of one, as in the kernel
	unit          = 8         // offsets of fragments are multiples of it
)

// fragmentTime is how long the kernel waits for the rest of a packet
// (ipfrag_time, ip6frag_time).
func fragmentTime(f ipc.Family) time.Duration {
	if f == ipc.IPv6 {
		return 60 * time.Second
	}
	return 30 * time.Second
}

// piece is what a fragment says of itself.
type piece struct {
	id     uint32
	next   uint8 // in IPv6, the header that its data begin with
	offset int
	more   bool
}

// packetID is what the fragments of a packet have in common.
type packetID struct {
	iface    string
	family   ipc.Family
	src, dst netip.Addr
	id       uint32
}

// assembly is a packet of which fragments are there.
type assembly struct {
	id     packetID
	until  time.Time
	header []byte // of the first fragment; nil before that
	next   uint8  // its piece.next
	data   []byte
	there  []bool // units of data
	units  int    // how many of them
	total  int    // length, -1 before the last fragment
	pieces int
}

// assemblies are the packets that are being put together, oldest first.
type assemblies struct{ list []*assembly }

// add takes a fragment, header and data, and returns the assembly that is
// complete with it.
func (as *assemblies) add(id packetID, now time.Time, header []byte, p piece, data []byte) *assembly {
	as.list = slices.DeleteFunc(as.list, func(a *assembly) bool { return now.After(a.until) })
	at := slices.IndexFunc(as.list, func(a *assembly) bool { return a.id == id })
	if at < 0 {
		if len(as.list) == assembliesMax {
			as.list = slices.Delete(as.list, 0, 1)
		}
		at = len(as.list)
		as.list = append(as.list, &assembly{id: id, until: now.Add(fragmentTime(id.family)), total: -1})
	}
	a := as.list[at]
	good := a.put(header, p, data)
	complete := good && a.total >= 0 && a.header != nil && a.units == (a.total+unit-1)/unit
	if !good || complete {
		as.list = slices.Delete(as.list, at, at+1)
	}
	if complete {
		return a
	}
	return nil
}

// put adds a fragment; false: the kernel gives the whole packet up.
func (a *assembly) put(header []byte, p piece, data []byte) bool {
	if p.more && len(data)%unit != 0 {
		if a.id.family == ipc.IPv6 {
			return true // this fragment alone is discarded
		}
		data = data[:len(data)&^(unit-1)]
	}
	end := p.offset + len(data)
	switch {
	case len(data) == 0, end+len(header) > assembledMax, a.total >= 0 && (end > a.total || !p.more && end != a.total), !p.more && end < len(a.data):
		return false
	}
	if grow := end - len(a.data); grow > 0 {
		a.data = append(a.data, make([]byte, grow)...)
		a.there = append(a.there, make([]bool, (end+unit-1)/unit-len(a.there))...)
	}
	units := a.there[p.offset/unit : (end+unit-1)/unit]
	switch old := count(units); {
	case old == len(units):
		return true // the same again
	case old > 0:
		return false // RFC 5722: overlapping
	}
	copy(a.data[p.offset:], data)
	for i := range units {
		units[i] = true
	}
	a.units += len(units)
	a.pieces++
	if !p.more {
		a.total = end
	}
	if p.offset == 0 {
		a.header, a.next = slices.Clone(header), p.next
	}
	return true
}

func count(there []bool) (n int) {
	for _, is := range there {
		if is {
			n++
		}
	}
	return n
}

// packet is the whole, with a header that says so.
func (a *assembly) packet() []byte {
	if a.id.family == ipc.IPv6 {
		b := append(slices.Clone(a.header[:ipv6HeaderLen]), a.data...)
		b[6] = a.next
		binary.BigEndian.PutUint16(b[4:], uint16(a.total))
		return b
	}
	b := append(slices.Clone(a.header), a.data...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	clear(b[6:8])
	clear(b[10:12])
	binary.BigEndian.PutUint16(b[10:], checksum(b[:len(a.header)]))
	return b
}
