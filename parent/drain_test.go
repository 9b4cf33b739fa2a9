package parent

import (
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestEveryDrainIsAnswered: each question whether anything has arrived has its answer.
func TestEveryDrainIsAnswered(t *testing.T) {
	t.Parallel()
	d, other := talking(t)
	for turn := range 3 {
		for range 3 {
			d.answerDrain(ipc.Header{Type: ipc.TypeDrain, Slot: ipc.NoSlot, Generation: 1, Sequence: 7})
		}
		if err := d.flush(); err != nil {
			t.Fatal(err)
		}
		n, err := other.Recv(d.datagram)
		if err != nil {
			t.Fatal(err)
		}
		answers := 0
		for rest := d.datagram[:n]; len(rest) > 0; answers++ {
			var h ipc.Header
			if h, _, rest, err = ipc.Next(rest); err != nil || h.Type != ipc.TypeResult || h.Sequence != 7 {
				t.Fatalf("%+v, %v", h, err)
			}
		}
		if answers != 3 {
			t.Errorf("turn %d: %d answers, want 3", turn, answers)
		}
	}
}
