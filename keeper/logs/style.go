package logs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc/keeping"
)

// style is how lines of the log are written; it may change.
type style struct {
	level slog.LevelVar
	clock atomic.Pointer[string] // layout of time.Format
	zone  atomic.Pointer[time.Location]
	json  atomic.Bool
}

func newStyle(k keeping.Style) *style {
	s := &style{}
	s.zone.Store(time.UTC)
	s.apply(k)
	return s
}

// apply follows what the parent says.
func (s *style) apply(k keeping.Style) {
	s.level.Set(k.Level)
	s.json.Store(k.JSON)
	s.clock.Store(&k.Layout)
}

// shift writes times so many seconds east of UTC from now on.
func (s *style) shift(east int) {
	if _, was := (time.Time{}).In(s.zone.Load()).Zone(); was != east {
		s.zone.Store(time.FixedZone("", east))
	}
}

// handler writes lines to w; without timestamps for the journal, which has
// its own.
func (s *style) handler(w io.Writer, stamped bool) slog.Handler {
	o := &slog.HandlerOptions{Level: &s.level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		switch {
		case len(groups) > 0:
		case a.Key == slog.TimeKey && a.Value.Kind() != slog.KindTime: // an attribute of the line
		case a.Key == slog.TimeKey && !stamped:
			return slog.Attr{}
		case a.Key == slog.TimeKey:
			return slog.String(a.Key, a.Value.Time().In(s.zone.Load()).Format(*s.clock.Load()))
		case a.Key == slog.LevelKey:
			if level, is := a.Value.Any().(slog.Level); is && level < slog.LevelInfo {
				return slog.String(a.Key, "DEBUG")
			}
		}
		return a
	}}
	return either{&s.json, slog.NewTextHandler(w, o), slog.NewJSONHandler(w, o)}
}

// either is the handler of the one format, or of the other, with the same options. Neither it nor
// branch is for loggers with attributes or groups of their own; nobody makes such.
type either struct {
	second *atomic.Bool
	slog.Handler
	object slog.Handler
}

func (e either) Handle(ctx context.Context, r slog.Record) error {
	if e.second.Load() {
		return e.object.Handle(ctx, r)
	}
	return e.Handler.Handle(ctx, r)
}

// stamped is handler with timestamps.
func (s *style) stamped(w io.Writer) slog.Handler { return s.handler(w, true) }

// branch is a handler for the levels from least on and below limit.
type branch struct {
	least, limit slog.Level
	slog.Handler
}

func (b branch) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= b.least && level < b.limit && b.Handler.Enabled(ctx, level)
}

// Bounds of all levels.
const lowest, highest = slog.Level(-100), slog.Level(100)

// prefixed writes a prefix before each line.
type prefixed struct {
	prefix string
	w      io.Writer
}

func (p prefixed) Write(b []byte) (int, error) {
	_, err := io.WriteString(p.w, p.prefix+string(b))
	return len(b), err
}

// journal writes lines for systemd's journal, each with its priority as
// sd-daemon(3) has it.
func (s *style) journal(w io.Writer) slog.Handler {
	at := func(priority int) slog.Handler {
		return s.handler(prefixed{fmt.Sprintf("<%d>", priority), w}, false)
	}
	return slog.NewMultiHandler(
		branch{lowest, slog.LevelInfo, at(7)}, branch{slog.LevelInfo, slog.LevelWarn, at(6)},
		branch{slog.LevelWarn, slog.LevelError, at(4)}, branch{slog.LevelError, highest, at(3)},
	)
}
