package lab

import (
	"encoding/binary"
)

// pieces puts fragmented IP packets together again, as a host does, but more
// strictly: fragments belong together only if all their headers agree.
type pieces map[string]*partial

// partial is a packet of which fragments have arrived.
type partial struct {
	parts   map[int][]byte // by their place
	total   int            // 0 while the last one is missing
	lengths []int          // of their frames
}

// piece is a fragment.
type piece struct {
	key     string
	header  []byte // of Ethernet and IP
	payload []byte
	at      int
	more    bool
}

// Specification constants.
const (
	nextFragment = 44
	moreBit      = 0x2000
)

// pieceOf reads a frame as a fragment; false for what is none.
func pieceOf(b []byte) (p piece, ok bool) {
	if len(b) < 14+20 {
		return p, false
	}
	ip := b[14:]
	switch kind := binary.BigEndian.Uint16(b[12:]); {
	case kind == etherIPv6 && len(ip) >= 48 && ip[6] == nextFragment:
		length, field := int(binary.BigEndian.Uint16(ip[4:])), int(binary.BigEndian.Uint16(ip[42:]))
		if length < 8 || 40+length > len(ip) {
			return p, false
		}
		p = piece{key: string(b[:14]) + string(ip[6:40]) + string(ip[40:41]) + string(ip[44:48]),
			payload: ip[48 : 40+length], at: field &^ 7, more: field&1 != 0}
		p.header = append([]byte(nil), b[:14+40]...)
		p.header[14+6] = ip[40]
		return p, true
	case kind == etherIPv4 && ip[0] == 0x45:
		length, field := int(binary.BigEndian.Uint16(ip[2:])), int(binary.BigEndian.Uint16(ip[6:]))
		p = piece{key: string(b[:14]) + string(ip[4:6]) + string(ip[8:10]) + string(ip[12:20]), at: field & 0x1fff * 8, more: field&moreBit != 0}
		if length < 20 || length > len(ip) || p.at == 0 && !p.more {
			return p, false
		}
		p.payload, p.header = ip[20:length], append([]byte(nil), b[:14+20]...)
		p.header[14+6], p.header[14+7] = 0, 0
		return p, true
	}
	return p, false
}

// add takes a frame. It returns what is no fragment as it is; of fragments,
// the frame with the whole packet, and the lengths of theirs, with the last to
// arrive, and nothing before.
func (ps pieces) add(b []byte) (whole []byte, lengths []int) {
	p, is := pieceOf(b)
	if !is {
		return b, nil
	}
	whole = p.header
	known := ps[p.key]
	if known == nil {
		known = &partial{parts: make(map[int][]byte)}
		ps[p.key] = known
	}
	known.parts[p.at] = append([]byte(nil), p.payload...)
	known.lengths = append(known.lengths, len(b))
	if !p.more {
		known.total = p.at + len(p.payload)
	}
	for at := 0; known.total == 0 || at < known.total; {
		part := known.parts[at]
		if len(part) == 0 {
			return nil, nil
		}
		whole, at = append(whole, part...), at+len(part)
	}
	delete(ps, p.key)
	if whole[12] == 0x86 {
		binary.BigEndian.PutUint16(whole[14+4:], uint16(known.total))
	} else {
		binary.BigEndian.PutUint16(whole[14+2:], uint16(20+known.total))
	}
	return whole, known.lengths
}
