package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/parent"
	"golang.org/x/sys/unix"
)

// style is how lines of the log are written; a reload may change it.
type style struct {
	level slog.LevelVar
	zone  atomic.Pointer[time.Location]
	clock atomic.Pointer[string] // layout of time.Format
	json  atomic.Bool
	debug int // of the command line, -1 for none
}

// layouts of time_format.
var layouts = map[string]string{
	"disabled": "2006-01-02T15:04:05.000Z07:00",
	"short":    "Jan _2 2006 15:04:05",
	"rfc2822":  "Mon, 02 Jan 2006 15:04:05 -0700",
	"rfc3339":  "2006-01-02T15:04:05.000000Z07:00",
}

// newStyle is that of a configuration, with the debug level of the command
// line unless that is -1. It loads the local time zone now, because later the
// process reaches no files.
func newStyle(c *conf.Config, debug int) *style {
	s := &style{debug: debug}
	_ = time.Now().String()
	s.apply(c)
	return s
}

// apply follows a configuration.
func (s *style) apply(c *conf.Config) {
	level := c.Debug
	if s.debug >= 0 {
		level = s.debug
	}
	s.level.Set(parent.DebugLevel(level))
	s.json.Store(c.LogFormat == "json")
	zone, layout := time.Local, layouts[c.TimeFormat]
	if c.TimeZone == "utc" {
		zone = time.UTC
	}
	s.zone.Store(zone)
	s.clock.Store(&layout)
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
		return plain(a)
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

// inJournal says whether a file is what the service manager has connected to
// its journal: JOURNAL_STREAM has its device and inode, as systemd.exec(5)
// says.
func inJournal(w io.Writer) bool {
	f, is := w.(*os.File)
	if !is {
		return false
	}
	device, inode, found := strings.Cut(os.Getenv("JOURNAL_STREAM"), ":")
	var st unix.Stat_t
	if !found || unix.Fstat(int(f.Fd()), &st) != nil {
		return false
	}
	return device == strconv.FormatUint(st.Dev, 10) && inode == strconv.FormatUint(st.Ino, 10)
}

// logFile is a log that can be opened anew, and elsewhere.
type logFile struct {
	path string
	file atomic.Pointer[os.File]
}

// move goes on in another file; an error leaves it where it is.
func (l *logFile) move(path string) error {
	before := l.path
	if before == path {
		return nil
	}
	l.path = path
	err := l.reopen()
	if err != nil {
		l.path = before
	}
	return err
}

func openLog(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.reopen()
}

// reopen opens the file at the path; the old one is written until then, and
// still if there is an error.
func (l *logFile) reopen() error {
	f, err := parent.OpenOwn(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	if old := l.file.Swap(f); old != nil {
		old.Close()
	}
	return nil
}

func (l *logFile) Write(b []byte) (int, error) { return l.file.Load().Write(b) }
