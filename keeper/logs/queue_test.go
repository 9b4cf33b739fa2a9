package logs

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc/keeping"
)

// gate is a log whose reader stalls until it is opened; what is written stands
// in order.
type gate struct {
	open    chan struct{}
	entered chan struct{}
	once    sync.Once
	mu      sync.Mutex
	bytes.Buffer
}

func newGate() *gate { return &gate{open: make(chan struct{}), entered: make(chan struct{})} }

func (g *gate) Write(b []byte) (int, error) {
	g.once.Do(func() { close(g.entered) })
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.Buffer.Write(b)
}

func (g *gate) text() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.String()
}

// open is a writer that needs no closing.
type open struct{ io.Writer }

func (open) Close() error { return nil }

func formats() map[string]func(io.Writer) slog.Handler {
	text := newStyle(keeping.Style{Layout: time.RFC3339})
	asJSON := newStyle(keeping.Style{JSON: true, Layout: time.RFC3339})
	return map[string]func(io.Writer) slog.Handler{"text": text.stamped, "json": asJSON.stamped, "journal": text.journal}
}

// TestStalledLog: no line waits for the reader of a log. Those that find room
// are written, in order; the others are counted, in their place, and the
// next ones are written again.
func TestStalledLog(t *testing.T) {
	t.Parallel()
	for name, format := range formats() {
		g := newGate()
		q, h := newQueue(open{g}, format)
		log := slog.New(h)
		log.Info("first")
		<-g.entered
		const lines = roomForLines / 40 // more than there is room for
		for i := range lines {
			log.Info("advertisement sent", "number", i, "at", "a length that is enough")
		}
		q.do(func() { log.Info("task") })
		close(g.open)
		queues{q}.flush()
		log.Info("after")
		queues{q}.flush()

		said := strings.Split(strings.TrimSpace(g.text()), "\n")
		if !strings.Contains(said[0], "first") || !strings.Contains(said[len(said)-1], "after") {
			t.Fatalf("%s: begins %s, ends %s", name, said[0], said[len(said)-1])
		}
		written, lost, tasks := 0, 0, 0
		for _, line := range said[1 : len(said)-1] {
			switch {
			case strings.Contains(line, "log lines lost"):
				lost += number(t, line, "count")
			case strings.Contains(line, "task"):
				tasks++
			case number(t, line, "number") != written || lost > 0:
				t.Fatalf("%s: line %d is %s", name, written, line)
			default:
				written++
			}
		}
		if written+lost != lines || lost == 0 || written < roomForLines/200 || tasks != 1 {
			t.Errorf("%s: %d of %d lines written, %d told to be lost; %d tasks told", name, written, lines, lost, tasks)
		}
	}
}

// number is the value of an attribute in a line of either format.
func number(t *testing.T, line, key string) int {
	t.Helper()
	_, rest, found := strings.Cut(strings.NewReplacer(`"`, "", ":", "=", ",", " ", "}", " ").Replace(line), key+"=")
	word, _, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(word)
	if !found || err != nil {
		t.Fatalf("no %s in %s", key, line)
	}
	return n
}

// TestFlushEnds: a log that nobody reads does not keep the daemon from its end.
func TestFlushEnds(t *testing.T) {
	t.Parallel()
	g := newGate()
	q, h := newQueue(open{g}, formats()["text"])
	slog.New(h).Info("nobody reads this")
	ended := make(chan struct{})
	go func() { queues{q}.flush(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("still waiting")
	}
	close(g.open)
}

// refusing is a log on a full disk.
type refusing struct {
	full bool
	bytes.Buffer
}

func (r *refusing) Write(b []byte) (int, error) {
	if r.full {
		return 0, errors.New("no space left on device")
	}
	return r.Buffer.Write(b)
}

// TestRefusedLines: what a log refuses is lost, too, and told of with the next
// line that it takes.
func TestRefusedLines(t *testing.T) {
	t.Parallel()
	r := &refusing{full: true}
	q, h := newQueue(open{r}, formats()["text"])
	log := slog.New(h)
	log.Info("lost")
	queues{q}.flush()
	log.Info("lost, too")
	queues{q}.flush()
	done := make(chan struct{})
	q.do(func() { r.full = false; close(done) })
	<-done
	log.Info("written")
	queues{q}.flush()
	done = make(chan struct{})
	q.do(func() { close(done) })
	<-done
	if said := strings.Split(strings.TrimSpace(r.String()), "\n"); len(said) != 2 || !strings.Contains(said[0], `msg="log lines lost" count=2`) || !strings.Contains(said[1], "written") {
		t.Errorf("%q", said)
	}
}

// TestOrderOfTasks: what is to be done between lines is done there: opening
// a log anew, letting the launcher go.
func TestOrderOfTasks(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	q, h := newQueue(open{&b}, formats()["text"])
	log := slog.New(h)
	for i := range 100 {
		log.Info("line", "number", i)
		q.do(func() { b.WriteString("task " + strconv.Itoa(i) + "\n") })
	}
	done := make(chan struct{})
	q.do(func() { close(done) })
	<-done
	said := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(said) != 200 {
		t.Fatalf("%d lines", len(said))
	}
	for i, line := range said {
		if want := []string{"number=" + strconv.Itoa(i/2), "task " + strconv.Itoa(i/2)}[i%2]; !strings.HasSuffix(line, want) {
			t.Errorf("line %d is %s, want %s", i, line, want)
		}
	}
}

// TestWholeWrites: what goes into a pipe at once are whole lines that the pipe
// takes as a whole, so that an end leaves no half of one; a longer line is
// written alone.
func TestWholeWrites(t *testing.T) {
	t.Parallel()
	g := newGate()
	var writes []string
	w := writerFunc(func(b []byte) (int, error) { writes = append(writes, string(b)); return len(b), nil })
	q, h := newQueue(open{io.MultiWriter(g, w)}, formats()["text"])
	log := slog.New(h)
	log.Info("first")
	<-g.entered
	for i := range 200 {
		log.Info("line", "number", i)
	}
	log.Info(strings.Repeat("x", 2*atomicWrite))
	log.Info("last")
	close(g.open)
	done := make(chan struct{})
	q.do(func() { close(done) })
	<-done
	for _, text := range writes {
		if !strings.HasSuffix(text, "\n") || len(text) > atomicWrite && strings.Count(text, "\n") != 1 {
			t.Errorf("written at once: %d bytes, %d lines, ends %q", len(text), strings.Count(text, "\n"), text[max(0, len(text)-20):])
		}
	}
	if n := len(writes); n > 20 {
		t.Errorf("%d writes", n)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// BenchmarkLine is what a line costs the loop.
func BenchmarkLine(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	_, queued := newQueue(open{null}, formats()["text"])
	for name, h := range map[string]slog.Handler{"queued": queued, "direct": formats()["text"](null)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			log := slog.New(h)
			for b.Loop() {
				log.Info("advertisement sent", "vr", "eth0/10/ipv4", "bytes", 20)
			}
		})
	}
}
