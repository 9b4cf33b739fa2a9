package sniffing

import (
	"encoding/binary"

	"github.com/rvrrpd/rvrrpd/ipc"
)

var le = binary.LittleEndian

// Decode reads the payload of a message of this package, or of package ipc. The bytes
// of a Capture or a Shown are those of the payload, not a copy.
func Decode(t ipc.Type, payload []byte) (ipc.Message, error) {
	r := ipc.NewReader(payload)
	switch t {
	case ipc.TypeSniff:
		return r.End(sniff(r))
	case ipc.TypeCapture:
		return r.End(Capture{Time: int64(r.U64()), LinkType: r.U16(), Length: r.U32(), Arrival: Arrival(r.Among("arrival", 0, uint8(numArrivals)-1)),
			Links: Links{ipc.Link(r.U16()), ipc.Link(r.U16())}, Interface: r.Text(ipc.NameLen), Frame: r.Rest()})
	case ipc.TypeShown:
		return r.End(Shown{Text: r.Rest()})
	}
	return ipc.Decode(t, payload)
}

func sniff(r *ipc.Reader) Sniff {
	m := Sniff{JSON: r.Bool(), Judge: r.Bool(), Live: r.Bool(), Detail: r.U8(), VRID: r.U8()}
	for range r.Among("address count", 0, ipc.MaxOwn) {
		m.Own = append(m.Own, r.Addr())
	}
	for range r.Among("hardware address count", 0, ipc.MaxOwn) {
		m.MACs = append(m.MACs, [6]byte(r.Take(6)))
	}
	return m
}

// Append is ipc.Message's.
func (m Sniff) Append(b []byte) []byte {
	b = ipc.AppendBool(ipc.AppendBool(ipc.AppendBool(b, m.JSON), m.Judge), m.Live)
	b = append(b, m.Detail, m.VRID, byte(len(m.Own)))
	for _, a := range m.Own {
		b = ipc.AppendAddr(b, a)
	}
	b = append(b, byte(len(m.MACs)))
	for _, mac := range m.MACs {
		b = append(b, mac[:]...)
	}
	return b
}

// Append is ipc.Message's.
func (m Capture) Append(b []byte) []byte {
	b = le.AppendUint32(le.AppendUint16(le.AppendUint64(b, uint64(m.Time)), m.LinkType), m.Length)
	b = le.AppendUint16(le.AppendUint16(append(b, byte(m.Arrival)), uint16(m.Links[0])), uint16(m.Links[1]))
	return append(ipc.AppendText(b, m.Interface, ipc.NameLen), m.Frame...)
}

// Append is ipc.Message's.
func (m Shown) Append(b []byte) []byte { return append(b, m.Text...) }

// Type implementations: each struct's row.
func (Sniff) Type() ipc.Type   { return ipc.TypeSniff }
func (Capture) Type() ipc.Type { return ipc.TypeCapture }
func (Shown) Type() ipc.Type   { return ipc.TypeShown }
