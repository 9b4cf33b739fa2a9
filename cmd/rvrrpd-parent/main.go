// Command rvrrpd-parent is rvrrpd -m1 and, in the background, rvrrpd -m2: the privileged
// parent, which starts the network process rvrrpd-netproc and does for it what the
// configuration grants.
//
// The runtime must not keep a descriptor of a control group open, because
// main closes all that it did not open itself.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"

	"github.com/rvrrpd/rvrrpd/cmd/signals"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent"
	"github.com/rvrrpd/rvrrpd/parent/logger"
	"github.com/rvrrpd/rvrrpd/vault"
	"golang.org/x/sys/unix"
)

// Exit codes. Go ends a program that panics, or whose runtime fails, with 2: a
// service manager must not be told to leave such a daemon down.
const (
	exitFailure   = 1  // the daemon could not go on
	exitUsage     = 2  // command line
	exitViolation = 3  // the network process has broken its confinement, or tried
	exitConfig    = 78 // configuration; EX_CONFIG of sysexits(3)
)

// program is the name of this program's file. Its process has that of the command, by which
// operators know it.
const program, command = "rvrrpd-parent", "rvrrpd"

// The main thread has the mask of signals that the spawner begins with.
func init() { runtime.LockOSThread() }

func main() {
	// The loop waits in the kernel, not in the runtime: with a second processor to give to somebody,
	// that would look for somebody after each system call that takes its time.
	runtime.GOMAXPROCS(1)
	// A daemon that dies of an error of its own dies of a signal, which no
	// service manager takes for a decision.
	debug.SetTraceback("crash")
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// failed tells why this program ends, and returns with what code.
func failed(w io.Writer, code int, err error) int {
	fmt.Fprintln(w, "rvrrpd:", err)
	return code
}

// options are what the command says.
type options struct {
	file, format, build string
	debug               int // -1: not given
	daemon, version     bool
}

// run does what the command says, which has looked at it.
func run(args []string, stdout, stderr io.Writer) int {
	var o options
	fs := flag.NewFlagSet(program, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.file, "conf", "", "")
	fs.StringVar(&o.format, "format", string(conf.TOML), "")
	fs.StringVar(&o.build, "build", ipc.Build(), "")
	fs.IntVar(&o.debug, "debug", -1, "")
	fs.BoolVar(&o.daemon, "daemon", false, "")
	fs.BoolVar(&o.version, "version", false, "")
	err := fs.Parse(args)
	switch {
	case err == nil && o.version:
		fmt.Fprintf(stdout, "%s %s build %s\n", program, ipc.ReleaseName(), ipc.Build())
		return 0
	case err != nil || fs.NArg() > 0 || o.file == "":
		fmt.Fprintln(stderr, program, "is started by rvrrpd -m1 and rvrrpd -m2")
		return exitUsage
	case !o.daemon:
		return begin(o, nil, 3, stderr)
	}
	unix.CloseOnExec(signals.LauncherFD)
	b := newBoot(os.NewFile(signals.LauncherFD, "launcher"))
	code := begin(o, b, signals.LauncherFD+1, b)
	b.end(code)
	return code
}

// begin has the configuration read, and runs the parent in the foreground, or as the daemon
// that a launcher waits for. Descriptors from the first one on are not ours.
func begin(o options, b *boot, first uint, stderr io.Writer) int {
	if o.build != ipc.Build() {
		return failed(stderr, exitFailure, fmt.Errorf("%s is build %q, this is %q", program, ipc.Build(), o.build))
	}
	if err := vault.Seal(); err != nil {
		return failed(stderr, exitFailure, err)
	}
	// Whatever the caller left open is closed, before anything of ours is open.
	if err := unix.CloseRange(first, 1<<32-1, 0); err != nil {
		return failed(stderr, exitFailure, fmt.Errorf("close inherited descriptors: %w", err))
	}
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(unsafe.StringData(command+"\x00"))), 0, 0, 0); err != nil {
		return failed(stderr, exitFailure, err)
	}
	log, err := logger.New()
	if err != nil {
		return failed(stderr, exitFailure, err)
	}
	begun, err := parent.Begin(o.file, conf.Format(o.format), o.daemon, log)
	switch {
	case errors.Is(err, parent.ErrRefused):
		fmt.Fprintln(stderr, err)
		return exitConfig
	case err != nil:
		return failed(stderr, exitFailure, err)
	}
	defer begun.Close(stderr) // also where it is not run
	o.follow(log, begun.Config)
	p := parent.Options{Begun: begun, Signals: signals.Caught, Applied: func(next *conf.Config, later []string) {
		o.follow(log, next)
		log := slog.New(log)
		for _, change := range later {
			log.Warn("has no effect before a restart", "change", change)
		}
	}}
	if b != nil {
		return serve(p, o, log, b)
	}
	return foreground(p, log, stderr)
}

// follow has lines written as a configuration says; the level of the command line wins.
func (o options) follow(log *logger.Logger, c *conf.Config) {
	level := c.Debug
	if o.debug >= 0 {
		level = o.debug
	}
	log.Follow(c, parent.DebugLevel(level))
}

// runParent runs the parent to its end, and then has written what was logged; plainly, where
// there is no keeper for it.
func runParent(p parent.Options, lines *logger.Logger, stderr io.Writer) int {
	log := slog.New(lines)
	code, err := 0, parent.Run(p)
	switch {
	case err == nil:
		log.Info("ended")
	case errors.Is(err, parent.ErrViolation):
		code = exitViolation
	case errors.Is(err, parent.ErrConfiguration):
		code = exitConfig
	default:
		code = exitFailure
	}
	if err != nil {
		log.Error("ended", "error", err)
	}
	p.Begun.Close(stderr)
	return code
}
