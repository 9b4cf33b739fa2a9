package ipc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
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

// Decode reads the payload of a message. The bytes of an Advertise, a Frame,
// a Secret or a Tapped are those of the payload, not a copy. The messages of the
// sniffer are read by package ipc/sniffing.
func Decode(t Type, payload []byte) (Message, error) {
	r := Reader{b: payload}
	var m Message
	switch t {
	case TypeHello:
		m = Hello{Build: r.Text(BuildLen), Landlock: r.U8()}
	case TypeRouter:
		m = r.router()
	case TypeLinkState:
		m = r.linkState()
	case TypeSecret:
		m = Secret{ID: r.U8(), Value: r.Rest()}
	case TypeMark:
		m = Mark{Source: r.Addr(), Key: r.U32(), Sequence: r.U64()}
	case TypeOwner:
		m = Owner{Ownership: r.ownership()}
	case TypeCommit:
		m = Commit{Routers: r.U16()}
	case TypeFrame:
		m = r.frame()
	case TypeResult:
		m = Result{Request: Type(r.Among("request", 1, uint8(numTypes)-1)), Code: Code(r.Among("code", 1, uint8(CodeKernel))), Sent: r.U8()}
	case TypeAdvertise:
		m = DecodeAdvertise(r.Rest())
	case TypeAnnounce:
		m = Announce{First: r.U8(), Count: r.Among("count", 1, MaxAddresses)}
	case TypeStateChange:
		m = StateChange{From: r.state(), To: r.state(), Reason: Reason(r.Among("reason", 1, uint8(ReasonLeaseLost))),
			Peer: r.Addr(), Priority: r.U8(), Verdict: Verdict(r.Among("verdict", 0, uint8(VerdictLower))), Count: r.U32(),
			Drop: Drop(r.Among("drop reason", 0, uint8(NumDrops)-1)), Hint: r.line()}
	case TypeDropped:
		m = Dropped{Link: Link(r.U16()), Reason: Drop(r.Among("drop reason", 1, uint8(NumDrops)-1)), VRID: r.U8(),
			Source: r.Addr(), Count: r.U32(), Total: r.U64(), Hint: r.line()}
	case TypeNoticed:
		m = Noticed{Link: Link(r.U16()), Notice: Notice(r.Among("notice", 1, uint8(NumNotices)-1)), VRID: r.U8(),
			Source: r.Addr(), Count: r.U32(), Total: r.U64(), Plain: r.U64(), Pseudo: r.U64(), Hint: r.line()}
	case TypeMissed:
		m = Missed{Until: r.I64()}
	case TypeLook:
		m = Look{Peer: r.Addr()}
	case TypeTapped:
		m = Tapped{Link: Link(r.U16()), Packet: r.Rest()}
	case TypeLooked:
		m = Looked{Peer: r.Addr(), Answers: r.Bool(), Arrive: r.U32(), Takeovers: r.U32(), Hint: r.line()}
	case TypeMoved:
		m = Moved{Rounds: r.Among("rounds", 1, math.MaxUint8)}
	default:
		if t >= numTypes || empties[t] == nil {
			return nil, malformed("unknown type %d", t)
		}
		m = empties[t]
	}
	return r.End(m)
}

// DecodeFrame is Decode for a Frame, without an allocation. With an error the Frame
// means nothing.
func DecodeFrame(payload []byte) (Frame, error) {
	r := Reader{b: payload}
	f := r.frame()
	return f, r.err
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

func (r *Reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = malformed(format, args...)
	}
}

