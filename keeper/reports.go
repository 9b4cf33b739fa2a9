package keeper

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"github.com/rvrrpd/rvrrpd/ipc/report"
)

// reports is what has to be known to tell what the network process reports.
type reports struct {
	log      *slog.Logger
	at       time.Time                         // when what is being told of has come
	names    keeping.Names                     // of the newest generation
	before   keeping.Names                     // of the one before, of which there may be reports on their way
	verdicts map[string]map[report.Verdict]int // how often each was given, by virtual router
}

func newReports(h slog.Handler) *reports {
	r := &reports{verdicts: make(map[string]map[report.Verdict]int)}
	r.log = slog.New(dated{h, &r.at})
	return r
}

// dated is a handler of lines that have the time of what they tell.
type dated struct {
	slog.Handler
	at *time.Time
}

func (d dated) Handle(ctx context.Context, r slog.Record) error {
	r.Time = *d.at
	return d.Handler.Handle(ctx, r)
}

// name takes over names of a generation.
func (r *reports) name(n keeping.Names) {
	if n.Generation != r.names.Generation || r.names.Slots == nil {
		r.before, r.names = r.names, keeping.Names{Generation: n.Generation, Links: make(map[ipc.Link]string), Slots: make(map[ipc.Slot]keeping.Slot)}
	}
	maps.Copy(r.names.Links, n.Links)
	maps.Copy(r.names.Slots, n.Slots)
}

// slot is a virtual router of a generation in words.
func (r *reports) slot(h ipc.Header) keeping.Slot {
	from := r.names
	if h.Generation == r.before.Generation {
		from = r.before
	}
	s, known := from.Slots[h.Slot]
	if !known { // its name found no room on the lane
		s.Name = fmt.Sprintf("slot %d", h.Slot)
	}
	return s
}

func (r *reports) link(l ipc.Link) string {
	name, known := r.names.Links[l]
	if !known {
		name = fmt.Sprintf("link %d", l)
	}
	return name
}

// hear logs what has come at one time. The error is the network process's.
func (r *reports) hear(payload []byte, shift func(east int)) error {
	if len(payload) < keeping.ReportHeader {
		return fmt.Errorf("reports of %d bytes", len(payload))
	}
	r.at = time.Unix(0, int64(binary.LittleEndian.Uint64(payload)))
	shift(int(int32(binary.LittleEndian.Uint32(payload[8:]))))
	for rest := payload[keeping.ReportHeader:]; len(rest) > 0; {
		h, body, behind, err := ipc.Next(rest)
		if err == nil {
			err = r.report(h, body)
		}
		if err != nil {
			return err
		}
		rest = behind
	}
	return nil
}

// report logs one.
func (r *reports) report(h ipc.Header, body []byte) error {
	m, err := report.Decode(h.Type, body)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case report.StateChange:
		r.transition(r.slot(h).Name, m)
	case report.Looked:
		r.looked(r.slot(h), m)
	case report.Dropped:
		r.remarked("packets dropped", m.Reason.String(), m)
	case report.Noticed:
		var forms []any
		if m.Notice == report.NoticeChecksum { // how often a sender has used which
			forms = []any{"rfc9568", m.Plain, "rfc5798", m.Pseudo}
		}
		r.remarked("advertisements noticed", m.Notice.String(), report.Dropped{Link: m.Link, Source: m.Source, VRID: m.VRID, Count: m.Count, Total: m.Total, Hint: m.Hint}, forms...)
	}
	return nil
}

// looked logs what a look has found.
func (r *reports) looked(s keeping.Slot, m report.Looked) {
	hint := strings.ReplaceAll(m.Hint, report.HintInterface, s.Interface)
	if m.Peer.IsValid() {
		r.log.WarnContext(keeping.Hearsay, "former Active probed", "link", s.Link, "peer", m.Peer, "answers", m.Answers, "arrive", m.Arrive, "takeovers", m.Takeovers, "vr", s.Name, "hint", hint)
	} else {
		r.log.WarnContext(keeping.Hearsay, "not alone", "link", s.Link, "vr", s.Name, "hint", hint)
	}
}

// transition logs one: a line, with its reason.
func (r *reports) transition(vr string, m report.StateChange) {
	args := []any{"vr", vr, "reason", m.Reason.String()}
	if m.Peer.IsValid() {
		args = append(args, "peer", m.Peer)
	}
	if m.Priority > 0 {
		args = append(args, "priority", m.Priority)
	}
	if m.Verdict != report.VerdictNone {
		if m.Drop != 0 {
			args = append(args, "dropped", m.Count, "drop", m.Drop.String())
		}
		if r.verdicts[vr] == nil {
			r.verdicts[vr] = make(map[report.Verdict]int)
		}
		r.verdicts[vr][m.Verdict]++
		args = append(args, "verdict", m.Verdict.String(), "times", r.verdicts[vr][m.Verdict], "hint", m.Hint)
	}
	r.log.InfoContext(keeping.Hearsay, m.From.String()+"->"+m.To.String(), args...)
}

// remarked logs a report of packets that were discarded, or are noteworthy. The hint is the
// network process's, as the rest is: it knows what is in the packets.
func (r *reports) remarked(what, reason string, m report.Dropped, more ...any) {
	args := []any{"link", r.link(m.Link), "reason", reason, "source", m.Source, "vrid", m.VRID, "count", m.Count, "total", m.Total}
	args = append(args, more...)
	if m.Hint != "" {
		args = append(args, "hint", m.Hint)
	}
	r.log.WarnContext(keeping.Hearsay, what, args...)
}
