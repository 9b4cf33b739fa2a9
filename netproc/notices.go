package netproc

import (
	"math"
	"net/netip"
	"time"

	"github.com/rvrrpd/rvrrpd/engine"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/netproc/wire"
)

// remark notes what is noteworthy about an advertisement that is accepted:
// what R12, R14 and R15 tell to log and not to discard, and which form of the
// checksum its sender uses. What is to be learned of that is, before anything is
// answered.
func (p *process) remark(r *router, a *wire.Advertisement, source netip.Addr, arrived int64) {
	if a.Version == 3 && a.AdverInterval != r.interval { // R12
		p.notice(r, report.NoticeInterval, source)
	}
	if !r.isOurs(a.Addresses) { // R14
		p.notice(r, report.NoticeAddresses, source)
	}
	if a.Priority == engine.PriorityOwner && r.priority() == engine.PriorityOwner { // R15
		p.notice(r, report.NoticeOwner, source)
	}
	if a.Version == 3 && r.record.Family == ipc.IPv4 { // R7
		p.learn(r, a, source, arrived)
		if r.forms.count(source, a.Checksum) && a.Checksum != r.form() {
			p.notice(r, report.NoticeChecksum, source)
		}
	}
	if p.bare {
		p.unsigned(r, source)
	}
	if r.record.Migration && r.migration.heard(a, source, arrived) {
		p.notice(r, report.NoticeVersion2, source)
	}
}

// maxPeers bounds what is remembered of senders: without authentication
// anybody can invent some.
const maxPeers = 16

// forms counts which form of the checksum each peer uses; those beyond
// maxPeers are counted together in the last place.
type forms struct {
	peers []peerForms
}

type peerForms struct {
	source netip.Addr // invalid: all the others
	// plain and pseudo count messages of either form; last is that of the last.
	plain, pseudo uint64
	last          wire.Form
}

// count counts one message; true for the first of this peer in this form.
func (f *forms) count(source netip.Addr, form wire.Form) (first bool) {
	at := -1
	for i := range f.peers {
		if f.peers[i].source == source || i == maxPeers {
			at = i
			break
		}
	}
	if at < 0 {
		if at = len(f.peers); at == maxPeers {
			source = netip.Addr{}
		}
		f.peers = append(f.peers, peerForms{source: source})
	}
	f.peers[at].last = form
	n := f.peers[at].of(form)
	*n++
	return *n == 1
}

// of is the count of a form.
func (f *peerForms) of(form wire.Form) *uint64 {
	if form == wire.FormPseudoHeader {
		return &f.pseudo
	}
	return &f.plain
}

// formsOf is how often the sender of a report has used either form; of one
// that is counted with others, how often they have.
func (p *process) formsOf(s subject) (plain, pseudo uint64) {
	r := p.byVRID[key{s.link, ipc.IPv4, s.vrid}]
	if r == nil {
		return 0, 0
	}
	for i, f := range r.forms.peers {
		if f.source == s.source || i == maxPeers {
			return f.plain, f.pseudo
		}
	}
	return 0, 0
}

// Implementation constants.
const (
	// aliveIntervals is for how many intervals after its last version 3
	// advertisement a router counts as one that sends version 3: until a
	// Backup would take over from it.
	aliveIntervals = 4
	// lonelyMax is the number of version 3 advertisements without one of
	// version 2 beside them after which a router counts as one that does not
	// send version 2.
	lonelyMax = 8
)

// migration is what a router in migration mode knows of the last one that
// sent version 3 (RFC 9568 §8.4.2).
type migration struct {
	source netip.Addr
	until  int64 // it counts as one that sends version 3
	alone  int   // advertisements of version 3 since one of version 2
}

// supersedes says whether version 2 of a router is to be ignored, because it
// sends version 3, too.
func (m *migration) supersedes(source netip.Addr, arrived int64) bool {
	if source != m.source || arrived > m.until {
		return false
	}
	m.alone = 0
	return true
}

// heard takes an accepted advertisement into account; true when its sender
// turns out not to send version 2 beside version 3.
func (m *migration) heard(a *wire.Advertisement, source netip.Addr, arrived int64) bool {
	if a.Version == 2 {
		return false
	}
	if source != m.source {
		m.source, m.alone = source, 0
	}
	m.until = arrived + aliveIntervals*int64(a.AdverInterval)
	m.alone = min(m.alone+1, math.MaxInt16)
	return m.alone == lonelyMax
}

// version2Interval is the Advertisement_Interval that version 2 tells beside a
// version 3 of the given one: the least whole number of seconds that is no
// shorter, because a Backup of version 2 knows nothing finer (RFC 3768
// §5.3.7).
func version2Interval(d time.Duration) time.Duration {
	return min(max((d+time.Second-1).Truncate(time.Second), time.Second), 255*time.Second)
}
