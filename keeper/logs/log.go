// Package logs writes the log of the daemon: to files, to standard error, to the launcher
// and, by way of the parent, to the service manager's journal. Who causes lines without end
// does not fill a disk with them, and who does not read a log stops nobody.
package logs

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc/keeping"
)

// Log writes lines to sinks. It belongs to one goroutine.
type Log struct {
	style  *style
	budget *Budget
	all    *sinks
}

// sinks are a handler of all sinks that there are.
type sinks struct {
	mu  sync.Mutex
	all []*sink
}

type sink struct {
	keeping.Sink
	queue   *queue
	handler slog.Handler
	next    atomic.Pointer[io.WriteCloser] // where it is to go on
}

// New makes a log; to are what its sinks are written to, in their order.
func New(b keeping.Beginning, to []io.WriteCloser) *Log {
	l := &Log{style: newStyle(b.Style), all: &sinks{}}
	for i, s := range b.Sinks {
		format := l.style.stamped
		if s.Journal {
			format = l.style.journal
		}
		q, h := newQueue(to[i], format)
		l.all.all = append(l.all.all, &sink{Sink: s, queue: q, handler: h})
	}
	l.budget = NewBudget(l.all)
	return l
}

// Write writes a line.
func (l *Log) Write(k keeping.Line) {
	l.style.shift(k.Zone)
	r := slog.NewRecord(time.Unix(0, k.At), k.Level, k.Text, 0)
	for _, a := range k.Attrs {
		r.AddAttrs(attribute(a))
	}
	ctx := context.Background()
	if k.Hearsay {
		ctx = keeping.Hearsay
	}
	_ = l.budget.Handle(ctx, r)
}

// Handler is the log for lines of the keeper's own, whose time is so many seconds east of UTC
// as Shift says.
func (l *Log) Handler() slog.Handler { return l.budget }

// Shift has times written so many seconds east of UTC, until the next line says otherwise.
func (l *Log) Shift(east int) { l.style.shift(east) }

// attribute is one as it is written.
func attribute(a keeping.Attr) slog.Attr {
	switch v := a.Value.(type) {
	case json.Number:
		n, err := v.Int64()
		switch {
		case err != nil: // beyond, or with a fraction
			f, _ := v.Float64()
			return slog.Float64(a.Key, f)
		case a.Duration:
			return slog.Duration(a.Key, time.Duration(n))
		}
		return slog.Int64(a.Key, n)
	case []any:
		words := make([]string, len(v))
		for i := range v {
			words[i], _ = v[i].(string)
		}
		return slog.Any(a.Key, words)
	}
	return slog.Any(a.Key, a.Value)
}

// Lost tells how many lines are missing here, also where there is no room for lines.
func (l *Log) Lost(n int) {
	for _, s := range l.all.all {
		s.queue.do(func() { s.queue.tell(n) })
	}
}

// Restyle writes lines in another way from now on.
func (l *Log) Restyle(k keeping.Style) { l.style.apply(k) }

// Redirect has a sink go on elsewhere, behind what it has been given. Where it has not come to
// that yet, the last one counts.
func (l *Log) Redirect(name string, to io.WriteCloser) {
	for _, s := range l.all.all {
		if s.Name != name {
			continue
		}
		if before := s.next.Swap(&to); before != nil {
			(*before).Close()
			continue
		}
		s.queue.do(func() {
			s.queue.w.Close()
			s.queue.w = *s.next.Swap(nil)
		})
	}
}

// Mark ends the sinks that are temporary, and calls done when they have written what they
// have been given.
func (l *Log) Mark(done func()) {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	var rest sync.WaitGroup
	l.all.all = slices.DeleteFunc(l.all.all, func(s *sink) bool {
		if s.Temporary {
			rest.Add(1)
			s.queue.do(func() {
				s.queue.w.Close()
				rest.Done()
			})
		}
		return s.Temporary
	})
	go func() {
		rest.Wait()
		done()
	}()
}

// Flush waits until all is written, but not for long where nothing is taken.
func (l *Log) Flush() {
	l.budget.Tell()
	var all queues
	for _, s := range l.all.all {
		all = append(all, s.queue)
	}
	all.flush()
}

// Enabled, Handle, WithAttrs and WithGroup make the sinks a handler. The last two are for
// loggers with attributes of their own; nobody makes such.
func (a *sinks) Enabled(context.Context, slog.Level) bool { return true }

func (a *sinks) Handle(ctx context.Context, r slog.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.all {
		if r.Level >= s.Least && s.handler.Enabled(ctx, r.Level) {
			_ = s.handler.Handle(ctx, r)
		}
	}
	return nil
}

func (a *sinks) WithAttrs([]slog.Attr) slog.Handler { return a }

func (a *sinks) WithGroup(string) slog.Handler { return a }
