package frames

import "time"

// TallyEvery is the least time between two lines of a tally, ns.
const TallyEvery = int64(10 * time.Second)

// Tally counts what can happen very often and is told of seldom: the first at
// once, the rest together with one of them.
type Tally struct {
	untold uint64
	next   int64 // no line before
}

// Add counts n at the instant now, and returns how many are to be told of: 0
// for none yet.
func (t *Tally) Add(n uint64, now int64) uint64 {
	if t.untold += n; now < t.next || t.untold == 0 {
		return 0
	}
	n, t.untold, t.next = t.untold, 0, now+TallyEvery
	return n
}
