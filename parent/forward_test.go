package parent

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestClocks: that the wall clock was set is seen by its distance from the
// other clock, whatever the time between two looks and within one.
func TestClocks(t *testing.T) {
	t.Parallel()
	const ms, start = int64(time.Millisecond), int64(1 << 60)
	var c clocks
	ahead := start
	for i, step := range []struct {
		mono, took, set int64
		want            bool
	}{
		{1000 * ms, 100, 0, false},
		{2000 * ms, 50, 0, false},
		{9000 * ms, 5 * ms, 0, false}, // not scheduled between the two
		{9001 * ms, 50, ms, true},     // on
		{9002 * ms, 50, 0, false},
		{9003 * ms, 7 * ms, 5 * ms, true},
		{9900 * ms, 50, -3000 * ms, true}, // back
		{9901 * ms, 50, 1, false},         // too little to matter
		{9999 * ms, 50, 3600 * 1000 * ms, true},
		{19999 * ms, 50, 0, false},
	} {
		ahead += step.set
		if got := c.compare(step.mono, step.mono+step.took/2+ahead, step.mono+step.took); got != step.want {
			t.Errorf("look %d: %v, want %v", i, got, step.want)
		}
	}
	var real clocks
	for range 1000 {
		now, wall, set := real.look()
		if set || now <= 0 || wall < now {
			t.Fatalf("nobody sets the clock, and yet %v (%d, %d)", set, now, wall)
		}
	}
}

// TestArrival: a packet arrived after the one before it and before now; when
// the wall clock was set, now, until the socket is empty.
func TestArrival(t *testing.T) {
	t.Parallel()
	r := &receiver{drained: ipc.Monotonic() - int64(time.Second)}
	before := ipc.Monotonic()
	if at := r.arrival(time.Now().Add(-100 * time.Millisecond).UnixNano()); at >= before || at < before-int64(200*time.Millisecond) {
		t.Errorf("100 ms ago: %d, now is %d", at, before)
	}
	held := r.drained
	if at := r.arrival(time.Now().Add(-time.Hour).UnixNano()); at != held {
		t.Errorf("before the packet before: %d, want %d", at, held)
	}
	if at := r.arrival(time.Now().Add(time.Hour).UnixNano()); at < before || at > ipc.Monotonic() {
		t.Errorf("in an hour: %d", at)
	}
	r.drained = held
	r.clocks.least -= int64(time.Minute) // as if the clock had been set on
	r.clocks.most -= int64(time.Minute)
	for range 3 {
		if at := r.arrival(time.Now().Add(-10 * time.Minute).UnixNano()); at < before {
			t.Errorf("the clock was set: %d, want now", at)
		}
	}
	r.set = false // the socket was empty
	stamp := time.Now().UnixNano()
	before = ipc.Monotonic()
	if at := r.arrival(stamp); at > before+int64(10*time.Microsecond) {
		t.Errorf("the clock was set before it arrived: %d, want %d", at, before)
	}
}

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
