package ipc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

var le = binary.LittleEndian

// ErrMalformed is wrapped by every error about the bytes of a message.
var ErrMalformed = errors.New("malformed message")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Message is one of the structs of this package or of ipc/sniffing, or a pointer to
// one; Decode returns structs. Passing a pointer that is used again costs no allocation.
type Message interface {
	// Type is the message's row in the table.
	Type() Type
	// Append encodes its payload at the end of b.
	Append(b []byte) []byte
}

// Append encodes a message at the end of b; h.Type is taken from m.
//
//	 0        1        2        3        4                 7
//	+--------+--------+-----------------+-------------------+
//	| version|  type  |  payload length |     generation    |
//	+--------+--------+-----------------+-------------------+
//	|      slot       |        0        |      sequence     |
//	+-----------------+-----------------+-------------------+
//	|                       payload ...
func Append(b []byte, h Header, m Message) []byte {
	start := len(b)
	b = append(b, Version, byte(m.Type()), 0, 0)
	b = le.AppendUint32(b, h.Generation)
	b = le.AppendUint16(b, uint16(h.Slot))
	b = append(b, 0, 0)
	b = le.AppendUint32(b, h.Sequence)
	b = m.Append(b)
	le.PutUint16(b[start+2:], uint16(len(b)-start-HeaderLen))
	return b
}

// Next splits the first message off a datagram, which holds whole messages
// and nothing else.
func Next(b []byte) (h Header, payload, rest []byte, err error) {
	if len(b) < HeaderLen {
		return h, nil, nil, malformed("%d bytes, a header has %d", len(b), HeaderLen)
	}
	if b[0] != Version || b[10] != 0 || b[11] != 0 {
		return h, nil, nil, malformed("header version %d, reserved %x", b[0], b[10:12])
	}
	n := int(le.Uint16(b[2:]))
	if len(b)-HeaderLen < n {
		return h, nil, nil, malformed("payload of %d bytes, only %d are there", n, len(b)-HeaderLen)
	}
	h = Header{Type: Type(b[1]), Generation: le.Uint32(b[4:]), Slot: Slot(le.Uint16(b[8:])), Sequence: le.Uint32(b[12:])}
	return h, b[HeaderLen : HeaderLen+n], b[HeaderLen+n:], nil
}

// Decode reads the payload of a message that the child may send. The bytes of an Advertise are
// those of the payload, not a copy. What the child is told is read by package ipc/telling, its
// reports by ipc/report, and the messages of the sniffer by ipc/sniffing.
func Decode(t Type, payload []byte) (Message, error) {
	r := Reader{b: payload}
	var m Message
	switch t {
	case TypeHello:
		m = Hello{Build: r.Text(BuildLen), Landlock: r.U8()}
	case TypeMark:
		m = Mark{Source: r.Addr(), Key: r.U32(), Sequence: r.U64()}
	case TypeAdvertise:
		m = DecodeAdvertise(r.Rest())
	case TypeAnnounce:
		m = Announce{First: r.U8(), Count: r.Among("count", 1, MaxAddresses)}
	case TypeLook:
		m = Look{Peer: r.Addr()}
	default:
		if t >= NumTypes || empties[t] == nil {
			return nil, malformed("unknown type %d", t)
		}
		m = empties[t]
	}
	return r.End(m)
}

// DecodeAdvertise is Decode for an Advertise, without an allocation: every
// payload is one.
func DecodeAdvertise(payload []byte) Advertise { return Advertise{Message: payload} }

// Reader reads the fields of a payload; after a first error it reads zeros.
type Reader struct {
	b   []byte
	err error
}

var zeros [BuildLen]byte

// NewReader reads a payload.
func NewReader(payload []byte) *Reader { return &Reader{b: payload} }

func (r *Reader) Take(n int) []byte {
	if r.err == nil && len(r.b) < n {
		r.err = malformed("too short")
	}
	if r.err != nil {
		return zeros[:n]
	}
	field := r.b[:n]
	r.b = r.b[n:]
	return field
}

// Fail notes what is wrong with a field, unless something was before.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = malformed(format, args...)
	}
}

// Err is the first error.
func (r *Reader) Err() error { return r.err }

// End returns the message that was read, unless bytes are left, or a field was wrong.
func (r *Reader) End(m Message) (Message, error) {
	if len(r.b) > 0 {
		r.Fail("%d bytes too many", len(r.b))
	}
	if r.err != nil {
		return nil, fmt.Errorf("%v: %w", m.Type(), r.err)
	}
	return m, nil
}

func (r *Reader) U8() uint8   { return r.Take(1)[0] }
func (r *Reader) U16() uint16 { return le.Uint16(r.Take(2)) }
func (r *Reader) U32() uint32 { return le.Uint32(r.Take(4)) }
func (r *Reader) U64() uint64 { return le.Uint64(r.Take(8)) }

func (r *Reader) Rest() []byte {
	b := r.b
	r.b = nil
	return b
}

// among reads a byte from lo to hi.
func (r *Reader) Among(what string, lo, hi uint8) uint8 {
	v := r.U8()
	if v < lo || v > hi {
		r.Fail("%s %d, accepted: %d..%d", what, v, lo, hi)
	}
	return v
}

func (r *Reader) Bool() bool { return r.Among("boolean", 0, 1) == 1 }

// text reads printable ASCII, padded with zeros.
func (r *Reader) Text(n int) string {
	return r.printable(bytes.TrimRight(r.Take(n), "\x00"))
}

// Line reads printable ASCII to the end.
func (r *Reader) Line() string { return r.printable(r.Rest()) }

