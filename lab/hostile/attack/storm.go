package attack

import (
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
)

// append puts an honest message behind others.
func (t Target) append(b []byte, m ipc.Message) []byte {
	h := t.header()
	if rule, _ := ipc.RuleOf(m.Type()); !rule.Slot {
		h.Slot = ipc.NoSlot
	}
	return ipc.Append(b, h, m)
}

// requests are random, each within the grant; in one datagram of so many a
// bit is flipped, in none for 0.
func requests(t Target, flipped int) (datagrams [][]byte) {
	for range 3000 {
		var b []byte
		for range 1 + t.Random.Intn(8) {
			b = t.append(b, t.request())
		}
		if flipped > 0 && t.Random.Intn(flipped) == 0 {
			b[t.Random.Intn(len(b))] ^= 1 << t.Random.Intn(8)
		}
		datagrams = append(datagrams, b)
	}
	return datagrams
}

// request is a random one.
func (t Target) request() ipc.Message {
	switch t.Random.Intn(8) {
	case 0:
		b := t.Advertisement()
		b[2] = byte(t.Random.Intn(int(t.Router.Priority) + 1))
		return ipc.Advertise{Message: b}
	case 1:
		return ipc.Release{}
	case 2:
		first := t.Random.Intn(len(t.Router.Addresses))
		return ipc.Announce{First: uint8(first), Count: uint8(1 + t.Random.Intn(len(t.Router.Addresses)-first))}
	case 3:
		return ipc.Ping{}
	case 4:
		return ipc.Drain{}
	case 5:
		return ipc.Look{}
	case 6:
		return report.Dropped{Link: t.Router.Link, Reason: report.DropTTL, Source: t.Router.Addresses[0], Count: 1, Total: 1}
	default:
		return ipc.Acquire{}
	}
}
