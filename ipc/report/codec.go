package report

import (
	"encoding/binary"

	"github.com/rvrrpd/rvrrpd/ipc"
)

var le = binary.LittleEndian

// Decode reads the payload of a message of this package, or of package ipc.
func Decode(t ipc.Type, payload []byte) (ipc.Message, error) {
	r := ipc.NewReader(payload)
	switch t {
	case ipc.TypeStateChange:
		return r.End(StateChange{From: state(r), To: state(r), Reason: Reason(r.Among("reason", 1, uint8(ReasonLeaseLost))),
			Peer: r.Addr(), Priority: r.U8(), Verdict: Verdict(r.Among("verdict", 0, uint8(VerdictLower))), Count: r.U32(),
			Drop: Drop(r.Among("drop reason", 0, uint8(NumDrops)-1)), Hint: r.Line()})
	case ipc.TypeDropped:
		return r.End(Dropped{Link: ipc.Link(r.U16()), Reason: Drop(r.Among("drop reason", 1, uint8(NumDrops)-1)), VRID: r.U8(),
			Source: r.Addr(), Count: r.U32(), Total: r.U64(), Hint: r.Line()})
	case ipc.TypeNoticed:
		return r.End(Noticed{Link: ipc.Link(r.U16()), Notice: Notice(r.Among("notice", 1, uint8(NumNotices)-1)), VRID: r.U8(),
			Source: r.Addr(), Count: r.U32(), Total: r.U64(), Plain: r.U64(), Pseudo: r.U64(), Hint: r.Line()})
	case ipc.TypeLooked:
		return r.End(Looked{Peer: r.Addr(), Answers: r.Bool(), Arrive: r.U32(), Takeovers: r.U32(), Hint: r.Line()})
	}
	return ipc.Decode(t, payload)
}

func state(r *ipc.Reader) State { return State(r.Among("state", 0, uint8(Active))) }

func (m StateChange) Append(b []byte) []byte {
	b = append(ipc.AppendAddr(append(b, byte(m.From), byte(m.To), byte(m.Reason)), m.Peer), m.Priority, byte(m.Verdict))
	return append(append(le.AppendUint32(b, m.Count), byte(m.Drop)), m.Hint...)
}

func (m Dropped) Append(b []byte) []byte {
	b = append(le.AppendUint16(b, uint16(m.Link)), byte(m.Reason), m.VRID)
	return append(le.AppendUint64(le.AppendUint32(ipc.AppendAddr(b, m.Source), m.Count), m.Total), m.Hint...)
}

func (m Noticed) Append(b []byte) []byte {
	b = append(le.AppendUint16(b, uint16(m.Link)), byte(m.Notice), m.VRID)
	b = le.AppendUint64(le.AppendUint32(ipc.AppendAddr(b, m.Source), m.Count), m.Total)
	return append(le.AppendUint64(le.AppendUint64(b, m.Plain), m.Pseudo), m.Hint...)
}

func (m Looked) Append(b []byte) []byte {
	b = le.AppendUint32(ipc.AppendBool(ipc.AppendAddr(b, m.Peer), m.Answers), m.Arrive)
	return append(le.AppendUint32(b, m.Takeovers), m.Hint...)
}

// Type implementations: each struct's row.
func (StateChange) Type() ipc.Type { return ipc.TypeStateChange }
func (Dropped) Type() ipc.Type     { return ipc.TypeDropped }
func (Noticed) Type() ipc.Type     { return ipc.TypeNoticed }
func (Looked) Type() ipc.Type      { return ipc.TypeLooked }
