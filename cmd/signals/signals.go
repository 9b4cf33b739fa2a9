// Package signals catches what is sent to the daemon before anything else of
// the program runs: a reload or a stop that comes a moment after the start is
// acted upon, and kills nobody. It imports next to nothing, so that Go
// initialises it among the first.
package signals

import (
	"os"
	"os/signal"
	"unsafe"

	"golang.org/x/sys/unix"
)

// StageVariable names, in the environment, the step of the start of a daemon
// that this process is.
const StageVariable = "RVRRPD_STAGE"

// LauncherFD is the launcher's pipe in the session and in the daemon: lines of text, then a
// zero byte and the exit code of the launcher: 0 when the daemon is ready, that of the daemon
// when it has ended before.
const LauncherFD = 3

// Session is the step that starts the daemon and ends.
const Session = "session"

// Signals that the daemon acts upon: those that end it, and others.
var (
	ending = []os.Signal{unix.SIGTERM, unix.SIGINT}
	others = []os.Signal{unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2}
)

// Caught are those that have come. Whoever starts reading late finds them all:
// more than these nobody sends in the meantime.
var Caught = make(chan os.Signal, 256)

func init() {
	signal.Ignore(unix.SIGPIPE)
	signal.Notify(Caught, ending...)
	if os.Getenv(StageVariable) != Session {
		signal.Notify(Caught, others...)
	}
	// On the main thread alone; Go has another that gets them. What the main thread
	// executes in the place of this program inherits the mask.
	set := Set()
	_ = unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil)
}

// Set are the signals that the daemon acts upon, or ignores.
func Set() (set unix.Sigset_t) {
	for _, s := range append(append(ending, others...), unix.SIGPIPE) {
		n := int(s.(unix.Signal)) - 1
		set.Val[n/wordBits] |= 1 << (n % wordBits)
	}
	return set
}

// wordBits is the width of a word of a set of signals.
const wordBits = int(unsafe.Sizeof(unix.Sigset_t{}.Val[0])) * 8
