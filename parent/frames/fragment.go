package frames

import "encoding/binary"

// Specification constants.
const (
	EthernetHeader = 14
	headerLen4     = 20 // without options
	fragmentLen    = 8  // of an IPv6 fragment header (RFC 8200 §4.5)
	nextFragment   = 44
	moreFragments  = 0x2000 // RFC 791 §3.1
	// MinMTU6 is the least that carries IPv6 (RFC 8200 §5).
	MinMTU6 = 1280
)

// Fragment cuts the IP packet of a frame into fragments of at most mtu bytes
// (RFC 791 §3.2, RFC 8200 §4.5), each in a frame with the same headers, and
// hands them to send, in memory that it uses again and returns. ident is to
// be another for each packet.
func Fragment(b, frame []byte, mtu int, ident uint32, send func([]byte)) []byte {
	six := frame[EthernetHeader]>>4 == 6
	head := EthernetHeader + headerLen4
	room := mtu - headerLen4
	if six {
		head = EthernetHeader + headerLen6
		room = mtu - headerLen6 - fragmentLen
	}
	room = max(room&^7, 8)
	for at, payload := 0, frame[head:]; at < len(payload); at += room {
		part := payload[at:min(at+room, len(payload))]
		more := at+len(part) < len(payload)
		b = append(b[:0], frame[:head]...)
		if six {
			b = appendFragmentHeader(b, len(part), at, more, ident)
		} else {
			markFragment(b[EthernetHeader:], len(part), at, more, ident)
		}
		b = pad(append(b, part...))
		send(b)
	}
	return b
}

// appendFragmentHeader puts a fragment header behind the IPv6 header that a
// frame ends with.
func appendFragmentHeader(b []byte, size, at int, more bool, ident uint32) []byte {
	ip := b[EthernetHeader:]
	next := ip[6]
	binary.BigEndian.PutUint16(ip[4:], uint16(fragmentLen+size))
	ip[6] = nextFragment
	if more {
		at |= 1
	}
	b = binary.BigEndian.AppendUint16(append(b, next, 0), uint16(at))
	return binary.BigEndian.AppendUint32(b, ident)
}

// markFragment makes an IPv4 header that of a fragment.
func markFragment(ip []byte, size, at int, more bool, ident uint32) {
	where := uint16(at / 8)
	if more {
		where |= moreFragments
	}
	binary.BigEndian.PutUint16(ip[2:], uint16(headerLen4+size))
	binary.BigEndian.PutUint16(ip[4:], uint16(ident))
	binary.BigEndian.PutUint16(ip[6:], where)
	ip[10], ip[11] = 0, 0
	binary.BigEndian.PutUint16(ip[10:], checksum(ip[:headerLen4]))
}
