package ipc

import "errors"

// Implementation constants.
const (
	// chunk is where a batch begins a new datagram; with the longest message
	// behind it, it still fits MaxDatagram.
	chunk = 32 << 10
	// queueMax bounds what waits for a reader: the configuration of some ten
	// thousand virtual routers.
	queueMax = 16 << 20
)

// Queue sends datagrams in order and drops none: what finds no room waits, up
// to a bound. Beyond it the lane is broken for good: a datagram taken after
// one refused would leave a hole.
type Queue struct {
	conn    *Conn
	waiting [][]byte
	bytes   int
	full    bool
}

// NewQueue returns an empty queue in front of c.
func NewQueue(c *Conn) *Queue { return &Queue{conn: c} }

// Enqueue sends b, or keeps a copy for Flush. It returns ErrFull when the
// bound is reached and from then on, or the error of Send.
func (q *Queue) Enqueue(b []byte) error {
	if q.full {
		return ErrFull
	}
	if len(q.waiting) == 0 {
		if err := q.conn.Send(b); !errors.Is(err, ErrAgain) {
			return err
		}
	}
	if q.bytes+len(b) > queueMax {
		q.full = true
		return ErrFull
	}
	q.waiting = append(q.waiting, append([]byte(nil), b...))
	q.bytes += len(b)
	return nil
}

// Flush sends what waits, as far as there is room.
func (q *Queue) Flush() error {
	for len(q.waiting) > 0 {
		if err := q.conn.Send(q.waiting[0]); errors.Is(err, ErrAgain) {
			return nil
		} else if err != nil {
			return err
		}
		q.bytes -= len(q.waiting[0])
		q.waiting = q.waiting[1:]
	}
	return nil
}

// Pending says whether anything waits: then wait for room too.
func (q *Queue) Pending() bool { return len(q.waiting) > 0 }

// Batch collects messages into as few datagrams as possible. The zero value
// is empty and ready; its memory is used again after Flush.
type Batch struct {
	b    []byte
	ends []int // where datagrams end
}

// Add appends a message.
func (t *Batch) Add(h Header, m Message) {
	start := 0
	if n := len(t.ends); n > 0 {
		start = t.ends[n-1]
	}
	if len(t.b)-start >= chunk {
		t.ends = append(t.ends, len(t.b))
	}
	t.b = Append(t.b, h, m)
}

// Len is the number of bytes collected.
func (t *Batch) Len() int { return len(t.b) }

// Flush hands the datagrams to send, in order, and empties the batch. It goes
// on after an error and returns the first.
func (t *Batch) Flush(send func([]byte) error) error {
	if len(t.b) == 0 {
		return nil
	}
	var first error
	start := 0
	t.ends = append(t.ends, len(t.b))
	for _, end := range t.ends {
		if err := send(t.b[start:end]); err != nil && first == nil {
			first = err
		}
		start = end
	}
	t.b, t.ends = t.b[:0], t.ends[:0]
	return first
}
