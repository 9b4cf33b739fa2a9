package parent

import (
	"bytes"
	"fmt"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// violation is a request that only a broken or hostile child can make. The
// child is killed, everything it caused is undone, and the daemon ends.
type violation struct {
	grant  string // name of the slot's grant, "" where it has none
	reason string
}

func (v *violation) Error() string {
	if v.grant == "" {
		return "violation: " + v.reason
	}
	return "violation: vr=" + v.grant + ": " + v.reason
}

// allow decides on one request of the child for the slot of g: done when it
// may be carried out, another code when it is refused innocently, an error
// when it is a violation. It touches nothing but the grant's token buckets.
// The table in package ipc has judged type, direction, phase and size before.
func allow(g *grant, held, up bool, generation uint32, now int64, h ipc.Header, m ipc.Message) (ipc.Code, error) {
	switch {
	case h.Generation > generation:
		return 0, &violation{g.name, fmt.Sprintf("%v names a generation that does not exist", h.Type)}
	case h.Generation < generation:
		return ipc.CodeStale, nil
	}
	switch m := m.(type) {
	case ipc.Advertise:
		if err := allowMessage(g, m.Message); err != nil {
			return 0, err
		}
		return admit(up, ipc.CodeLinkDown, g.advert.take(now)), nil
	case ipc.Acquire:
		return admit(up, ipc.CodeLinkDown, g.churn.take(now)), nil
	case ipc.Release:
		return admit(held, ipc.CodeNotHeld, true), nil
	case ipc.Announce:
		if m.Repeat < 1 || int(m.Repeat) > g.repeat {
			return 0, &violation{g.name, fmt.Sprintf("announce repeated %d times", m.Repeat)}
		}
		return admit(held && up, ipc.CodeNotHeld, g.announce.take(now)), nil
	default:
		return 0, &violation{g.name, fmt.Sprintf("%v is no request", h.Type)}
	}
}

func admit(ready bool, otherwise ipc.Code, room bool) ipc.Code {
	switch {
	case !ready:
		return otherwise
	case !room:
		return ipc.CodeBusy
	default:
		return ipc.CodeDone
	}
}

// trailerLen is the length of an HMAC trailer.
const trailerLen = 28

// allowMessage compares an outgoing advertisement with the grant, byte by
// byte (RFC 3768 §5.1, RFC 9568 §5.1). The checksum, the authentication data and the
// interval are the child's affair: a peer that they do not suit drops them.
func allowMessage(g *grant, b []byte) error {
	n, size := len(g.addrs), g.addrs[0].Addr.BitLen()/8
	length, version := 8+n*size, g.version
	if g.migration && len(b) > 0 && b[0]>>4 == 2 {
		version = 2
	}
	if version == 2 {
		length += 8 // authentication data
	}
	switch {
	case len(b) != length && (g.auth != ipc.AuthHMAC || g.hmac.Mode == 0 || len(b) != length+trailerLen):
		return &violation{g.name, fmt.Sprintf("advertisement of %d bytes for %d addresses", len(b), n)}
	case b[0] != version<<4|1:
		return &violation{g.name, fmt.Sprintf("advertisement with version and type %#02x", b[0])}
	case b[1] != g.vrid:
		return &violation{g.name, fmt.Sprintf("advertisement for VRID %d", b[1])}
	case b[2] > g.ceiling:
		return &violation{g.name, fmt.Sprintf("advertisement with priority %d, granted %d", b[2], g.ceiling)}
	case int(b[3]) != n:
		return &violation{g.name, fmt.Sprintf("advertisement counts %d addresses", b[3])}
	}
	for i, a := range g.addrs {
		if !bytes.Equal(b[8+i*size:8+(i+1)*size], a.Addr.AsSlice()) {
			return &violation{g.name, "advertisement for an address that is not granted"}
		}
	}
	return nil
}
