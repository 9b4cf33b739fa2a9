package netproc

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// Hints say what may be the matter, in words for the log. They name nothing
// secret: of a key its number, of a password nothing. They are ASCII, and no
// longer than ipc.MaxHint.

// dropHints say what can be said without the packet, where that is not plain
// from the reason.
var dropHints = [report.NumDrops]string{
	report.DropOwnFrame:      "our own source address: another host has it, too, or the network has a loop",
	report.DropVersion:       "the sender speaks another version of VRRP",
	report.DropAuthType:      "auth_type is another at the sender",
	report.DropPassword:      "auth_secret is another at the sender",
	report.DropDigest:        "auth_secret is another at the sender, or the advertisement was changed on its way",
	report.DropNoTrailer:     "the sender does not sign with HMAC, and mode = \"enforce\" demands it",
	report.DropTrailer:       "what follows the message is no HMAC trailer of the kind we know",
	report.DropStale:         "the sender's clock or ours is wrong, or an old advertisement was sent again",
	report.DropKey:           "the sender signs with a key that we do not have",
	report.DropHMAC:          "the sender's key has another value than ours, or the advertisement was changed on its way",
	report.DropReplayed:      "an old advertisement was sent again, the sender's clock was set back, or two routers have its address",
	report.DropSenders:       "too many senders: those that are gone are to be removed from the file in state_dir",
	report.DropOffLink:       "the sender is in no network of the interface: recorded on another LAN that has the same key, or the interface lacks an address",
	report.DropAdverInterval: "timers.advert is another at the sender, and must be the same in version 2",
	report.DropAddressList:   "the sender has other virtual addresses, and must have the same in version 2 and with HMAC",
}

// noticeHints are the same of notices.
var noticeHints = [report.NumNotices]string{
	report.NoticeInterval:  "the sender has another interval; a Backup learns it",
	report.NoticeAddresses: "the sender has other virtual addresses",
	report.NoticeOwner:     "two routers own the addresses, or say so: one of them is wrong",
	report.NoticeChecksum:  "the sender's checksum has the other form; if it drops ours, set checksum",
	report.NoticeSkew:      "the sender's clock, or ours, is off by more than half the window of the HMAC trailer",
	report.NoticeVersion2:  "the sender does not send version 2 beside version 3",
	report.NoticeClock:     "our clock was set back",
	report.NoticeUnsigned:  "the sender has not come as far in the roll-out of HMAC; mode = \"enforce\" would drop its advertisements",
}

// verdictHints say at a takeover what became of the former Active.
var verdictHints = [...]string{
	report.VerdictSilent:  "nothing arrives from the former Active any more: it is down, or the network in between has failed",
	report.VerdictDropped: "advertisements arrive and are dropped, and the sender may still be Active",
	report.VerdictAlone:   "no Active has been heard since the start",
	report.VerdictStalled: "this process was not scheduled for longer than an interval: the system is overloaded, or was stopped",
	report.VerdictLower:   "preempting an Active of lower priority",
}

// dropHint is the hint of a packet that was discarded, for a router of ours or
// nil. What was found wrong says how far it has been read.
func (p *process) dropHint(r *router, message []byte, why report.Drop) string {
	if r == nil {
		return dropHints[why]
	}
	a := &p.advert
	switch why {
	case report.DropVersion:
		version, _ := wire.Peek(message)
		return fmt.Sprintf("the sender speaks version %d, we version %s", version, r.versions())
	case report.DropAuthType:
		ours := authName(r.auth.kind())
		if r.auth.hmac != nil {
			ours = "hmac"
		}
		return fmt.Sprintf("the sender has auth_type %s, we %s", authName(a.AuthType), ours)
	case report.DropLength:
		if n := wire.Length(message, r.group()); n > 0 && len(message) == n+auth.TrailerLen {
			return "the message is followed by what can be an HMAC trailer: the sender may have auth_type hmac, and we have not"
		}
	case report.DropStale:
		sent := time.Unix(int64(binary.BigEndian.Uint32(trailerIn(message)[4:])), 0)
		return fmt.Sprintf("its trailer was made at %s by the sender's clock, and ours says %s; time_window is %d s: a clock is wrong, or an old advertisement was sent again",
			clockText(sent), clockText(p.wall()), r.auth.window/time.Second)
	case report.DropReplayed:
		return p.replayedHint(r)
	case report.DropKey:
		return fmt.Sprintf("the sender signs with key %d, and we have %s", trailerIn(message)[1], keyList(r.auth.hmac.IDs()))
	case report.DropHMAC:
		return fmt.Sprintf("the sender signs with key %d, which has another value there than here, or the advertisement was changed on its way", trailerIn(message)[1])
	case report.DropAdverInterval:
		return fmt.Sprintf("the sender advertises every %v, we every %v: timers.advert must be the same in version 2", a.AdverInterval, r.interval)
	case report.DropOffLink:
		return p.offLinkHint(r)
	case report.DropAddressList:
		hint := r.difference(a.Addresses)
		if r.auth.hmac != nil {
			hint += "; with HMAC all must have the same: reload the Active last, or is it from another LAN with the same key?"
		}
		return hint
	}
	return dropHints[why]
}

