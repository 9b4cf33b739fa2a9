package attack

import (
	"encoding/binary"
	"net/netip"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
)

// lastingMarks are marks of a virtual router with anti_replay = "monotonic", each of
// which changes what is to be kept on the disk, also when they are sent again: of
// ourselves, of those that have given way, of thousands of senders, under the keys we
// have, under made-up ones, and under every key; and each third forgets the one before.
func lastingMarks(t Target) [][]byte {
	out := make([][]byte, 1000)
	var last ipc.Mark
	for i := range 10 * len(out) {
		m := ipc.Mark{Source: t.sender(i), Key: t.key(i), Sequence: t.Random.Uint64() | 1}
		if i%3 == 2 {
			m = ipc.Mark{Source: last.Source, Key: last.Key}
		}
		last = m
		out[i/10] = t.append(out[i/10], m)
	}
	return out
}

// sender makes up one, or says that it is us or all that have given way.
func (t Target) sender(i int) netip.Addr {
	switch i % 50 {
	case 0:
		return netip.Addr{}
	case 1:
		return auth.Others
	}
	b := binary.BigEndian.AppendUint64(nil, t.Random.Uint64()|1<<63)
	if i%2 == 0 {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16([16]byte(append([]byte{0xfe, 0x80, 7: 0}, b...)))
}

// key is one that we have, a made-up one, or every one.
func (t Target) key(i int) uint32 {
	switch {
	case i%7 == 0:
		return 0
	case i%4 < 2 && len(t.Keys) > 0:
		return t.Keys[t.Random.Intn(len(t.Keys))]
	}
	return t.Random.Uint32()
}
