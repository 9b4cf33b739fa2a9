// Package logger is the parent's end of the log, which the keeper writes: lines go to it in
// a lane that outlives it, and nobody waits for it.
package logger

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"golang.org/x/sys/unix"
)

// Implementation constants, in bytes.
const (
	// linesRoom is how much waits on the lane for the keeper: a hanging one costs no more.
	linesRoom = 4 << 20
	// waitingRoom is how much of our own lines waits beside that: whoever fills the lane with
	// reports must not keep the parent from saying anything.
	waitingRoom = 256 << 10
	// reportsMax is how many reports go in one datagram, and one more.
	reportsMax = 32 << 10
)

// Logger is the log: a slog.Handler for several goroutines, whose loggers have no attributes
// of their own. All but that is for the loop.
type Logger struct {
	mutex   sync.Mutex
	lines   *ipc.Conn // our end of the lane of lines
	waiting [][]byte  // of our own, for room on it
	size    int       // of these
	lost    int       // what found no room, behind these
	reports []byte    // of this turn
	told    int       // how many these are
	style   keeping.Style
	zone    atomic.Pointer[time.Location]
	level   slog.LevelVar

	theirs  int // the keeper's of that lane, which each keeper gets
	stderr  int // the journal, if that is what it is
	sinks   []sink
	names   []keeping.Names
	spawner *children.Spawner
	server  Server
	keeper  *children.Child
	begun   bool // it is behind its walls, and writes
	written bool // one has been
	lifespan
	heard    []byte
	pending  []byte // lines that the journal has not taken
	marked   func() // once temporary sinks have got all that was said before
	markedBy int64  // at the latest
	said     bool   // there is something to write
	closing  bool
}

// lifespan is that of a keeper, CLOCK_MONOTONIC in ns.
type lifespan struct {
	born   int64
	struck int   // how many had not begun yet
	again  int64 // when it must have begun, or the next one is started; 0 for neither
	after  int64 // how long the next one has waited
}

type sink struct {
	keeping.Sink
	fd int // -1 for the journal
}

// New makes a log, which holds lines until a keeper writes them.
func New() (*Logger, error) {
	l := &Logger{stderr: unix.Stderr}
	l.zone.Store(time.UTC)
	var err error
	if l.lines, l.theirs, err = ipc.Pair(); err != nil {
		return nil, err
	}
	return l, l.lines.SetBuffers(linesRoom)
}

// layouts of time_format.
var layouts = map[string]string{
	"disabled": "2006-01-02T15:04:05.000Z07:00",
	"short":    "Jan _2 2006 15:04:05",
	"rfc2822":  "Mon, 02 Jan 2006 15:04:05 -0700",
	"rfc3339":  "2006-01-02T15:04:05.000000Z07:00",
}

// Follow has lines written as a configuration says, from this level on. The local time zone
// is loaded by the first call, because later the process reaches no files.
func (l *Logger) Follow(c *conf.Config, level slog.Level) {
	_ = time.Now().String()
	zone := time.Local
	if c.TimeZone == "utc" {
		zone = time.UTC
	}
	l.zone.Store(zone)
	l.level.Set(level)
	l.mutex.Lock()
	l.style = keeping.Style{Level: level, JSON: c.LogFormat == "json", Layout: layouts[c.TimeFormat]}
	l.mutex.Unlock()
	l.say(keeping.Restyle, l.style)
}

// Enabled, Handle, WithAttrs and WithGroup make it a slog.Handler.
func (l *Logger) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level.Level() }

func (l *Logger) Handle(ctx context.Context, r slog.Record) error {
	_, east := r.Time.In(l.zone.Load()).Zone()
	k := keeping.Line{At: r.Time.UnixNano(), Zone: east, Level: r.Level, Text: r.Message, Hearsay: ctx == keeping.Hearsay}
	for a := range r.Attrs {
		k.Attrs = append(k.Attrs, attribute(a))
	}
	l.say(keeping.Log, k)
	return nil
}

func (l *Logger) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l *Logger) WithGroup(string) slog.Handler { return l }

// Report has the keeper log a message of the network process, which nobody has read. It goes
// with others of the turn.
func (l *Logger) Report(h ipc.Header, payload []byte) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if len(l.reports) > reportsMax {
		l.handOver()
	}
	if len(l.reports) == 0 {
		now := time.Now()
		_, east := now.In(l.zone.Load()).Zone()
		l.reports = keeping.AppendReport(l.reports, now.UnixNano(), east)
	}
	l.told++
	l.reports = ipc.Append(l.reports, h, ipc.Unread{Of: h.Type, Payload: payload})
}

// EndTurn hands the turn's reports over.
func (l *Logger) EndTurn() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.handOver()
}

// handOver puts the reports that there are on the lane.
func (l *Logger) handOver() {
	if len(l.reports) > 0 {
		l.send(l.reports, 0, l.told)
		l.reports, l.told = l.reports[:0], 0
	}
}

// Name says what reports are about from now on.
func (l *Logger) Name(names []keeping.Names) {
	l.mutex.Lock()
	l.names = names
	l.mutex.Unlock()
	for _, n := range names {
		l.say(keeping.Naming, n)
	}
}

// say puts a message on the lane of lines.
func (l *Logger) say(kind keeping.Kind, what any) {
	text, _ := json.Marshal(what) // of our own types, of which none fails
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.handOver()
	l.send(append([]byte{byte(kind)}, text...), waitingRoom, 1)
}

// send does so. Where there is no room it waits, if what waits is less than room then; else the
// so many lines that it is are counted, and told of in their place.
func (l *Logger) send(message []byte, room, lines int) {
	l.said = l.said || keeping.Kind(message[0]) == keeping.Log || lines > 1
	l.flush()
	fits := len(message) <= keeping.MaxMessage
	if fits && len(l.waiting) == 0 && l.lost == 0 && l.lines.Send(message) == nil {
		return
	}
	if !fits || l.size+len(message) > room {
		l.lost += lines
		return
	}
	if l.lost > 0 {
		lost := strconv.AppendInt([]byte{byte(keeping.Lost)}, int64(l.lost), 10)
		l.waiting, l.size, l.lost = append(l.waiting, lost), l.size+len(lost), 0
	}
	l.waiting, l.size = append(l.waiting, message), l.size+len(message)
}

// flush sends what waits, as far as there is room, and then how much is lost.
func (l *Logger) flush() {
	for len(l.waiting) > 0 {
		if l.lines.Send(l.waiting[0]) != nil {
			return
		}
		l.size -= len(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
	l.size = 0
	if l.lost > 0 && l.lines.Send(strconv.AppendInt([]byte{byte(keeping.Lost)}, int64(l.lost), 10)) == nil {
		l.lost = 0
	}
}

// spoke says whether there has been something to write.
func (l *Logger) spoke() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.said
}

// waits says whether something of our own waits for room.
func (l *Logger) waits() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.flush()
	return len(l.waiting) > 0
}
