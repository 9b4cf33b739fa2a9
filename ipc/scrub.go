package ipc

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Scrub is called when secrets have been copied and wiped: pieces of them are
// still in the processor's registers, and where a signal has saved these. It
// fills the registers with zeros and has them saved once more.
func Scrub() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// In lengths for which the runtime uses different registers.
	blank := make([]byte, 8<<10)
	for n := 16; n <= len(blank)/2; n *= 2 {
		copy(blank[:n], blank[n:])
	}
	// What the runtime sends to itself to interrupt a goroutine.
	_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGURG)
}
