// Package effects gives signals the effect that they have on programs that are no daemon:
// that start one, work for one, or have nothing to do with one.
package effects

import (
	"os/signal"

	"github.com/rvrrpd/rvrrpd/cmd/signals"
	"golang.org/x/sys/unix"
)

// Ignore makes this process, which works for the daemon, ignore them: they are
// the parent's to act upon, also when they are sent to all.
func Ignore() {
	signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE)
}

// Launch is for who starts a daemon: those that do not end it have no meaning
// before it reads its configuration and opens its logs. Go leaves SIGHUP
// ignored where it was inherited so, until the daemon wants it.
func Launch() { signal.Ignore(unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2) }

// Release gives signals their usual effect, for what is no daemon. One that
// has come has it now.
func Release() {
	set := signals.Set()
	_ = unix.PthreadSigmask(unix.SIG_UNBLOCK, &set, nil)
	Pass(unix.Getpid())
	signal.Reset(unix.SIGPIPE)
}

// Pass catches no more, and sends what has been caught to a process.
func Pass(pid int) {
	signal.Stop(signals.Caught)
	for {
		select {
		case s := <-signals.Caught:
			_ = unix.Kill(pid, s.(unix.Signal))
		default:
			return
		}
	}
}
