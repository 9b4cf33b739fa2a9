package parent

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestLaneLoss: what the child does not take counts as lost, and the child is
// told before its question is answered, once for each loss.
func TestLaneLoss(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	d := &daemon{log: slog.New(slog.NewTextHandler(&said, nil)), now: 1, generation: 1, child: &child{Child: &children.Child{}, phase: ipc.PhaseRun}}
	var ends [2]*ipc.Conn
	for i, lane := range []**ipc.Conn{&d.child.Control, &d.child.Frames} {
		conn, end, err := ipc.Pair()
		if err != nil {
			t.Fatal(err)
		}
		*lane, ends[i] = conn, ipc.FromFD(end)
		t.Cleanup(func() { conn.Close(); ipc.FromFD(end).Close() })
	}
	drained := func() (missed bool) {
		d.answerDrain(ipc.Header{Type: ipc.TypeDrain, Slot: ipc.NoSlot, Generation: 1, Sequence: 7})
		if err := d.flush(); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, ipc.MaxDatagram)
		n, err := ends[0].Recv(b)
		if err != nil {
			t.Fatal(err)
		}
		h, _, rest, err := ipc.Next(b[:n])
		if h.Type == ipc.TypeMissed {
			missed = true
			h, _, rest, err = ipc.Next(rest)
		}
		if err != nil || h.Type != ipc.TypeResult || h.Sequence != 7 || len(rest) > 0 {
			t.Fatalf("%v %+v, and %d bytes", err, h, len(rest))
		}
		return missed
	}
	if drained() {
		t.Error("nothing was lost, and yet it is told")
	}
	for d.lost == 0 {
		d.batch.Add(ipc.Header{Slot: ipc.NoSlot}, ipc.Frame{Family: ipc.IPv4, Packet: make([]byte, ipc.MaxFrame)})
		d.passOn()
	}
	if !drained() || drained() {
		t.Error("not told once that packets were lost")
	}
	if !strings.Contains(said.String(), "packets lost") || strings.Count(said.String(), "\n") != 1 {
		t.Errorf("it said\n%s", said.String())
	}
}

// TestDrainOnceATurn: who asks again before it can have the answer has nothing
// forwarded for it; in the next turn it has.
func TestDrainOnceATurn(t *testing.T) {
	t.Parallel()
	d, other := talking(t)
	ours, end, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	lane := ipc.FromFD(end)
	t.Cleanup(func() { ours.Close(); lane.Close() })
	d.child.Frames = ours
	forwarded := func() (n int) {
		for b := make([]byte, ipc.MaxDatagram); ; n++ {
			if _, err := lane.Recv(b); err != nil {
				return n
			}
		}
	}
	ask := func() {
		d.batch.Add(ipc.Header{Slot: ipc.NoSlot}, ipc.Frame{Family: ipc.IPv4, Packet: []byte{1}})
		d.answerDrain(ipc.Header{Type: ipc.TypeDrain, Slot: ipc.NoSlot, Generation: 1, Sequence: 7})
	}
	for turn := range 3 {
		for question := range 3 {
			ask()
			if got, want := forwarded(), 1-min(question, 1); got != want {
				t.Errorf("turn %d, question %d: %d datagrams forwarded, want %d", turn, question, got, want)
			}
		}
		if err := d.flush(); err != nil {
			t.Fatal(err)
		}
		if n, err := other.Recv(d.datagram); err != nil || n != 3*len(ipc.Append(nil, ipc.Header{}, ipc.Result{})) {
			t.Errorf("turn %d: answers of %d bytes, %v", turn, n, err)
		}
	}
}
