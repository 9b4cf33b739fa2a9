package logs

import "time"

// rate is a token bucket: one in period, burst at once.
type rate struct {
	period time.Duration
	burst  int64
	due    int64 // when the bucket is full again, ns
}

// take spends one token at the instant now, and says whether there was one.
func (r *rate) take(now int64) bool { return r.spend(1, now) }

// spend spends n tokens at once, or none.
func (r *rate) spend(n, now int64) bool {
	r.due = max(r.due, now)
	if r.due-now > (r.burst-n)*int64(r.period) {
		return false
	}
	r.due += n * int64(r.period)
	return true
}
