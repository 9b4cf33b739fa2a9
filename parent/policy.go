package parent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// ErrViolation is, of what Run returns, that the child has said or done what
// only a broken or hostile one does. It is killed, everything it caused is
// undone, and the daemon ends; nobody should start it again unseen.
var ErrViolation = errors.New("violation")

// ErrConfiguration is, of what Run returns, that another start with the same
// configuration would end the same way.
var ErrConfiguration = errors.New("configuration")

// violation is a request that only such a child can make.
type violation struct {
	grant  string // name of the slot's grant, "" where it has none
	reason string
}

func (v *violation) Error() string {
	if v.grant == "" {
		return v.reason
	}
	return "vr=" + v.grant + ": " + v.reason
}

// allow decides on one request of the child for the slot of g: done when it
// may be carried out, another code when it is refused innocently, an error
// when it is a violation. It touches nothing but the grant's token buckets. up
// says whether the link can do what the request is for.
// The table in package ipc has judged type, direction, phase and size before.
func allow(g *grant, held, up bool, generation uint32, now int64, h ipc.Header, m ipc.Message) (ipc.Code, error) {
	switch {
	case h.Generation > generation:
		return 0, &violation{g.name, fmt.Sprintf("%v names a generation that it has not taken over", h.Type)}
	case h.Generation < generation:
		return ipc.CodeStale, nil
	}
	switch m := m.(type) {
	case ipc.Advertise:
		if err := allowMessage(g, m.Message); err != nil {
			return 0, err
		}
		return admit(up, ipc.CodeLinkDown, &g.advert, 1, now), nil
	case ipc.Acquire:
		return admit(up, ipc.CodeLinkDown, &g.churn, 1, now), nil
	case ipc.Release:
		return admit(held, ipc.CodeNotHeld, nil, 1, now), nil
	case ipc.Look:
		return admit(up, ipc.CodeLinkDown, &g.look, 1, now), nil
	case ipc.Announce:
		if m.Count < 1 || int(m.First)+int(m.Count) > len(g.addrs) {
			return 0, &violation{g.name, fmt.Sprintf("announce of %d addresses from number %d on, granted %d", m.Count, m.First, len(g.addrs))}
		}
		return admit(held && up, ipc.CodeNotHeld, &g.announce, int64(m.Count), now), nil
	default:
		return 0, &violation{g.name, fmt.Sprintf("%v is no request", h.Type)}
	}
}

// admit takes from a limit, if there is one, only what can be done: a limit is
// for what a request causes, and one that is refused causes nothing. What the
// kernel then refuses has cost what the limit is for.
func admit(ready bool, otherwise ipc.Code, limit *rate, n, now int64) ipc.Code {
	switch {
	case !ready:
		return otherwise
	case limit != nil && !limit.Spend(n, now):
		return ipc.CodeBusy
	default:
		return ipc.CodeDone
	}
}

// trailerLen is the length of an HMAC trailer.
const trailerLen = 28

// allowMessage compares an outgoing advertisement with the grant, byte by
// byte (RFC 3768 §5.1, RFC 9568 §5.1). The checksum and the authentication
// data are the child's affair: a peer that they do not suit drops them.
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
	case len(b) != length && (g.told.Auth != ipc.AuthHMAC || g.told.HMAC.Mode == 0 || len(b) != length+trailerLen):
		return &violation{g.name, fmt.Sprintf("advertisement of %d bytes for %d addresses", len(b), n)}
	case b[0] != version<<4|1:
		return &violation{g.name, fmt.Sprintf("advertisement with version and type %#02x", b[0])}
	case b[1] != g.vrid:
		return &violation{g.name, fmt.Sprintf("advertisement for VRID %d", b[1])}
	case b[2] > g.ceiling:
		return &violation{g.name, fmt.Sprintf("advertisement with priority %d, granted %d", b[2], g.ceiling)}
	case int(b[3]) != n:
		return &violation{g.name, fmt.Sprintf("advertisement counts %d addresses", b[3])}
	case !bytes.HasSuffix(b[4:6], g.tells(version)):
		return &violation{g.name, fmt.Sprintf("advertisement with the interval %#x, granted %v", b[4:6], g.interval)}
	}
	for i, a := range g.addrs {
		if !bytes.Equal(b[8+i*size:8+(i+1)*size], a.Addr.AsSlice()) {
			return &violation{g.name, "advertisement for an address that is not granted"}
		}
	}
	return nil
}

// tells is the interval as an advertisement has it: whole seconds in version 2
// (RFC 3768 §5.3.7), where beside version 3 they are no fewer than it takes,
// and else centiseconds below four reserved bits (RFC 9568 §5.2.7).
func (g *grant) tells(version uint8) []byte {
	if version == 2 {
		return []byte{byte(min((g.interval+time.Second-1)/time.Second, 255))}
	}
	return binary.BigEndian.AppendUint16(nil, uint16(g.interval/(10*time.Millisecond)))
}