// End returns the message that was read, unless bytes are left, or a field was wrong.
func (r *Reader) End(m Message) (Message, error) {
	if len(r.b) > 0 {
		r.fail("%d bytes too many", len(r.b))
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
func (r *Reader) I64() int64  { return int64(r.U64()) }

func (r *Reader) Rest() []byte {
	b := r.b
	r.b = nil
	return b
}

// among reads a byte from lo to hi.
func (r *Reader) Among(what string, lo, hi uint8) uint8 {
	v := r.U8()
	if v < lo || v > hi {
		r.fail("%s %d, accepted: %d..%d", what, v, lo, hi)
	}
	return v
}

func (r *Reader) Bool() bool   { return r.Among("boolean", 0, 1) == 1 }
func (r *Reader) state() State { return State(r.Among("state", 0, uint8(Active))) }

func (r *Reader) auth() Auth {
	a := Auth(r.U8())
	if a != AuthNone && a != AuthSimple && a != AuthHMAC && a != AuthP0 && a != AuthP1 {
		r.fail("authentication %d", a)
	}
	return a
}

func (r *Reader) hmac() HMAC {
	return HMAC{ActiveKey: r.U8(), Mode: r.Among("mode", 0, 2), Monotonic: r.Bool(), Window: r.U16()}
}

func (r *Reader) ownership() Ownership {
	return Ownership(r.Among("ownership", 0, uint8(OwnsSome)))
}

func (r *Reader) family() Family {
	f := Family(r.U8())
	if f != IPv4 && f != IPv6 {
		r.fail("family %d, accepted: 4, 6", f)
	}
	return f
}

// text reads printable ASCII, padded with zeros.
func (r *Reader) Text(n int) string {
	return r.printable(bytes.TrimRight(r.Take(n), "\x00"))
}

// line reads printable ASCII to the end.
func (r *Reader) line() string { return r.printable(r.Rest()) }

func (r *Reader) printable(field []byte) string {
	for _, c := range field {
		if c < ' ' || c > '~' {
			r.fail("text with byte %#02x", c)
		}
	}
	return string(field)
}

// addr reads an address: its length, 0 for none, and 16 bytes of which the
// unused are zero.
func (r *Reader) Addr() netip.Addr {
	n, field := int(r.U8()), r.Take(16)
	if n != 0 && n != 4 && n != 16 {
		r.fail("address of %d bytes", n)
		return netip.Addr{}
	}
	for _, c := range field[n:] {
		if c != 0 {
			r.fail("address with bytes behind it")
		}
	}
	a, _ := netip.AddrFromSlice(field[:n])
	if a.Is4In6() {
		r.fail("IPv4 address in IPv6 form")
	}
	return a
}

func (r *Reader) linkState() LinkState {
	m := LinkState{Link: Link(r.U16()), Up: r.Bool(), Primary: r.Addr()}
	for i := range m.Networks {
		a, bits := r.Addr(), int(int8(r.U8())) // -1: none
		if m.Networks[i] = netip.PrefixFrom(a, bits); m.Networks[i].Bits() != bits || a.IsValid() != (bits >= 0) || a.Is6() {
			r.fail("network %v/%d", a, bits)
		}
	}
	return m
}

func (r *Reader) frame() Frame {
	return Frame{Link: Link(r.U16()), Family: r.family(), Received: r.I64(), Packet: r.Rest()}
}

func (r *Reader) router() Router {
	m := Router{Link: Link(r.U16()), Family: r.family(), Version: r.Among("version", 2, 3), VRID: r.Among("VRID", 1, 255),
		Migration: r.Bool(), Priority: r.Among("priority", 1, 255), Ownership: r.ownership(), AdverInterval: r.I64(),
		PreemptMode: r.Bool(), PreemptDelay: r.I64(), StartupDelay: r.I64(), Auth: r.auth(), HMAC: r.hmac(), Checksum: Checksum(r.Among("checksum", 0, uint8(ChecksumAuto))),
		AnnounceRepeat: r.U8(), AnnounceDelay: r.I64(), AnnounceRefresh: r.I64(), AnnounceInterval: r.I64()}
	if m.AdverInterval <= 0 || min(m.AnnounceDelay, m.AnnounceRefresh, m.AnnounceInterval) < 0 || m.PreemptDelay < 0 || m.StartupDelay < 0 {
		r.fail("interval %d, announce delay %d, preempt delay %d, startup delay %d", m.AdverInterval, m.AnnounceDelay, m.PreemptDelay, m.StartupDelay)
	}
	n := int(r.Among("address count", 1, MaxAddresses))
	for range n {
		a := r.Addr()
		if r.err == nil && (!a.IsValid() || a.Is4() != (m.Family == IPv4)) {
			r.fail("address %v in family %d", a, m.Family)
		}
		m.Addresses = append(m.Addresses, a)
	}
	return m
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

func (m StateChange) Append(b []byte) []byte {
	b = append(AppendAddr(append(b, byte(m.From), byte(m.To), byte(m.Reason)), m.Peer), m.Priority, byte(m.Verdict))
	return append(append(le.AppendUint32(b, m.Count), byte(m.Drop)), m.Hint...)
}

func (m Dropped) Append(b []byte) []byte {
	b = append(le.AppendUint16(b, uint16(m.Link)), byte(m.Reason), m.VRID)
	return append(le.AppendUint64(le.AppendUint32(AppendAddr(b, m.Source), m.Count), m.Total), m.Hint...)
}

func (m Noticed) Append(b []byte) []byte {
	b = append(le.AppendUint16(b, uint16(m.Link)), byte(m.Notice), m.VRID)
	b = le.AppendUint64(le.AppendUint32(AppendAddr(b, m.Source), m.Count), m.Total)
	return append(le.AppendUint64(le.AppendUint64(b, m.Plain), m.Pseudo), m.Hint...)
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
func (m Looked) Append(b []byte) []byte {
	b = le.AppendUint32(AppendBool(AppendAddr(b, m.Peer), m.Answers), m.Arrive)
	return append(le.AppendUint32(b, m.Takeovers), m.Hint...)
}

// Type implementations: each struct's row.
func (Hello) Type() Type       { return TypeHello }
func (Router) Type() Type      { return TypeRouter }
func (LinkState) Type() Type   { return TypeLinkState }
func (Restore) Type() Type     { return TypeRestore }
func (Secret) Type() Type      { return TypeSecret }
func (Mark) Type() Type        { return TypeMark }
func (Owner) Type() Type       { return TypeOwner }
func (Commit) Type() Type      { return TypeCommit }
func (Frame) Type() Type       { return TypeFrame }
func (Result) Type() Type      { return TypeResult }
func (Stop) Type() Type        { return TypeStop }
func (Ping) Type() Type        { return TypePing }
func (Ready) Type() Type       { return TypeReady }
func (Advertise) Type() Type   { return TypeAdvertise }
func (Acquire) Type() Type     { return TypeAcquire }
func (Release) Type() Type     { return TypeRelease }
func (Announce) Type() Type    { return TypeAnnounce }
func (Moved) Type() Type       { return TypeMoved }
func (Drain) Type() Type       { return TypeDrain }
func (StateChange) Type() Type { return TypeStateChange }
func (Dropped) Type() Type     { return TypeDropped }
func (Noticed) Type() Type     { return TypeNoticed }
func (Missed) Type() Type      { return TypeMissed }
func (Look) Type() Type        { return TypeLook }
func (Tapped) Type() Type      { return TypeTapped }
func (Looked) Type() Type      { return TypeLooked }
