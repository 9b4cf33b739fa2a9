package netproc

import (
	"fmt"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// Implementation constants: those of poll(2), which package ipc passes on.
const (
	pollIn  = 0x1
	pollOut = 0x4
)

// ready tells which lanes have something to read, or have ended.
type ready struct{ control, frames bool }

// poller returns a function that waits for events on the control lane and
// for something to read on the frames lane, -1 for not at all. Its memory is
// used again every time.
func poller(control int) func(events int16, frames int, timeout time.Duration) (ready, error) {
	fds := descriptors(ipc.Wait, 2)
	return func(events int16, frames int, timeout time.Duration) (ready, error) {
		fds[0].Fd, fds[0].Events, fds[0].Revents = int32(control), events, 0
		fds[1].Fd, fds[1].Events, fds[1].Revents = int32(frames), pollIn, 0
		if _, err := ipc.Wait(fds, timeout); err != nil {
			return ready{}, fmt.Errorf("wait: %w", err)
		}
		return ready{control: fds[0].Revents&^pollOut != 0, frames: fds[1].Revents != 0}, nil
	}
}

// descriptors makes the argument of ipc.Wait. Its type comes by inference:
// to name it would take an import of the system call package, which this
// process has no other use for.
func descriptors[T any](_ func([]T, time.Duration) (int, error), n int) []T { return make([]T, n) }
