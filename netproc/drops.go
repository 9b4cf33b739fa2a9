package netproc

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
)

// reportEvery is the least time between two reports of one reason. The limit
// is not kept by source, VRID or link: whoever invents those cannot fill the
// log, nor our memory.
const reportEvery = int64(10 * time.Second)

// counter counts packets for one reason, and says when to report them.
type counter struct {
	total      uint64
	unreported uint32
	next       int64 // no report before
	last       subject
}

// subject is what a packet was about, as far as it could be read.
type subject struct {
	link   ipc.Link
	vrid   uint8
	source netip.Addr
}

// add counts one packet, and says whether to report now: the first is
// reported at once, the others together with one of them.
func (c *counter) add(at int64, s subject) bool {
	c.last = s
	c.total++
	if c.unreported < math.MaxUint32 {
		c.unreported++
	}
	if at < c.next {
		return false
	}
	c.next = at + reportEvery
	return true
}

// drop counts a discarded packet, which was for r or for nobody.
func (p *process) drop(r *router, why report.Drop, s subject, message []byte) {
	if p.drops[why].add(p.now, s) {
		p.reportDrops(why, p.dropHint(r, message, why))
	}
	if r != nil && why != report.DropOwnFrame && why != report.DropSuperseded && r.heard.discarded(s.source, why, p.now) {
		r.heard.hint, r.heard.hinted = p.dropHint(r, message, why), why
	}
}

func (p *process) reportDrops(why report.Drop, hint string) {
	c := &p.drops[why]
	p.send(ipc.NoSlot, report.Dropped{Link: c.last.link, Reason: why, VRID: c.last.vrid, Source: c.last.source, Count: c.unreported, Total: c.total, Hint: hint})
	c.unreported = 0
}

// notice counts a notice about an advertisement of a router's group.
func (p *process) notice(r *router, n report.Notice, source netip.Addr) {
	if p.sniffer != nil {
		p.sniffer.notices = append(p.sniffer.notices, n)
		return
	}
	if p.notices[n].add(p.now, subject{r.record.Link, r.record.VRID, source}) {
		p.reportNotice(n, p.notices[n].last, p.noticeHint(r, n))
	}
}

// unsigned is the notice of an advertisement without an HMAC trailer. Its
// report is to tell everybody who has to be seen to, so that each sender has
// one of its own, up to maxPeers of them at a time.
func (p *process) unsigned(r *router, source netip.Addr) {
	if p.sniffer != nil {
		p.notice(r, report.NoticeUnsigned, source)
		return
	}
	s := subject{r.record.Link, r.record.VRID, source}
	if p.notices[report.NoticeUnsigned].add(p.now, s) {
		p.named = p.named[:0]
	} else if len(p.named) == maxPeers || slices.Contains(p.named, s) {
		return
	}
	p.named = append(p.named, s)
	p.reportNotice(report.NoticeUnsigned, s, noticeHints[report.NoticeUnsigned])
}

// reportNotice reports what was counted, with one it is about.
func (p *process) reportNotice(n report.Notice, s subject, hint string) {
	c := &p.notices[n]
	m := report.Noticed{Link: s.link, Notice: n, VRID: s.vrid, Source: s.source, Count: c.unreported, Total: c.total, Hint: hint}
	if n == report.NoticeChecksum {
		m.Plain, m.Pseudo = p.formsOf(s)
	}
	p.send(ipc.NoSlot, m)
	c.unreported = 0
}

// reportRest reports what was counted since the last reports, and of each peer
// that does not use our form of the checksum how often it used which. Where we
// use the form of others, one that uses ours by now has used both.
func (p *process) reportRest() {
	for _, r := range p.routers {
		if r == nil {
			continue
		}
		for _, f := range r.forms.peers {
			if other := f.plain + f.pseudo - *f.of(r.form()); other > 0 && !(r.learns() && f.last == r.form()) {
				p.reportNotice(report.NoticeChecksum, subject{r.record.Link, r.record.VRID, f.source}, noticeHints[report.NoticeChecksum])
			}
		}
	}
	for why := range p.drops {
		if p.drops[why].unreported > 0 {
			p.reportDrops(report.Drop(why), dropHints[why])
		}
	}
	for n := range p.notices {
		if p.notices[n].unreported > 0 {
			p.reportNotice(report.Notice(n), p.notices[n].last, noticeHints[n])
		}
	}
}
