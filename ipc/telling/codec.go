// Package telling reads what the parent tells the network process.
package telling

import (
	"math"
	"net/netip"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/sniffing"
)

// Decode reads the payload of a message that the network process may be told, of this package,
// of ipc/sniffing or of ipc. The bytes of a Frame, a Secret or a Tapped are those of the
// payload, not a copy.
func Decode(t ipc.Type, payload []byte) (ipc.Message, error) {
	r := ipc.NewReader(payload)
	var m ipc.Message
	switch t {
	case ipc.TypeRouter:
		m = router(r)
	case ipc.TypeLinkState:
		m = linkState(r)
	case ipc.TypeSecret:
		m = ipc.Secret{ID: r.U8(), Value: r.Rest()}
	case ipc.TypeOwner:
		m = ipc.Owner{Ownership: ownership(r)}
	case ipc.TypeCommit:
		m = ipc.Commit{Routers: r.U16()}
	case ipc.TypeFrame:
		m = frame(r)
	case ipc.TypeResult:
		m = ipc.Result{Request: ipc.Type(r.Among("request", 1, uint8(ipc.NumTypes)-1)), Code: ipc.Code(r.Among("code", 1, uint8(ipc.CodeKernel))), Sent: r.U8()}
	case ipc.TypeMissed:
		m = ipc.Missed{Until: int64(r.U64())}
	case ipc.TypeTapped:
		m = ipc.Tapped{Link: ipc.Link(r.U16()), Packet: r.Rest()}
	case ipc.TypeMoved:
		m = ipc.Moved{Rounds: r.Among("rounds", 1, math.MaxUint8)}
	default:
		return sniffing.Decode(t, payload)
	}
	return r.End(m)
}

// DecodeFrame is Decode for a Frame, without an allocation. With an error the Frame
// means nothing.
func DecodeFrame(payload []byte) (ipc.Frame, error) {
	r := ipc.NewReader(payload)
	f := frame(r)
	return f, r.Err()
}

func auth(r *ipc.Reader) ipc.Auth {
	a := ipc.Auth(r.U8())
	if a != ipc.AuthNone && a != ipc.AuthSimple && a != ipc.AuthHMAC && a != ipc.AuthP0 && a != ipc.AuthP1 {
		r.Fail("authentication %d", a)
	}
	return a
}

func hmac(r *ipc.Reader) ipc.HMAC {
	return ipc.HMAC{ActiveKey: r.U8(), Mode: r.Among("mode", 0, 2), Monotonic: r.Bool(), Window: r.U16()}
}

func ownership(r *ipc.Reader) ipc.Ownership {
	return ipc.Ownership(r.Among("ownership", 0, uint8(ipc.OwnsSome)))
}

func linkState(r *ipc.Reader) ipc.LinkState {
	m := ipc.LinkState{Link: ipc.Link(r.U16()), Up: r.Bool(), Primary: r.Addr()}
	for i := range m.Networks {
		a, bits := r.Addr(), int(int8(r.U8())) // -1: none
		if m.Networks[i] = netip.PrefixFrom(a, bits); m.Networks[i].Bits() != bits || a.IsValid() != (bits >= 0) || a.Is6() {
			r.Fail("network %v/%d", a, bits)
		}
	}
	return m
}

func frame(r *ipc.Reader) ipc.Frame {
	return ipc.Frame{Link: ipc.Link(r.U16()), Family: family(r), Received: int64(r.U64()), Packet: r.Rest()}
}

func router(r *ipc.Reader) ipc.Router {
	m := ipc.Router{Link: ipc.Link(r.U16()), Family: family(r), Version: r.Among("version", 2, 3), VRID: r.Among("VRID", 1, 255),
		Migration: r.Bool(), Priority: r.Among("priority", 1, 255), Ownership: ownership(r), AdverInterval: int64(r.U64()),
		PreemptMode: r.Bool(), PreemptDelay: int64(r.U64()), StartupDelay: int64(r.U64()), Auth: auth(r), HMAC: hmac(r), Checksum: ipc.Checksum(r.Among("checksum", 0, uint8(ipc.ChecksumAuto))),
		AnnounceRepeat: r.U8(), AnnounceDelay: int64(r.U64()), AnnounceRefresh: int64(r.U64()), AnnounceInterval: int64(r.U64())}
	if m.AdverInterval <= 0 || min(m.AnnounceDelay, m.AnnounceRefresh, m.AnnounceInterval) < 0 || m.PreemptDelay < 0 || m.StartupDelay < 0 {
		r.Fail("interval %d, announce delay %d, preempt delay %d, startup delay %d", m.AdverInterval, m.AnnounceDelay, m.PreemptDelay, m.StartupDelay)
	}
	n := int(r.Among("address count", 1, ipc.MaxAddresses))
	for range n {
		a := r.Addr()
		if r.Err() == nil && (!a.IsValid() || a.Is4() != (m.Family == ipc.IPv4)) {
			r.Fail("address %v in family %d", a, m.Family)
		}
		m.Addresses = append(m.Addresses, a)
	}
	return m
}

func family(r *ipc.Reader) ipc.Family {
	f := ipc.Family(r.U8())
	if f != ipc.IPv4 && f != ipc.IPv6 {
		r.Fail("family %d, accepted: 4, 6", f)
	}
	return f
}
