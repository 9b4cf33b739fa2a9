package ipc

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func clock(t *testing.T) int64 {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		t.Fatal(err)
	}
	return ts.Nano()
}

// TestMonotonic: within a millisecond of the clock itself, as long as nothing
// delays the two readings around it; the best of some tries counts.
func TestMonotonic(t *testing.T) {
	t.Parallel()
	const allowed = int64(time.Millisecond)
	off := int64(1 << 62)
	for range 100 {
		before, now, after := clock(t), Monotonic(), clock(t)
		off = min(off, max(before-now, now-after, 0))
		if now < before-allowed || now > after+allowed {
			t.Fatalf("%d is not between %d and %d", now, before, after)
		}
	}
	t.Logf("off by %d ns", off)
	for last, i := Monotonic(), 0; i < 1000; i++ {
		now := Monotonic()
		if now < last {
			t.Fatalf("went back from %d to %d", last, now)
		}
		last = now
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	fds := []unix.PollFd{{Fd: -1, Events: unix.POLLIN}, {Fd: int32(ours.FD()), Events: unix.POLLIN}}
	for _, timeout := range []time.Duration{0, 1, 1500 * time.Microsecond, 20 * time.Millisecond} {
		start := time.Now()
		if n, err := Wait(fds, timeout); n != 0 || err != nil {
			t.Errorf("nothing ready: %d, %v", n, err)
		}
		if waited := time.Since(start); waited < timeout {
			t.Errorf("waited %v of %v", waited, timeout)
		}
	}
	if n, err := Wait(nil, time.Microsecond); n != 0 || err != nil {
		t.Errorf("no descriptors: %d, %v", n, err)
	}
	send(t, theirs, "word")
	for _, timeout := range []time.Duration{-1, 0, time.Hour} {
		if n, err := Wait(fds, timeout); n != 1 || err != nil || fds[1].Revents != unix.POLLIN || fds[0].Revents != 0 {
			t.Errorf("readable, timeout %v: %d, %v, %x", timeout, n, err, fds[1].Revents)
		}
	}
	receive(t, ours, "word")
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := Wait(fds, -1); n != 1 || err != nil || fds[1].Revents&unix.POLLHUP == 0 {
		t.Errorf("closed: %d, %v, %x", n, err, fds[1].Revents)
	}
}

// TestWaitForRoom: a full lane becomes writable when the other end reads.
func TestWaitForRoom(t *testing.T) {
	t.Parallel()
	ours, theirs := pair(t)
	fill(t, ours, make([]byte, 1000))
	fds := []unix.PollFd{{Fd: int32(ours.FD()), Events: unix.POLLOUT}}
	if n, err := Wait(fds, 0); n != 0 || err != nil {
		t.Fatalf("full: %d, %v", n, err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b := make([]byte, 1000)
		for _, err := theirs.Recv(b); err == nil; _, err = theirs.Recv(b) {
		}
	}()
	if n, err := Wait(fds, -1); n != 1 || err != nil || fds[0].Revents&unix.POLLOUT == 0 {
		t.Errorf("read empty: %d, %v, %x", n, err, fds[0].Revents)
	}
	<-read
}

// TestWaitInterrupted: a signal ends the wait with nothing ready.
func TestWaitInterrupted(t *testing.T) {
	t.Parallel()
	ours, _ := pair(t)
	var thread atomic.Int64
	type result struct {
		n       int
		err     error
		revents int16
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		fds := []unix.PollFd{{Fd: int32(ours.FD()), Events: unix.POLLIN, Revents: unix.POLLIN}}
		thread.Store(int64(unix.Gettid()))
		n, err := Wait(fds, -1)
		done <- result{n, err, fds[0].Revents}
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case got := <-done:
			if got != (result{}) {
				t.Errorf("interrupted: %+v", got)
			}
			return
		case <-tick.C:
			if id := int(thread.Load()); id != 0 {
				// The runtime uses SIGURG itself and takes it at any time.
				if err := unix.Tgkill(unix.Getpid(), id, unix.SIGURG); err != nil {
					t.Error(err)
				}
			}
		}
	}
}
