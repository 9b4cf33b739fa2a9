package frames

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// laneOf is a lane of packets, and its other end.
func laneOf(t *testing.T) (to Lane, other *ipc.Conn) {
	t.Helper()
	conn, end, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	other = ipc.FromFD(end)
	t.Cleanup(func() { conn.Close(); other.Close() })
	return Lane{Conn: conn, Generation: 1}, other
}

// read has a packet wait for the end of the turn.
func (f *Forwarder) read(size int) {
	f.batch.Add(ipc.Header{Slot: ipc.NoSlot}, ipc.Frame{Family: ipc.IPv4, Packet: make([]byte, size)})
}

// TestLaneLoss: what the network process does not take counts as lost, once for each loss.
func TestLaneLoss(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	f := NewForwarder(slog.New(slog.NewTextHandler(&said, nil)))
	to, _ := laneOf(t)
	missed := func() bool {
		f.Drain(to)
		f.EndTurn()
		_, lost := f.Missed()
		return lost
	}
	if missed() {
		t.Error("nothing was lost, and yet it is told")
	}
	for f.losses.batches == 0 {
		f.read(ipc.MaxFrame)
		f.flush(to)
	}
	before := ipc.Monotonic()
	if !missed() || missed() {
		t.Error("not told once that packets were lost")
	}
	if until, _ := f.Missed(); until < before {
		t.Errorf("lost by %d, found at %d", until, before)
	}
	if !strings.Contains(said.String(), "packets lost") || strings.Count(said.String(), "\n") != 1 {
		t.Errorf("it said\n%s", said.String())
	}
}

// TestDrainOnceATurn: who asks again before it can have the answer has nothing
// forwarded for it; in the next turn it has.
func TestDrainOnceATurn(t *testing.T) {
	t.Parallel()
	f := NewForwarder(slog.New(slog.DiscardHandler))
	to, other := laneOf(t)
	for turn := range 3 {
		for question := range 3 {
			f.read(1)
			f.Drain(to)
			n := 0
			for b := make([]byte, ipc.MaxDatagram); ; n++ {
				if _, err := other.Recv(b); err != nil {
					break
				}
			}
			if want := 1 - min(question, 1); n != want {
				t.Errorf("turn %d, question %d: %d datagrams forwarded, want %d", turn, question, n, want)
			}
		}
		f.EndTurn()
	}
}

// TestLeave: an interface that another link has become is that one's to leave.
func TestLeave(t *testing.T) {
	t.Parallel()
	f := NewForwarder(slog.New(slog.DiscardHandler))
	for _, link := range []ipc.Link{1, 2} {
		if err := f.Join(7, ipc.IPv4, link); err != nil {
			t.Fatal(err)
		}
	}
	at := arrival{7, ipc.IPv4}
	if f.Leave(7, ipc.IPv4, 1); f.links[at] != 2 {
		t.Errorf("the interface is that of link %d", f.links[at])
	}
	if f.Leave(7, ipc.IPv4, 2); len(f.links) != 0 {
		t.Errorf("after leaving: %v", f.links)
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	var c Tally
	for _, tt := range []struct {
		n    uint64
		now  int64
		want uint64
	}{{0, 0, 0}, {1, 1, 1}, {1, 2, 0}, {5, TallyEvery, 0}, {0, 1 + TallyEvery, 6}, {0, 5 * TallyEvery, 0}, {2, 6 * TallyEvery, 2}} {
		if got := c.Add(tt.n, tt.now); got != tt.want {
			t.Errorf("%d at %d: %d, want %d", tt.n, tt.now, got, tt.want)
		}
	}
}
