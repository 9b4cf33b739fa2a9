package parent

import (
	"time"

	"github.com/rvrrpd/rvrrpd/records"
)

// complaintEvery is the time after which a trouble that lasts is told again.
const complaintEvery = int64(10 * time.Minute)

// complaint is a trouble that lasts: it is told when it begins or becomes
// another, and then rarely.
type complaint struct {
	text string
	next int64
}

// about says whether an error is to be told now; none ends the trouble.
func (c *complaint) about(err error, now int64) bool {
	if err == nil {
		*c = complaint{}
		return false
	}
	if err.Error() == c.text && now < c.next {
		return false
	}
	c.text, c.next = err.Error(), now+complaintEvery
	return true
}

// lasts says whether it was told and has not ended.
func (c *complaint) lasts() bool { return c.text != "" }

// rate is a token bucket: one in period, burst at once.
type rate struct {
	period time.Duration
	burst  int64
	due    int64 // when the bucket is full again, CLOCK_MONOTONIC in ns
}

// repairRate is that of lines about what is put back: whoever removes it again
// and again gets five lines, and one in ten seconds, which say how often.
var repairRate = rate{period: 10 * time.Second, burst: 5}

// limit is a full bucket of a rate that is granted.
func limit(r records.Rate) rate { return rate{period: r.Period, burst: r.Burst} }

// giveBack takes n tokens back.
func (r *rate) giveBack(n int64) { r.due -= n * int64(r.period) }

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
