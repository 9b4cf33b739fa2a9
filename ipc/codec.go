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

// Message is one of the structs of this package, or a pointer to one; Decode
// returns structs. Passing a pointer that is used again costs no allocation.
type Message interface {
	// Type is the message's row in the table.
	Type() Type
	append(b []byte) []byte
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
	b = m.append(b)
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
// a Secret, a Capture, a Shown or a Tapped are those of the payload, not a copy.
func Decode(t Type, payload []byte) (Message, error) {
	r := reader{b: payload}
	var m Message
	switch t {
	case TypeHello:
		m = Hello{Build: r.text(BuildLen), Landlock: r.u8()}
	case TypeRouter:
		m = r.router()
	case TypeLinkState:
		m = r.linkState()
	case TypeSecret:
		m = Secret{ID: r.u8(), Value: r.rest()}
	case TypeMark:
		m = Mark{Source: r.addr(), Key: r.u32(), Sequence: r.u64()}
	case TypeOwner:
		m = Owner{Ownership: r.ownership()}
	case TypeCommit:
		m = Commit{Routers: r.u16()}
	case TypeFrame:
		m = r.frame()
	case TypeResult:
		m = Result{Request: Type(r.among("request", 1, uint8(numTypes)-1)), Code: Code(r.among("code", 1, uint8(CodeKernel))), Sent: r.u8()}
	case TypeSniff:
		m = r.sniff()
	case TypeCapture:
		m = Capture{Time: r.i64(), LinkType: r.u16(), Length: r.u32(), Arrival: Arrival(r.among("arrival", 0, uint8(numArrivals)-1)),
			Links: Links{Link(r.u16()), Link(r.u16())}, Interface: r.text(NameLen), Frame: r.rest()}
	case TypeShown:
		m = Shown{Text: r.rest()}
	case TypeAdvertise:
		m = DecodeAdvertise(r.rest())
	case TypeAnnounce:
		m = Announce{First: r.u8(), Count: r.among("count", 1, MaxAddresses)}
	case TypeStateChange:
		m = StateChange{From: r.state(), To: r.state(), Reason: Reason(r.among("reason", 1, uint8(ReasonLeaseLost))),
			Peer: r.addr(), Priority: r.u8(), Verdict: Verdict(r.among("verdict", 0, uint8(VerdictLower))), Count: r.u32(),
			Drop: Drop(r.among("drop reason", 0, uint8(NumDrops)-1)), Hint: r.line()}
	case TypeDropped:
		m = Dropped{Link: Link(r.u16()), Reason: Drop(r.among("drop reason", 1, uint8(NumDrops)-1)), VRID: r.u8(),
			Source: r.addr(), Count: r.u32(), Total: r.u64(), Hint: r.line()}
	case TypeNoticed:
		m = Noticed{Link: Link(r.u16()), Notice: Notice(r.among("notice", 1, uint8(NumNotices)-1)), VRID: r.u8(),
			Source: r.addr(), Count: r.u32(), Total: r.u64(), Plain: r.u64(), Pseudo: r.u64(), Hint: r.line()}
	case TypeMissed:
		m = Missed{Until: r.i64()}
	case TypeLook:
		m = Look{Peer: r.addr()}
	case TypeTapped:
		m = Tapped{Link: Link(r.u16()), Packet: r.rest()}
	case TypeLooked:
		m = Looked{Peer: r.addr(), Answers: r.bool(), Arrive: r.u32(), Takeovers: r.u32(), Hint: r.line()}
	case TypeMoved:
		m = Moved{Rounds: r.among("rounds", 1, math.MaxUint8)}
	default:
		if t >= numTypes || empties[t] == nil {
			return nil, malformed("unknown type %d", t)
		}
		m = empties[t]
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("%v: %w", t, err)
	}
	return m, nil
}

// DecodeFrame is Decode for a Frame, without an allocation.
func DecodeFrame(payload []byte) (Frame, error) {
	r := reader{b: payload}
	f := r.frame()
	if r.err != nil {
		return Frame{}, r.err
	}
	return f, nil
}

// DecodeAdvertise is Decode for an Advertise, without an allocation: every
// payload is one.
func DecodeAdvertise(payload []byte) Advertise { return Advertise{Message: payload} }

// reader reads fixed fields; after a first error it reads zeros.
type reader struct {
	b   []byte
	err error
}

var zeros [BuildLen]byte

func (r *reader) take(n int) []byte {
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

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = malformed(format, args...)
	}
}

func (r *reader) end() error {
	if len(r.b) > 0 {
		r.fail("%d bytes too many", len(r.b))
	}
	return r.err
}

func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u16() uint16 { return le.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return le.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return le.Uint64(r.take(8)) }
func (r *reader) i64() int64  { return int64(r.u64()) }

func (r *reader) rest() []byte {
	b := r.b
	r.b = nil
	return b
}

// among reads a byte from lo to hi.
func (r *reader) among(what string, lo, hi uint8) uint8 {
	v := r.u8()
	if v < lo || v > hi {
		r.fail("%s %d, accepted: %d..%d", what, v, lo, hi)
	}
	return v
}