// replayedHint says of a clock that was set back until when it matters.
func (p *process) replayedHint(r *router) string {
	last := r.auth.hmac.Held()
	if !r.auth.hmac.Ahead(last.Sequence, p.wall()) {
		return dropHints[report.DropReplayed]
	}
	at := time.Unix(int64(last.Sequence>>32), 0)
	return fmt.Sprintf("our clock says %s, and one of %s has been heard of the sender: our clock was set back, and this is an old advertisement, or the sender's was set back, too; it counts when its clock has passed that, or with another key",
		clockText(p.wall()), clockText(at))
}

// offLinkHint says in which networks a sender should have been.
func (p *process) offLinkHint(r *router) string {
	var words []string
	for _, n := range p.links[r.record.Link].Networks {
		if n.IsValid() && !n.IsSingleIP() {
			words = append(words, n.Masked().String())
		}
	}
	return fmt.Sprintf("the sender is in no network of the interface (%s): recorded on another LAN that has the same key, or the interface lacks an address", few(words))
}

// noticeHint is the hint of an advertisement that was accepted.
func (p *process) noticeHint(r *router, n report.Notice) string {
	a := &p.advert
	switch {
	case n == report.NoticeInterval:
		return fmt.Sprintf("the sender advertises every %v, we every %v; a Backup learns it", a.AdverInterval, r.interval)
	case n == report.NoticeClock:
		return fmt.Sprintf("our clock was set back by %v: what has been heard before does not count again; a sender whose clock was set back, too, counts once that has passed its last advertisement, or with another key", p.steps.by.Round(time.Second))
	case n == report.NoticeAddresses:
		return r.difference(a.Addresses)
	case n == report.NoticeChecksum && r.learns():
		return fmt.Sprintf("the sender's checksum has another form than that of %s, whose form we send: if they understand one form only, set checksum in one of them", r.learned.by)
	}
	return noticeHints[n]
}

// trailerIn is the HMAC trailer at the end of a payload that has one.
func trailerIn(payload []byte) []byte { return payload[len(payload)-auth.TrailerLen:] }

// clockText is a time of day, in UTC as in the trailer.
func clockText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

func (r *router) versions() string {
	if r.record.Migration {
		return "2 and 3"
	}
	return fmt.Sprint(r.record.Version)
}

// keyList names keys by their numbers, the first few of them.
func keyList(ids []uint8) string {
	var words []string
	for _, id := range ids {
		words = append(words, fmt.Sprint("key ", id))
	}
	return few(words)
}

// few joins a list, of which it leaves out what is beyond some.
func few(words []string) string {
	const some = 3
	if n := len(words) - some; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:some], ", "), n)
	}
	return strings.Join(words, ", ")
}

// difference says how a list of addresses differs from ours.
func (r *router) difference(theirs []netip.Addr) string {
	more, less := except(theirs, r.sorted), except(r.sorted, theirs)
	switch {
	case len(less) == len(r.sorted):
		return fmt.Sprintf("no virtual address in common: the sender has %s, we have %s; another cluster with this VRID?", few(more), few(less))
	case len(more) == 0 && len(less) == 0:
		return "the sender names one of our virtual addresses more than once"
	case len(more) == 0:
		return fmt.Sprintf("the sender lacks the virtual addresses %s", few(less))
	case len(less) == 0:
		return fmt.Sprintf("the sender has virtual addresses that we have not: %s", few(more))
	}
	return fmt.Sprintf("the sender has virtual addresses that we have not: %s; it lacks ours: %s", few(more), few(less))
}

// except lists the addresses that are in one list and not in the other.
func except(list, other []netip.Addr) (words []string) {
	for _, a := range list {
		if !slices.Contains(other, a) {
			words = append(words, a.String())
		}
	}
	return words
}
