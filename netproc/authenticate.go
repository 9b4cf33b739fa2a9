package netproc

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// authenticator is how a router's advertisements are authenticated; at most
// one of the two is there.
type authenticator struct {
	legacy *auth.Legacy
	hmac   *auth.HMAC
	window time.Duration // of hmac; 0 with none
}

// newAuthenticator makes one from a record and its secrets, which it keeps or
// wipes. An error never tells a secret.
func newAuthenticator(m *ipc.Router, secrets []ipc.Secret) (a authenticator, err error) {
	switch m.Auth {
	case ipc.AuthNone:
		if len(secrets) > 0 {
			return a, errors.New("a secret without authentication")
		}
	case ipc.AuthHMAC:
		c := auth.Config{Active: m.HMAC.ActiveKey, Mode: auth.Mode(m.HMAC.Mode), Window: time.Duration(m.HMAC.Window) * time.Second}
		if m.HMAC.Monotonic {
			c.AntiReplay = auth.Monotonic
		} else {
			a.window = c.Window
		}
		for _, s := range secrets {
			c.Keys = append(c.Keys, auth.Key{ID: s.ID, Value: s.Value})
		}
		a.hmac, err = auth.New(c)
		for _, s := range secrets {
			clear(s.Value)
		}
	default:
		if m.Version != 2 || len(secrets) > 1 || len(secrets) == 1 && secrets[0].ID != 0 {
			return a, fmt.Errorf("authentication type %d in version %d with %d secrets", m.Auth, m.Version, len(secrets))
		}
		var secret []byte
		if len(secrets) == 1 {
			secret = secrets[0].Value
		}
		a.legacy = auth.NewLegacy(auth.Type(m.Auth), secret)
	}
	return a, err
}

// wipe overwrites the secret of one that is not used any more.
func (a *authenticator) wipe() {
	if a.legacy != nil {
		a.legacy.Wipe()
	}
}

// kind is the authentication type of our version 2 messages.
func (a *authenticator) kind() uint8 {
	if a.legacy == nil {
		return wire.AuthNone
	}
	return uint8(a.legacy.Type())
}

// fill sets type and data of a version 2 message that is to be sent from src
// to dst.
func (a *authenticator) fill(m *wire.Advertisement, src, dst netip.Addr) {
	if a.legacy == nil || m.Version != 2 {
		return
	}
	m.AuthType = a.kind()
	m.AuthData = [auth.DataLen]byte{}
	b := wire.Append(nil, m, src, dst)
	m.AuthData = a.legacy.Data(b[:len(b)-auth.DataLen])
}

// signed is a message with its trailer, if it is to have one: every time
// another, in memory that is used again.
func (p *process) signed(r *router, m ipc.Message) ipc.Message {
	h := r.auth.hmac
	if h == nil {
		return m
	}
	p.watchClock(r)
	if !h.Signs() {
		return m
	}
	b := append(p.trailed.Message[:0], m.(ipc.Advertise).Message...)
	b = h.Sign(b, 0, r.primary, p.wall())
	if r.record.Family == ipc.IPv6 {
		wire.Seal(b, r.primary, r.group())
	}
	p.trailed.Message = b
	p.tellMarks(r)
	return &p.trailed
}

// tellMarks tells the parent what has changed in the memory of HMAC.
func (p *process) tellMarks(r *router) {
	for _, m := range r.auth.hmac.Changed() {
		p.mark(r, ipc.Mark{Source: m.Source, Key: m.Key, Sequence: m.Sequence})
	}
}

// mark tells the parent what a child that is started anew has to know.
func (p *process) mark(r *router, m ipc.Mark) {
	if p.sniffer != nil {
		return
	}
	p.marked = m
	p.send(r.slot, &p.marked)
}

// trailerOf is the length of what follows the message in a payload for this
// router, or for nobody, as far as that can be an HMAC trailer.
func (r *router) trailerOf(payload []byte, src netip.Addr) int {
	if r != nil && r.auth.hmac == nil {
		return 0
	}
	if n := wire.Length(payload, src); n > 0 && len(payload) == n+auth.TrailerLen {
		return auth.TrailerLen
	}
	return 0
}

