// Package pace bounds how often something happens, or is told. It reads no clock: an instant
// is CLOCK_MONOTONIC in ns, as whoever asks has read it.
package pace

import "time"

// Rate is a token bucket: one in Period, Burst at once.
type Rate struct {
	Period time.Duration
	Burst  int64
	full   int64 // when the bucket is full again
}

// Take spends one token at the instant now, and says whether there was one.
func (r *Rate) Take(now int64) bool { return r.Spend(1, now) }

// Spend spends n tokens at once, or none.
func (r *Rate) Spend(n, now int64) bool {
	r.full = max(r.full, now)
	if r.full-now > (r.Burst-n)*int64(r.Period) {
		return false
	}
	r.full += n * int64(r.Period)
	return true
}

// GiveBack takes n tokens back.
func (r *Rate) GiveBack(n int64) { r.full -= n * int64(r.Period) }

// Spent says how long it takes until the bucket is full, in ns.
func (r *Rate) Spent(now int64) int64 { return max(0, r.full-now) }

// complaintEvery is the time after which a trouble that lasts is told again.
const complaintEvery = int64(10 * time.Minute)

// Complaint is a trouble that lasts: it is told when it begins or becomes another, and then
// rarely.
type Complaint struct {
	text string
	next int64
}

// About says whether an error is to be told now; none ends the trouble.
func (c *Complaint) About(err error, now int64) bool {
	if err == nil {
		*c = Complaint{}
		return false
	}
	if err.Error() == c.text && now < c.next {
		return false
	}
	c.text, c.next = err.Error(), now+complaintEvery
	return true
}

// Lasts says whether it was told and has not ended.
func (c *Complaint) Lasts() bool { return c.text != "" }