func (r *Reader) printable(field []byte) string {
	for _, c := range field {
		if c < ' ' || c > '~' {
			r.Fail("text with byte %#02x", c)
		}
	}
	return string(field)
}

// addr reads an address: its length, 0 for none, and 16 bytes of which the
// unused are zero.
func (r *Reader) Addr() netip.Addr {
	n, field := int(r.U8()), r.Take(16)
	if n != 0 && n != 4 && n != 16 {
		r.Fail("address of %d bytes", n)
		return netip.Addr{}
	}
	for _, c := range field[n:] {
		if c != 0 {
			r.Fail("address with bytes behind it")
		}
	}
	a, _ := netip.AddrFromSlice(field[:n])
	if a.Is4In6() {
		r.Fail("IPv4 address in IPv6 form")
	}
	return a
}

func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func AppendAddr(b []byte, a netip.Addr) []byte {
	var field [16]byte
	n := copy(field[:], a.AsSlice())
	return append(append(b, byte(n)), field[:]...)
}

func (m Hello) Append(b []byte) []byte {
	return append(AppendText(b, m.Build, BuildLen), m.Landlock)
}

// AppendText appends a text in a field of n bytes; what does not fit is cut.
func AppendText(b []byte, text string, n int) []byte {
	field := text[:min(len(text), n)]
	return append(append(b, field...), strings.Repeat("\x00", n-len(field))...)
}

func (m Router) Append(b []byte) []byte {
	b = le.AppendUint16(b, uint16(m.Link))
	b = append(b, byte(m.Family), m.Version, m.VRID)
	b = append(AppendBool(b, m.Migration), m.Priority, byte(m.Ownership))
	b = le.AppendUint64(b, uint64(m.AdverInterval))
	b = AppendBool(b, m.PreemptMode)
	b = le.AppendUint64(b, uint64(m.PreemptDelay))
	b = le.AppendUint64(b, uint64(m.StartupDelay))
	b = append(b, byte(m.Auth), m.HMAC.ActiveKey, m.HMAC.Mode)
	b = le.AppendUint16(AppendBool(b, m.HMAC.Monotonic), m.HMAC.Window)
	b = append(b, byte(m.Checksum), m.AnnounceRepeat)
	b = le.AppendUint64(b, uint64(m.AnnounceDelay))
	b = le.AppendUint64(b, uint64(m.AnnounceRefresh))
	b = le.AppendUint64(b, uint64(m.AnnounceInterval))
	b = append(b, byte(len(m.Addresses)))
	for _, a := range m.Addresses {
		b = AppendAddr(b, a)
	}
	return b
}

func (m LinkState) Append(b []byte) []byte {
	b = AppendAddr(AppendBool(le.AppendUint16(b, uint16(m.Link)), m.Up), m.Primary)
	for _, n := range m.Networks {
		b = append(AppendAddr(b, n.Addr()), byte(n.Bits()))
	}
	return b
}

func (m Frame) Append(b []byte) []byte {
	b = append(le.AppendUint16(b, uint16(m.Link)), byte(m.Family))
	return append(le.AppendUint64(b, uint64(m.Received)), m.Packet...)
}

func (m Secret) Append(b []byte) []byte { return append(append(b, m.ID), m.Value...) }
func (m Mark) Append(b []byte) []byte {
	return le.AppendUint64(le.AppendUint32(AppendAddr(b, m.Source), m.Key), m.Sequence)
}
func (m Owner) Append(b []byte) []byte     { return append(b, byte(m.Ownership)) }
func (m Commit) Append(b []byte) []byte    { return le.AppendUint16(b, m.Routers) }
func (m Result) Append(b []byte) []byte    { return append(b, byte(m.Request), byte(m.Code), m.Sent) }
func (m Advertise) Append(b []byte) []byte { return append(b, m.Message...) }
func (m Announce) Append(b []byte) []byte  { return append(b, m.First, m.Count) }
func (m Moved) Append(b []byte) []byte     { return append(b, m.Rounds) }
func (m Missed) Append(b []byte) []byte    { return le.AppendUint64(b, uint64(m.Until)) }
func (m Look) Append(b []byte) []byte      { return AppendAddr(b, m.Peer) }
func (m Tapped) Append(b []byte) []byte {
	return append(le.AppendUint16(b, uint16(m.Link)), m.Packet...)
}

func (m Unread) Append(b []byte) []byte { return append(b, m.Payload...) }

// Type implementations: each struct's row.
func (m Unread) Type() Type  { return m.Of }
func (Hello) Type() Type     { return TypeHello }
func (Router) Type() Type    { return TypeRouter }
func (LinkState) Type() Type { return TypeLinkState }
func (Restore) Type() Type   { return TypeRestore }
func (Secret) Type() Type    { return TypeSecret }
func (Mark) Type() Type      { return TypeMark }
func (Owner) Type() Type     { return TypeOwner }
func (Commit) Type() Type    { return TypeCommit }
func (Frame) Type() Type     { return TypeFrame }
func (Result) Type() Type    { return TypeResult }
func (Stop) Type() Type      { return TypeStop }
func (Ping) Type() Type      { return TypePing }
func (Ready) Type() Type     { return TypeReady }
func (Advertise) Type() Type { return TypeAdvertise }
func (Acquire) Type() Type   { return TypeAcquire }
func (Release) Type() Type   { return TypeRelease }
func (Announce) Type() Type  { return TypeAnnounce }
func (Moved) Type() Type     { return TypeMoved }
func (Drain) Type() Type     { return TypeDrain }
func (Missed) Type() Type    { return TypeMissed }
func (Look) Type() Type      { return TypeLook }
func (Tapped) Type() Type    { return TypeTapped }
