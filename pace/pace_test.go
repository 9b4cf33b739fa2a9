package pace

import (
	"errors"
	"testing"
	"time"
)

// TestRate: as many at once as the bucket has room for, and then one in a period.
func TestRate(t *testing.T) {
	t.Parallel()
	const second = int64(time.Second)
	r := Rate{Period: time.Second, Burst: 3}
	for i, tt := range []struct {
		n, now int64
		want   bool
		spent  int64
	}{
		{4, 0, false, 0}, {2, 0, true, 2}, {2, 0, false, 2}, {1, 0, true, 3}, {1, 0, false, 3},
		{1, second - 1, false, 3}, {1, second, true, 3}, {1, second, false, 3}, {3, 10 * second, true, 3},
	} {
		if got := r.Spend(tt.n, tt.now); got != tt.want || r.Spent(tt.now-tt.now%second) != tt.spent*second {
			t.Errorf("%d: %d at %d: %v, %v s", i, tt.n, tt.now, got, float64(r.Spent(tt.now))/float64(second))
		}
	}
	if r.GiveBack(2); !r.Spend(2, 10*second) || r.Take(10*second) {
		t.Error("what is given back is not there, or more is")
	}
}

// TestComplaint: what lasts is told when it begins, when it becomes another,
// and after a long time.
func TestComplaint(t *testing.T) {
	t.Parallel()
	one, two := errors.New("one"), errors.New("two")
	var c Complaint
	for i, tt := range []struct {
		err  error
		now  int64
		want bool
	}{{nil, 0, false}, {one, 1, true}, {one, 2, false}, {two, 3, true}, {one, 4, true}, {one, 3 + complaintEvery, false}, {one, 4 + complaintEvery, true}, {nil, 9, false}, {one, 10, true}} {
		if got := c.About(tt.err, tt.now); got != tt.want || c.Lasts() != (tt.err != nil) {
			t.Errorf("%d: %v at %d: %v, lasts %v", i, tt.err, tt.now, got, c.Lasts())
		}
	}
}
