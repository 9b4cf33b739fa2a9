// Command stress is the network process with work for the Go runtime beside
// its own: it collects garbage, starts and ends threads, preempts, wakes its
// poller, and dies of a panic in the end. It is built and started by the lab's
// tests in the place of rvrrpd-netproc, so that a trace shows what the runtime
// may ever want of the kernel.
package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"golang.org/x/sys/unix"
)

func init() { runtime.LockOSThread() }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	switch os.Getenv(sandbox.StageVariable) {
	case "1":
		return sandbox.Confine()
	case "2":
	default:
		return errors.New("started by the lab only")
	}
	report, err := sandbox.Enter("rvrrpd-netproc")
	if err != nil {
		return err
	}
	go stress()
	return netproc.Run(netproc.Options{Control: ipc.FromFD(sandbox.ControlFD), Frames: ipc.FromFD(sandbox.FramesFD), Landlock: report.Landlock})
}

// stress works for a while, and panics.
func stress() {
	for range 4 {
		threads()
		compute()
		collect()
		timers()
		wake()
		rand.Read(make([]byte, 64))
	}
	var nothing *int
	*nothing = 1
}

// threads makes the runtime start threads that wait in the kernel, for its
// timers and by themselves, and that end.
func threads() {
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			runtime.LockOSThread() // the thread ends with the goroutine
			ts := unix.NsecToTimespec(int64(50 * time.Millisecond))
			unix.Nanosleep(&ts, nil)
			time.Sleep(time.Millisecond)
		})
	}
	wg.Wait()
}

// kept keeps the heap large until the next round.
var kept [][]byte

// compute has a goroutine that does not give way, and is preempted.
func compute() {
	var stop atomic.Bool
	go func() {
		for !stop.Load() {
		}
	}()
	for range 5 {
		time.Sleep(20 * time.Millisecond)
	}
	stop.Store(true)
}

// collect has more pieces of the heap at once than the runtime first counts
// with, and then leaves them as garbage.
func collect() {
	debug.SetMemoryLimit(192 << 20)
	for range 9000 {
		kept = append(kept, make([]byte, 8<<10))
	}
	kept = nil
	for range 3 {
		runtime.GC()
		debug.FreeOSMemory()
		time.Sleep(time.Millisecond)
	}
}

// timers lets Go's own timers and its poller work.
func timers() {
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			ticker := time.NewTicker(time.Duration(i+1) * 100 * time.Microsecond)
			defer ticker.Stop()
			for range 10 {
				<-ticker.C
			}
		})
	}
	wg.Wait()
}

// wake sets a timer while another thread waits in the poller for a later one:
// that thread has to be woken through the eventfd.
func wake() {
	go time.Sleep(time.Hour)
	for range 5 {
		ts := unix.NsecToTimespec(int64(20 * time.Millisecond))
		unix.Nanosleep(&ts, nil)
		<-time.After(time.Millisecond)
	}
}
