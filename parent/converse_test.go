package parent

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// talking is a parent with a child that is this test.
func talking(t *testing.T) (d *daemon, other *ipc.Conn) {
	t.Helper()
	ours, fd, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	other = ipc.FromFD(fd)
	t.Cleanup(func() { ours.Close(); other.Close() })
	if err := other.SetBuffers(1 << 20); err != nil {
		t.Fatal(err)
	}
	return &daemon{log: slog.New(slog.NewTextHandler(io.Discard, nil)), generation: 1, datagram: make([]byte, ipc.MaxDatagram),
		child: &child{control: ours, phase: ipc.PhaseRun, reports: rate{period: time.Second, burst: 1}}}, other
}

// TestConverseIsBounded: a turn hears no more than it has room for, however
// fast the child talks, and the next one goes on where it stopped.
func TestConverseIsBounded(t *testing.T) {
	t.Parallel()
	d, other := talking(t)
	one := ipc.Append(nil, ipc.Header{Slot: ipc.NoSlot, Generation: 1}, ipc.Drain{})
	const each, datagrams = 100, 50
	for range datagrams {
		if err := other.Send(bytes.Repeat(one, each)); err != nil {
			t.Fatal(err)
		}
	}
	heard := 0
	for turns := 1; heard < datagrams*each; turns++ {
		if err := d.converse(); err != nil {
			t.Fatal(err)
		}
		answer := len(ipc.Append(nil, ipc.Header{}, ipc.Result{}))
		n := d.outgoing.Len() / answer
		if n == 0 || n > hearMax+each {
			t.Fatalf("turn %d has heard %d messages, room is for %d", turns, n, hearMax)
		}
		heard += n
		d.outgoing = ipc.Batch{}
	}
	if _, err := d.child.control.Recv(d.datagram); !errors.Is(err, ipc.ErrAgain) {
		t.Errorf("after the last turn: %v", err)
	}
}