// authenticate is R11: type and authentication data in version 2, the HMAC
// trailer in either. The data of type 0 are ignored (RFC 3768 §5.3.10).
func (p *process) authenticate(r *router, payload []byte, trailer int, a *wire.Advertisement, src netip.Addr) report.Drop {
	p.bare = r.auth.hmac != nil && trailer == 0
	if a.Version == 2 && a.AuthType != r.auth.kind() {
		return report.DropAuthType
	}
	if l := r.auth.legacy; l != nil && !l.Verify(payload) {
		if l.Type() == auth.Simple {
			return report.DropPassword
		}
		return report.DropDigest
	}
	h := r.auth.hmac
	if h == nil {
		return 0
	}
	n, now := len(payload)-trailer, p.wall()
	if problem := h.Check(payload, n, src, now); problem != auth.NoProblem {
		return dropOfTrailer(problem)
	}
	if h.Demands() {
		if why := p.elsewhere(r, a, src); why != 0 {
			return why
		}
	}
	return dropOfTrailer(h.Fresh(payload, n, src, now))
}

// admit remembers what HMAC has to know of an advertisement that has passed all
// checks: what is discarded for another reason must leave nothing behind, such as
// one that was made for another link.
func (p *process) admit(r *router, payload []byte, trailer int, src netip.Addr) report.Drop {
	if r.auth.hmac == nil || trailer == 0 {
		return 0
	}
	p.watchClock(r)
	skew, problem := r.auth.hmac.Accept(payload, len(payload)-trailer, src, p.wall())
	if problem != auth.NoProblem { // the wall clock was set in between
		return dropOfTrailer(problem)
	}
	p.tellMarks(r)
	if w := r.auth.window; w > 0 && (skew > w/2 || skew < -w/2) {
		p.notice(r, report.NoticeSkew, src)
	}
	return 0
}

// elsewhere says whether an advertisement was made for another link. The HMAC
// covers none: where the same key and VRID are in use on two, somebody who is on
// both can carry what one hears to the other. What tells them apart is the network
// of the sender, over IPv4, and the virtual addresses.
func (p *process) elsewhere(r *router, a *wire.Advertisement, src netip.Addr) report.Drop {
	if src.Is4() && !onLink(p.links[r.record.Link], src) {
		return report.DropOffLink
	}
	if !r.isOurs(a.Addresses) && !r.wereOurs(a.Addresses) {
		return report.DropAddressList
	}
	return 0
}

// onLink says whether an address is in one of a link's networks. A single address
// is none: where advertisements come from one, or there is nothing else, nobody can
// tell a neighbor by its own.
func onLink(l ipc.LinkState, src netip.Addr) bool {
	if l.Networks[0].IsSingleIP() {
		return true
	}
	known := false
	for _, n := range l.Networks {
		if n.Contains(src) && !n.IsSingleIP() {
			return true
		}
		known = known || n.IsValid() && !n.IsSingleIP()
	}
	return !known
}

// dropOfTrailer is the reason to discard a packet for its trailer.
func dropOfTrailer(p auth.Problem) report.Drop {
	switch p {
	case auth.Missing:
		return report.DropNoTrailer
	case auth.Malformed:
		return report.DropTrailer
	case auth.Stale:
		return report.DropStale
	case auth.UnknownKey:
		return report.DropKey
	case auth.BadHMAC:
		return report.DropHMAC
	case auth.Replayed:
		return report.DropReplayed
	case auth.TooMany:
		return report.DropSenders
	default:
		return 0
	}
}

// resume lets a router go on from what another process, or the router it
// was, has sent and heard.
func (a *authenticator) resume(marks []ipc.Mark) {
	if a.hmac == nil {
		return
	}
	var known []auth.Mark
	for _, m := range marks {
		if m.Source != ipc.FormSource {
			known = append(known, auth.Mark{Source: m.Source, Key: m.Key, Sequence: m.Sequence})
		}
	}
	a.hmac.Resume(known)
}
