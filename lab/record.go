package lab

import (
	"sync"
	"time"
)

// Record is a list that only grows, and that can be waited on. Its methods
// may be called from several goroutines.
type Record[T any] struct {
	mu      sync.Mutex
	items   []T
	changed chan struct{}
}

// Add appends an item.
func (r *Record[T]) Add(item T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items = append(r.items, item)
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// Len is the number of items so far: a mark for From and Wait.
func (r *Record[T]) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.items)
}

// From returns the items from a mark on.
func (r *Record[T]) From(mark int) []T {
	items, _ := r.after(mark)
	return items
}

// after returns the items from a mark on, and a channel that is closed when
// there are more.
func (r *Record[T]) after(mark int) ([]T, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	mark = min(mark, len(r.items))
	return r.items[mark:len(r.items):len(r.items)], r.changed
}

// Wait returns the first item from a mark on that matches, waiting for it;
// false when none has come in time. Time that the machine has withheld does
// not count.
func (r *Record[T]) Wait(mark int, timeout time.Duration, match func(T) bool) (item T, ok bool) {
	begin := time.Now()
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	for {
		items, changed := r.after(mark)
		for _, item := range items {
			if match(item) {
				return item, true
			}
		}
		mark += len(items)
		select {
		case <-changed:
		case <-deadline.C:
			left := time.Until(patience(begin, timeout))
			if left <= 0 {
				return item, false
			}
			deadline.Reset(left)
		}
	}
}

// Until calls poll every few milliseconds until it says true; false when it
// has not in time, as Wait counts it. For what cannot be subscribed to. A poll that
// takes long leaves most of the time to what is waited for.
func Until(timeout time.Duration, poll func() bool) bool {
	begin := time.Now()
	for at := begin; !poll(); at = time.Now() {
		if time.Since(begin) > timeout && time.Now().After(patience(begin, timeout)) {
			return false
		}
		time.Sleep(min(max(2*time.Millisecond, 3*time.Since(at)), 50*time.Millisecond))
	}
	return true
}