func (r *reader) bool() bool   { return r.among("boolean", 0, 1) == 1 }
func (r *reader) state() State { return State(r.among("state", 0, uint8(Active))) }

func (r *reader) auth() Auth {
	a := Auth(r.u8())
	if a != AuthNone && a != AuthSimple && a != AuthHMAC && a != AuthP0 && a != AuthP1 {
		r.fail("authentication %d", a)
	}
	return a
}

func (r *reader) hmac() HMAC {
	return HMAC{ActiveKey: r.u8(), Mode: r.among("mode", 0, 2), Monotonic: r.bool(), Window: r.u16()}
}

func (r *reader) ownership() Ownership {
	return Ownership(r.among("ownership", 0, uint8(OwnsSome)))
}

func (r *reader) family() Family {
	f := Family(r.u8())
	if f != IPv4 && f != IPv6 {
		r.fail("family %d, accepted: 4, 6", f)
	}
	return f
}

// text reads printable ASCII, padded with zeros.
func (r *reader) text(n int) string {
	return r.printable(bytes.TrimRight(r.take(n), "\x00"))
}

// line reads printable ASCII to the end.
func (r *reader) line() string { return r.printable(r.rest()) }

func (r *reader) printable(field []byte) string {
	for _, c := range field {
		if c < ' ' || c > '~' {
			r.fail("text with byte %#02x", c)
		}
	}
	return string(field)
}

