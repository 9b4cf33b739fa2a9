package ipc

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"golang.org/x/sys/unix"
)

// pair returns both ends of a lane.
func pair(t *testing.T) (ours, theirs *Conn) {
	t.Helper()
	ours, fd, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	theirs = FromFD(fd)
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return ours, theirs
}

func send(t *testing.T, c *Conn, words ...string) {
	t.Helper()
	for _, w := range words {
		if err := c.Send([]byte(w)); err != nil {
			t.Fatalf("send %q: %v", w, err)
		}
	}
}

// receive expects these datagrams.
func receive(t *testing.T, c *Conn, words ...string) {
	t.Helper()
	b := make([]byte, MaxDatagram)
	for _, w := range words {
		if n, err := c.Recv(b); err != nil || string(b[:n]) != w {
			t.Fatalf("received %q, %v, want %q", b[:n], err, w)
		}
	}
}

func expect(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func recvError(c *Conn, size int) error {
	_, err := c.Recv(make([]byte, size))
	return err
}

func TestPairFlags(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	for _, c := range []*Conn{ours, theirs} {
		if fl, err := unix.FcntlInt(uintptr(c.FD()), unix.F_GETFD, 0); err != nil || fl&unix.FD_CLOEXEC == 0 {
			t.Errorf("not closed by exec: %x, %v", fl, err)
		}
		if fl, err := unix.FcntlInt(uintptr(c.FD()), unix.F_GETFL, 0); err != nil || fl&unix.O_NONBLOCK == 0 {
			t.Errorf("blocks: %x, %v", fl, err)
		}
		if ty, err := unix.GetsockoptInt(c.FD(), unix.SOL_SOCKET, unix.SO_TYPE); err != nil || ty != unix.SOCK_SEQPACKET {
			t.Errorf("type %d, %v", ty, err)
		}
	}
}

func TestDatagrams(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	expect(t, "nothing there", recvError(ours, 10), ErrAgain)
	send(t, ours, "one", "two")
	send(t, theirs, "three")
	receive(t, theirs, "one", "two")
	receive(t, ours, "three")
	expect(t, "all read", recvError(theirs, 10), ErrAgain)
}

func TestTruncated(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	send(t, ours, "four", "next")
	expect(t, "a byte too short", recvError(theirs, 3), ErrTruncated)
	if n, err := theirs.Recv(make([]byte, 4)); n != 4 || err != nil {
		t.Errorf("exact buffer: %d, %v", n, err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	if theirs.FD() != -1 {
		t.Errorf("a closed end remembers descriptor %d", theirs.FD())
	}
	expect(t, "receive", recvError(ours, 10), io.EOF)
	expect(t, "receive again", recvError(ours, 10), io.EOF)
	expect(t, "send", ours.Send([]byte("x")), io.ErrClosedPipe)
	expect(t, "second close", theirs.Close(), unix.EBADF)
	expect(t, "send on a closed end", theirs.Send([]byte("x")), unix.EBADF)
	expect(t, "receive on a closed end", recvError(theirs, 10), unix.EBADF)
}

// TestLastWords: what an end sent before it closed is read, whether it left
// datagrams unread (the kernel then reports a reset first) or not.
func TestLastWords(t *testing.T) {
	t.Parallel()
	for name, unread := range map[string][]string{"all read": nil, "some unread": {"unread", "unread too"}} {
		ours, theirs := pair(t)
		send(t, theirs, "priority 0", "release")
		send(t, ours, unread...)
		if err := theirs.Close(); err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		receive(t, ours, "priority 0", "release")
		expect(t, name, recvError(ours, 10), io.EOF)
	}
	ours, theirs := pair(t)
	send(t, ours, "unread")
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, "send after unread", ours.Send([]byte("x")), io.ErrClosedPipe)
	expect(t, "receive after unread", recvError(ours, 10), io.EOF)
}

// fill sends until there is no room, and returns how many datagrams fit.
func fill(t *testing.T, c *Conn, b []byte) int {
	t.Helper()
	for n := 0; ; n++ {
		if err := c.Send(b); err != nil {
			expect(t, "full", err, ErrAgain)
			return n
		}
	}
}

func TestBuffers(t *testing.T) {
	t.Parallel()
	var fits []int
	for _, size := range []int{16 << 10, 128 << 10} {
		ours, _ := pair(t)
		if err := ours.SetBuffers(size); err != nil {
			t.Fatal(err)
		}
		fits = append(fits, fill(t, ours, make([]byte, 1000)))
	}
	if fits[0] == 0 || fits[1] < 4*fits[0] {
		t.Errorf("datagrams that fit: %v", fits)
	}
	ours, _ := pair(t)
	if n := fill(t, ours, make([]byte, chunk+HeaderLen+frameLen+MaxFrame)); n == 0 {
		t.Error("the longest batch does not fit an unchanged lane")
	}
	expect(t, "on a closed end", FromFD(-1).SetBuffers(4096), unix.EBADF)
}

func TestBatch(t *testing.T) {
	t.Parallel()
	var batch Batch
	var datagrams [][]byte
	keep := func(b []byte) error { datagrams = append(datagrams, bytes.Clone(b)); return nil }
	if err := batch.Flush(keep); err != nil || datagrams != nil {
		t.Fatalf("an empty batch sends %d datagrams, %v", len(datagrams), err)
	}
	total := 0
	for round := range 3 { // the memory is used again
		datagrams = nil
		want := round * 100
		for i := range want {
			size := (i + round) * 97 % MaxFrame
			if i%10 == 9 {
				size = MaxFrame
			}
			batch.Add(Header{Slot: NoSlot, Sequence: uint32(i)}, Frame{Family: IPv4, Packet: make([]byte, size)})
		}
		total = batch.Len()
		if err := batch.Flush(keep); err != nil || batch.Len() != 0 {
			t.Fatalf("flush: %v, %d bytes left", err, batch.Len())
		}
		next := 0
		for i, d := range datagrams {
			total -= len(d)
			if len(d) > chunk+HeaderLen+frameLen+MaxFrame || i < len(datagrams)-1 && len(d) < chunk {
				t.Errorf("datagram %d of %d has %d bytes", i, len(datagrams), len(d))
			}
			for rest := d; len(rest) > 0; next++ {
				var h Header
				var err error
				if h, _, rest, err = Next(rest); err != nil || h.Sequence != uint32(next) {
					t.Fatalf("message %d: %+v, %v", next, h, err)
				}
			}
		}
		if next != want || total != 0 {
			t.Errorf("round %d: %d messages, want %d; %d bytes missing", round, next, want, total)
		}
	}
}

// TestBatchError: the first error is told, the batch is empty afterwards.
func TestBatchError(t *testing.T) {
	t.Parallel()
	var batch Batch
	for range 20 {
		batch.Add(Header{}, Advertise{make([]byte, MaxAdvertisement)})
	}
	calls := 0
	err := batch.Flush(func([]byte) error {
		calls++
		return []error{nil, ErrAgain, io.ErrClosedPipe}[min(calls-1, 2)]
	})
	expect(t, "flush", err, ErrAgain)
	if calls != 3 || batch.Len() != 0 {
		t.Errorf("%d datagrams offered, %d bytes left", calls, batch.Len())
	}
}

// TestBatchWipes: no memory that a batch has used keeps what was in it, also
// that which it has outgrown.
func TestBatchWipes(t *testing.T) {
	t.Parallel()
	var b Batch
	secret := []byte("hunter2hunter2hunter2hunter2hunter2")
	var used [][]byte
	for range 4000 {
		b.Add(Header{Slot: 1}, Secret{ID: 1, Value: secret})
		whole := b.b[:cap(b.b)]
		if len(used) == 0 || &used[len(used)-1][0] != &whole[0] {
			used = append(used, whole)
		}
	}
	sent := 0
	if err := b.Flush(func(d []byte) error { sent += bytes.Count(d, secret); return nil }); err != nil || sent != 4000 {
		t.Errorf("%d sent: %v", sent, err)
	}
	b.Wipe()
	b.Add(Header{Slot: 1}, Secret{ID: 1, Value: secret})
	b.Wipe()
	if b.Len() != 0 || len(used) < 3 {
		t.Errorf("%d bytes left, %d pieces of memory used", b.Len(), len(used))
	}
	for i, m := range used {
		if n := bytes.Count(m, secret); n > 0 {
			t.Errorf("memory %d of %d: %d secrets", i, len(used), n)
		}
	}
}
