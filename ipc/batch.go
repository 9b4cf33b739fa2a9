package ipc

// chunk is where a batch begins a new datagram; with the longest message
// behind it, it still fits MaxDatagram.
const chunk = 32 << 10

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
	t.grow(HeaderLen + rules[m.Type()].Max)
	t.b = Append(t.b, h, m)
}

// grow makes room for n bytes; memory that is left behind for it is
// overwritten, for there may be secrets in it.
func (t *Batch) grow(n int) {
	if cap(t.b)-len(t.b) >= n {
		return
	}
	old := t.b
	t.b = append(make([]byte, 0, 2*len(old)+n), old...)
	clear(old)
}

// Wipe empties the batch and overwrites what it has held.
func (t *Batch) Wipe() {
	clear(t.b[:cap(t.b)])
	t.b, t.ends = t.b[:0], t.ends[:0]
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
