package ipc

import (
	"time"

	"golang.org/x/sys/unix"
)

// Wait waits until a descriptor is ready or the timeout, exact to the
// nanosecond the kernel grants, is over; a negative timeout never is. It
// returns the number of ready descriptors; an interruption counts as none.
func Wait(fds []unix.PollFd, timeout time.Duration) (int, error) {
	var ts *unix.Timespec
	if timeout >= 0 {
		t := unix.NsecToTimespec(int64(timeout))
		ts = &t
	}
	n, err := unix.Ppoll(fds, ts, nil)
	if err == unix.EINTR {
		for i := range fds {
			fds[i].Revents = 0
		}
		return 0, nil
	}
	return n, err
}

// origin pairs CLOCK_MONOTONIC with the Go runtime's reading of the same
// clock, which costs no system call.
var origin, started = func() (int64, time.Time) {
	var ts unix.Timespec
	t := time.Now()
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0, t
	}
	return ts.Nano(), t
}()

// Monotonic is CLOCK_MONOTONIC in nanoseconds: the one clock both processes
// and the arrival times of packets are on.
func Monotonic() int64 { return origin + int64(time.Since(started)) }
