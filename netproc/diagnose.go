package netproc

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/report"
)

// hearing is what a router has heard of its group lately, to say at a
// takeover what became of the Active.
type hearing struct {
	active   netip.Addr  // sender of the last accepted advertisement
	priority uint8       // its priority
	at       int64       // when that arrived
	missed   uint32      // discarded since
	why      report.Drop // for this reason, the last of them
	source   netip.Addr  // which anybody can invent
	doubt    report.Drop // why the last of the Active's was discarded since, 0 if none was
	hint     string      // about one of them
	hinted   report.Drop // that was discarded for this reason
	nextHint int64       // no other hint before
}

// hintEvery is the least time between two hints that are made about what a
// router hears: in a flood the words would cost more than the packets.
const hintEvery = int64(time.Second)

// accepted notes an accepted advertisement.
func (h *hearing) accepted(source netip.Addr, priority uint8, at int64) {
	*h = hearing{active: source, priority: priority, at: at}
}

// discarded notes one of our group that was discarded, and says whether it is
// time for a hint.
func (h *hearing) discarded(source netip.Addr, why report.Drop, now int64) (hint bool) {
	if h.missed < math.MaxUint32 {
		h.missed++
	}
	if h.why, h.source = why, source; source == h.active {
		h.doubt = why
	}
	if now < h.nextHint {
		return false
	}
	h.nextHint = now + hintEvery
	return true
}

// preempting says whether an Active of lower priority is alive.
func (r *router) preempting(now int64) bool {
	return r.heard.active.IsValid() && r.heard.priority < r.priority() && now-r.heard.at < 3*int64(r.interval)
}

// explain adds to a transition why nothing was heard, when the
// Active_Down_Timer fired; now, and by how much late. The former Active is who
// sent the last advertisement that was accepted: what was discarded makes nobody one.
func (r *router) explain(c *report.StateChange, now, late int64) {
	if c.Reason != report.ReasonActiveDown {
		return
	}
	c.Peer = r.heard.active
	switch {
	case r.preempting(now):
		c.Verdict, c.Priority = report.VerdictLower, r.heard.priority
	case !r.heard.active.IsValid() && r.heard.missed == 0:
		c.Verdict = report.VerdictAlone
	case late > int64(r.interval):
		c.Verdict = report.VerdictStalled
	case r.heard.missed > 0:
		c.Verdict, c.Count, c.Drop = report.VerdictDropped, r.heard.missed, r.heard.why
	default:
		c.Verdict = report.VerdictSilent
	}
	c.Hint = verdictHints[c.Verdict]
	if c.Verdict == report.VerdictDropped {
		hint := dropHints[r.heard.why]
		if r.heard.hinted == r.heard.why {
			hint = r.heard.hint
		}
		if c.Hint += fmt.Sprintf(" (the last names %v as its source)", r.heard.source); hint != "" {
			c.Hint += ": " + hint
		}
		c.Hint = c.Hint[:min(len(c.Hint), ipc.MaxHint)]
	}
}

// refresh announces the addresses of an Active once more when it is time,
// with an advertisement.
func (p *process) refresh(r *router) {
	if every := r.record.AnnounceRefresh; every > 0 && p.now >= r.nextRefresh {
		r.nextRefresh = max(r.nextRefresh+every, p.now) // not later by what this one is late
		p.announce(r, 1)
	}
}
