package ipc

import (
	"os"
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
	if err == unix.EINTR { // the kernel has cleared every Revents
		return 0, nil
	}
	return n, err
}

// origin pairs CLOCK_MONOTONIC with the Go runtime's reading of the same
// clock, which costs no system call. The best of some pairs is taken: a pause
// between the two readings would shift every deadline.
var origin, started = func() (origin int64, started time.Time) {
	var ts unix.Timespec
	for best, try := time.Hour, 0; try < 8; try++ {
		t := time.Now()
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			panic("CLOCK_MONOTONIC: " + err.Error())
		}
		if gap := time.Since(t); gap < best {
			best, origin, started = gap, ts.Nano(), t
		}
	}
	return origin, started
}()

// Monotonic is CLOCK_MONOTONIC in nanoseconds: the one clock both processes
// and the arrival times of packets are on.
func Monotonic() int64 { return origin + int64(time.Since(started)) }

// SignalFD returns a descriptor from which the numbers of the signals can be read that
// the caller has caught, so that Wait waits for them with everything else.
func SignalFD(caught <-chan os.Signal) (int, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return -1, err
	}
	go func() {
		for s := range caught {
			unix.Write(pipe[1], []byte{byte(s.(unix.Signal))})
		}
	}()
	return pipe[0], nil
}
