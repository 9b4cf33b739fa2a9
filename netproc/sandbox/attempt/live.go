package main

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"golang.org/x/sys/unix"
)

// hog takes memory until the limit stops it.
func hog() string {
	var kept [][]byte
	for i := 0; i < 1<<10; i++ {
		b := make([]byte, 1<<20)
		for j := range b {
			b[j] = 1
		}
		kept = append(kept, b)
	}
	runtime.KeepAlive(kept)
	return "took a gigabyte"
}

// threads makes the runtime start threads, and end some.
func threads() string {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			runtime.LockOSThread() // the thread ends with the goroutine
			time.Sleep(time.Millisecond)
		})
	}
	wg.Wait()
	return "done"
}

// collector puts the garbage collector and the preemption of busy goroutines
// to work.
func collector() string {
	stop := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	var kept [16][]byte
	for i := range 2000 {
		kept[i%len(kept)] = make([]byte, 1<<16)
	}
	for range 5 {
		runtime.GC()
		debug.FreeOSMemory()
		time.Sleep(time.Millisecond)
	}
	close(stop)
	return "done"
}

// crash dies of a nil pointer, with a trace.
func crash() string {
	var p *int
	*p = 1
	return "alive"
}

// patience waits long enough to be stopped and continued.
func patience() string {
	ts := unix.NsecToTimespec(int64(300 * time.Millisecond))
	if errno := poll(nil, &ts); errno != 0 {
		return errno.Error()
	}
	return "done"
}

// sleep waits for ever, in a Go timer.
func sleep() string {
	time.Sleep(time.Hour)
	return "awake"
}

// timeouts waits for nothing, with the timeouts of a loop.
func timeouts() string {
	fds := []unix.PollFd{{Fd: sandbox.ControlFD}, {Fd: sandbox.FramesFD}}
	for _, d := range []time.Duration{0, 1, time.Microsecond, 200 * time.Microsecond, 3 * time.Millisecond} {
		begin, ts := time.Now(), unix.NsecToTimespec(int64(d))
		if errno := poll(fds, &ts); errno != 0 {
			return errno.Error()
		}
		if took := time.Since(begin); took < d {
			return fmt.Sprintf("%v instead of %v", took, d)
		}
	}
	return "done"
}

// exchange sends back on the control lane what comes on the frames lane.
func exchange() string {
	for range 3 {
		say(hear(sandbox.FramesFD))
	}
	return "done"
}

// timers lets Go's own timers and its poller work.
func timers() string {
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
	return "done"
}

// wake sets a timer while another thread waits in the poller for a later one:
// that thread has to be woken through the eventfd.
func wake() string {
	go time.Sleep(time.Hour)
	for range 5 {
		ts := unix.NsecToTimespec(int64(20 * time.Millisecond)) // long enough for another thread to take over
		if errno := poll(nil, &ts); errno != 0 && errno != unix.EINTR {
			return errno.Error()
		}
		<-time.After(time.Millisecond)
	}
	return "done"
}

// random takes random numbers from the kernel, or from the vDSO.
func random() string {
	var b [64]byte
	if _, err := rand.Read(b[:]); err != nil {
		return err.Error()
	}
	if b == [64]byte{} {
		return "no random numbers"
	}
	return "done"
}

// busy computes until it is told to stop, and is preempted for it.
func busy() string {
	var stop atomic.Bool
	go func() {
		for !stop.Load() {
		}
	}()
	hear(sandbox.ControlFD)
	stop.Store(true)
	return "done"
}

// bomb wants more threads than the limit allows.
func bomb() string {
	for range 1000 {
		go func() {
			runtime.LockOSThread()
			select {}
		}()
	}
	time.Sleep(5 * time.Second)
	return "a thousand threads"
}
