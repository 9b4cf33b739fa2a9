package parent

import (
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestExcuse: what the parent itself takes, because the kernel keeps it waiting, is no
// time of a network process that is to end; what that one says meanwhile is heard first.
// It does not put its end off by talking.
func TestExcuse(t *testing.T) {
	t.Parallel()
	d, _, e := besieged(t)
	defer e.close()
	second := int64(time.Second)
	d.stopping, d.child.phase = true, ipc.PhaseStop
	d.settingsNext = never
	for _, tt := range []struct {
		name        string
		began, took int64 // of the deadline
		late        bool
	}{
		{"in time", -second / 2, second / 10, false},
		{"the turn outlasted it", -second / 2, second, false},
		{"it was over when the turn began", 0, 0, true},
	} {
		d.child.deadline = d.now + second
		deadline := d.child.deadline
		began := deadline + tt.began
		d.now = began + tt.took
		if err := d.due(began); (err != nil) != tt.late {
			t.Errorf("%s: %v", tt.name, err)
		}
		if d.child.excuse(tt.took); d.child.deadline != deadline+max(0, tt.took-stopTime/10) {
			t.Errorf("%s: put off by %v", tt.name, time.Duration(d.child.deadline-deadline))
		}
		d.now = deadline - second
	}
	// A child that keeps us busy all the time, in turns as long as it can make them.
	c := &child{deadline: second}
	for range 100 {
		c.excuse(stopTime / 10)
	}
	if c.deadline != second {
		t.Errorf("put off by %v", time.Duration(c.deadline-second))
	}
	c.deadline = never
	if c.excuse(second); c.deadline != never {
		t.Error("what never ends has ended")
	}
}
