package parent

import "time"

// tallyEvery is the least time between two lines of a tally, ns.
const tallyEvery = int64(10 * time.Second)

// tally counts what can happen very often and is told of seldom: the first at
// once, the rest together with one of them.
type tally struct {
	untold uint64
	next   int64 // no line before
}

// add counts n at the instant now, and returns how many are to be told of: 0
// for none yet.
func (t *tally) add(n uint64, now int64) uint64 {
	if t.untold += n; now < t.next || t.untold == 0 {
		return 0
	}
	n, t.untold, t.next = t.untold, 0, now+tallyEvery
	return n
}
