package logs

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"
)

// A log that is read too slowly, or not at all, must not stop the daemon: the
// loop that sends advertisements only puts lines into a queue, and a goroutine
// of the log's own writes them.

// Implementation constants.
const (
	// roomForLines is how many bytes wait for a log: about a minute of one
	// virtual router with all its advertisements, at ten a second.
	roomForLines = 128 << 10
	// atomicWrite is what a pipe takes as a whole (PIPE_BUF): lines of several
	// writers are not mixed, and an end leaves no half of one.
	atomicWrite = 4096
	// flushPause is how long the end waits for a log that takes nothing, and
	// flushTime how long at the most: a service manager waits for the end, and
	// so does the next daemon.
	flushPause = 300 * time.Millisecond
	flushTime  = 2 * time.Second
	// keptRoom is how much memory a queue keeps after it was that full.
	keptRoom = 16 << 10
)

// queue is a log behind a bounded queue. Write never waits; what finds no room
// is counted, and told of when there is room again, in its place.
type queue struct {
	w io.WriteCloser
	// lost writes the line that tells how many lines are lost.
	lost *slog.Logger
	// note is what lost writes to; the writer alone uses both.
	note bytes.Buffer

	mu      sync.Mutex
	lines   []byte // whole lines, in order
	tasks   []task // and what is to be done between them
	missing int    // lines that found no room behind those
	busy    bool   // the writer has taken something
	moved   int    // how often it has got something done
	wake    chan struct{}
}

// task is something to do in its place between the lines.
type task struct {
	at int // bytes before it
	do func()
}

// newQueue starts the writer of a log; handle makes a handler that writes lines
// of its format to a writer.
func newQueue(w io.WriteCloser, handle func(io.Writer) slog.Handler) (*queue, slog.Handler) {
	q := &queue{w: w, wake: make(chan struct{}, 1)}
	q.lost = slog.New(handle(&q.note))
	go q.run()
	return q, handle(q)
}

// Write puts a line into the queue.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	// Once one is missing the next ones are, too, so that its place is known.
	if q.missing > 0 || len(q.lines)+len(line) > roomForLines {
		q.missing++
	} else {
		q.lines = append(q.lines, line...)
	}
	q.mu.Unlock()
	q.rouse()
	return len(line), nil
}

// do has the writer do something once it has written the lines before it.
func (q *queue) do(f func()) {
	q.mu.Lock()
	q.tasks = append(q.tasks, task{len(q.lines), f})
	q.mu.Unlock()
	q.rouse()
}

// rouse wakes the writer, unless it knows already.
func (q *queue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run writes what is in the queue, for ever.
func (q *queue) run() {
	var lines []byte
	failed := 0 // lines that the log has refused
	for range q.wake {
		for {
			var tasks []task
			var missing int
			if lines, tasks, missing = q.take(lines); len(lines) == 0 && len(tasks) == 0 && missing == 0 {
				break
			}
			if failed > 0 && len(lines) > 0 {
				failed = q.tell(failed)
			}
			done := 0
			for _, t := range tasks {
				failed += q.write(lines[done:t.at])
				done = t.at
				t.do()
				q.progress()
			}
			failed += q.write(lines[done:])
			failed += q.tell(missing)
		}
	}
}

// take returns what is in the queue, which is empty then; the writer gives back
// the memory of what it has written.
func (q *queue) take(written []byte) (lines []byte, tasks []task, missing int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, tasks, missing = q.lines, q.tasks, q.missing
	if cap(written) > keptRoom {
		written = nil
	}
	q.lines, q.tasks, q.missing = written[:0], nil, 0
	q.busy = len(lines) > 0 || len(tasks) > 0 || missing > 0
	return lines, tasks, missing
}

// write writes lines, as many at a time as a pipe takes as a whole, and
// returns how many the log has refused.
func (q *queue) write(lines []byte) (refused int) {
	for len(lines) > 0 {
		n := len(lines)
		if n > atomicWrite {
			n = 1 + bytes.LastIndexByte(lines[:atomicWrite], '\n')
		}
		if n == 0 { // one that is longer
			n = 1 + bytes.IndexByte(lines, '\n')
		}
		if _, err := q.w.Write(lines[:n]); err != nil {
			refused += bytes.Count(lines[:n], []byte{'\n'})
		}
		lines = lines[n:]
		q.progress()
	}
	return refused
}

// tell writes how many lines are lost, if any are, and returns how many it
// could not tell of.
func (q *queue) tell(lost int) (untold int) {
	if lost == 0 {
		return 0
	}
	q.note.Reset()
	q.lost.Warn("log lines lost", "count", lost)
	if q.write(q.note.Bytes()) > 0 {
		return lost
	}
	return 0
}

func (q *queue) progress() {
	q.mu.Lock()
	q.moved++
	q.mu.Unlock()
}

// state says whether everything is written, and how far the writer has come.
func (q *queue) state() (idle bool, moved int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.busy && len(q.lines) == 0 && len(q.tasks) == 0 && q.missing == 0, q.moved
}

// queues are the logs of a daemon.
type queues []*queue

// flush waits until everything is written; not for long where nothing is
// taken.
func (all queues) flush() {
	const step = 500 * time.Microsecond
	begin := time.Now()
	last, since := -1, begin
	for now := begin; now.Sub(since) < flushPause && now.Sub(begin) < flushTime; now = time.Now() {
		idle, moved := true, 0
		for _, q := range all {
			i, m := q.state()
			idle, moved = idle && i, moved+m
		}
		if idle {
			return
		}
		if moved != last {
			last, since = moved, now
		}
		time.Sleep(step)
	}
}
