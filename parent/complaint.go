package parent

import "time"

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