// addr reads an address: its length, 0 for none, and 16 bytes of which the
// unused are zero.
func (r *reader) addr() netip.Addr {
	n, field := int(r.u8()), r.take(16)
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

func (r *reader) linkState() LinkState {
	m := LinkState{Link: Link(r.u16()), Up: r.bool(), Primary: r.addr()}
	for i := range m.Networks {
		a, bits := r.addr(), int(int8(r.u8())) // -1: none
		if m.Networks[i] = netip.PrefixFrom(a, bits); m.Networks[i].Bits() != bits || a.IsValid() != (bits >= 0) || a.Is6() {
			r.fail("network %v/%d", a, bits)
		}
	}
	return m
}

func (r *reader) frame() Frame {
	return Frame{Link: Link(r.u16()), Family: r.family(), Received: r.i64(), Packet: r.rest()}
}

func (r *reader) sniff() Sniff {
	m := Sniff{JSON: r.bool(), Judge: r.bool(), Live: r.bool(), Detail: r.u8(), VRID: r.u8()}
	for range r.among("address count", 0, MaxOwn) {
		m.Own = append(m.Own, r.addr())
	}
	for range r.among("hardware address count", 0, MaxOwn) {
		m.MACs = append(m.MACs, [6]byte(r.take(6)))
	}
	return m
}

func (r *reader) router() Router {
	m := Router{Link: Link(r.u16()), Family: r.family(), Version: r.among("version", 2, 3), VRID: r.among("VRID", 1, 255),
		Migration: r.bool(), Priority: r.among("priority", 1, 255), Ownership: r.ownership(), AdverInterval: r.i64(),
		PreemptMode: r.bool(), PreemptDelay: r.i64(), StartupDelay: r.i64(), Auth: r.auth(), HMAC: r.hmac(), Checksum: Checksum(r.among("checksum", 0, uint8(ChecksumAuto))),
		AnnounceRepeat: r.u8(), AnnounceDelay: r.i64(), AnnounceRefresh: r.i64(), AnnounceInterval: r.i64()}
	if m.AdverInterval <= 0 || min(m.AnnounceDelay, m.AnnounceRefresh, m.AnnounceInterval) < 0 || m.PreemptDelay < 0 || m.StartupDelay < 0 {
		r.fail("interval %d, announce delay %d, preempt delay %d, startup delay %d", m.AdverInterval, m.AnnounceDelay, m.PreemptDelay, m.StartupDelay)
	}
	n := int(r.among("address count", 1, MaxAddresses))
	for range n {
		a := r.addr()
		if r.err == nil && (!a.IsValid() || a.Is4() != (m.Family == IPv4)) {
			r.fail("address %v in family %d", a, m.Family)
		}
		m.Addresses = append(m.Addresses, a)
	}
	return m
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendAddr(b []byte, a netip.Addr) []byte {
	var field [16]byte
	n := copy(field[:], a.AsSlice())
	return append(append(b, byte(n)), field[:]...)
}

func (m Hello) append(b []byte) []byte {
	return append(appendText(b, m.Build, BuildLen), m.Landlock)
}

// appendText appends a text in a field of n bytes; what does not fit is cut.
func appendText(b []byte, text string, n int) []byte {
	field := text[:min(len(text), n)]
	return append(append(b, field...), strings.Repeat("\x00", n-len(field))...)
}

func (m Router) append(b []byte) []byte {
	b = le.AppendUint16(b, uint16(m.Link))
	b = append(b, byte(m.Family), m.Version, m.VRID)
	b = append(appendBool(b, m.Migration), m.Priority, byte(m.Ownership))
	b = le.AppendUint64(b, uint64(m.AdverInterval))
	b = appendBool(b, m.PreemptMode)
	b = le.AppendUint64(b, uint64(m.PreemptDelay))
	b = le.AppendUint64(b, uint64(m.StartupDelay))
	b = append(b, byte(m.Auth), m.HMAC.ActiveKey, m.HMAC.Mode)
	b = le.AppendUint16(appendBool(b, m.HMAC.Monotonic), m.HMAC.Window)
	b = append(b, byte(m.Checksum), m.AnnounceRepeat)
	b = le.AppendUint64(b, uint64(m.AnnounceDelay))
	b = le.AppendUint64(b, uint64(m.AnnounceRefresh))
	b = le.AppendUint64(b, uint64(m.AnnounceInterval))
	b = append(b, byte(len(m.Addresses)))
	for _, a := range m.Addresses {
		b = appendAddr(b, a)
	}
	return b
}

func (m LinkState) append(b []byte) []byte {
	b = appendAddr(appendBool(le.AppendUint16(b, uint16(m.Link)), m.Up), m.Primary)
	for _, n := range m.Networks {
		b = append(appendAddr(b, n.Addr()), byte(n.Bits()))
	}
	return b
}

func (m Frame) append(b []byte) []byte {
	b = append(le.AppendUint16(b, uint16(m.Link)), byte(m.Family))
	return append(le.AppendUint64(b, uint64(m.Received)), m.Packet...)
}

func (m StateChange) append(b []byte) []byte {
	b = append(appendAddr(append(b, byte(m.From), byte(m.To), byte(m.Reason)), m.Peer), m.Priority, byte(m.Verdict))
	return append(append(le.AppendUint32(b, m.Count), byte(m.Drop)), m.Hint...)
}

func (m Dropped) append(b []byte) []byte {
	b = append(le.AppendUint16(b, uint16(m.Link)), byte(m.Reason), m.VRID)
	return append(le.AppendUint64(le.AppendUint32(appendAddr(b, m.Source), m.Count), m.Total), m.Hint...)
}

func (m Noticed) append(b []byte) []byte {
	b = append(le.AppendUint16(b, uint16(m.Link)), byte(m.Notice), m.VRID)
	b = le.AppendUint64(le.AppendUint32(appendAddr(b, m.Source), m.Count), m.Total)
	return append(le.AppendUint64(le.AppendUint64(b, m.Plain), m.Pseudo), m.Hint...)
}

func (m Secret) append(b []byte) []byte { return append(append(b, m.ID), m.Value...) }
func (m Mark) append(b []byte) []byte {
	return le.AppendUint64(le.AppendUint32(appendAddr(b, m.Source), m.Key), m.Sequence)
}
func (m Owner) append(b []byte) []byte     { return append(b, byte(m.Ownership)) }
func (m Commit) append(b []byte) []byte    { return le.AppendUint16(b, m.Routers) }
func (m Result) append(b []byte) []byte    { return append(b, byte(m.Request), byte(m.Code), m.Sent) }
func (m Advertise) append(b []byte) []byte { return append(b, m.Message...) }
func (m Announce) append(b []byte) []byte  { return append(b, m.First, m.Count) }
func (m Moved) append(b []byte) []byte     { return append(b, m.Rounds) }
func (m Sniff) append(b []byte) []byte {
	b = append(appendBool(appendBool(appendBool(b, m.JSON), m.Judge), m.Live), m.Detail, m.VRID, byte(len(m.Own)))
	for _, a := range m.Own {
		b = appendAddr(b, a)
	}
	b = append(b, byte(len(m.MACs)))
	for _, mac := range m.MACs {
		b = append(b, mac[:]...)
	}
	return b
}
func (m Capture) append(b []byte) []byte {
	b = le.AppendUint32(le.AppendUint16(le.AppendUint64(b, uint64(m.Time)), m.LinkType), m.Length)
	b = le.AppendUint16(le.AppendUint16(append(b, byte(m.Arrival)), uint16(m.Links[0])), uint16(m.Links[1]))
	return append(appendText(b, m.Interface, NameLen), m.Frame...)
}
func (m Shown) append(b []byte) []byte  { return append(b, m.Text...) }
func (m Missed) append(b []byte) []byte { return le.AppendUint64(b, uint64(m.Until)) }
func (m Look) append(b []byte) []byte   { return appendAddr(b, m.Peer) }
func (m Tapped) append(b []byte) []byte {
	return append(le.AppendUint16(b, uint16(m.Link)), m.Packet...)
}
func (m Looked) append(b []byte) []byte {
	b = le.AppendUint32(appendBool(appendAddr(b, m.Peer), m.Answers), m.Arrive)
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
func (Sniff) Type() Type       { return TypeSniff }
func (Capture) Type() Type     { return TypeCapture }
func (Shown) Type() Type       { return TypeShown }
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
