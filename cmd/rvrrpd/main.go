// Command rvrrpd is the VRRP daemon: the privileged parent, which starts the
// network process rvrrpd-netproc and does for it what the configuration
// grants.
//
// The runtime must not keep a descriptor of a control group open, because
// main closes all that it did not open itself.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/rvrrpd/rvrrpd/cmd/signals"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent"
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

// The child dies with the thread that started it: stay on the main one.
func init() { runtime.LockOSThread() }

func main() {
	// A daemon that dies of an error of its own dies of a signal, which no
	// service manager takes for a decision.
	debug.SetTraceback("crash")
	if err := vault.Seal(); err != nil {
		os.Exit(failed(os.Stderr, exitFailure, err))
	}
	stage, first := os.Getenv(signals.StageVariable), uint(3)
	os.Unsetenv(signals.StageVariable)
	if stage != "" {
		first = bootFD + 1
	}
	// Whatever the caller left open is closed, before anything of ours is open.
	if err := unix.CloseRange(first, 1<<32-1, 0); err != nil {
		os.Exit(failed(os.Stderr, exitFailure, fmt.Errorf("close inherited descriptors: %w", err)))
	}
	os.Exit(step(stage, os.Args[1:]))
}

// failed tells why a process of this program ends, and returns with what code.
func failed(w io.Writer, code int, err error) int {
	fmt.Fprintln(w, "rvrrpd:", err)
	return code
}

// step is what this process does of the start of a daemon; most are none.
func step(stage string, args []string) int {
	switch stage {
	case signals.Session:
		pid, err := again("daemon", args, bootFD, false)
		if err != nil {
			return failed(os.NewFile(bootFD, "launcher"), exitFailure, err)
		}
		signals.Pass(pid)
		return 0
	case "daemon":
		unix.CloseOnExec(bootFD)
		o, err := parse(args)
		b := newBoot(os.NewFile(bootFD, "launcher"))
		if err != nil {
			return failed(b, exitUsage, fmt.Errorf("%w; see rvrrpd -h", err))
		}
		code := serve(o, b)
		b.end(code)
		return code
	default:
		return run(args, os.Stdout, os.Stderr)
	}
}

// run does what the command line says.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if err != nil || o.mode < 1 {
		signals.Release()
	}
	switch {
	case err != nil:
		return failed(stderr, exitUsage, fmt.Errorf("%w; see rvrrpd -h", err))
	case o.help:
		fmt.Fprint(stdout, usage)
		return 0
	case o.version:
		fmt.Fprintf(stdout, "rvrrpd %s build %s\n", ipc.ReleaseName(), ipc.Build())
		return 0
	case o.audit:
		return become("rvrrpd-audit", stderr, fmt.Sprintf("--json=%t", o.jsonForm))
	case o.check || o.plan != "":
		return become("rvrrpd-check", stderr, "--conf="+o.file, "--format="+o.format, fmt.Sprintf("--given=%t", o.formatGiven), "--plan="+o.plan)
	case o.mode == 0:
		judging := ""
		if o.given {
			judging = o.file
		}
		return become("rvrrpd-sniff", stderr, "--iface="+o.iface, "--read="+o.read, "--write="+o.write, "--own="+o.own, "--conf="+judging, "--format="+o.format,
			fmt.Sprintf("--count=%d", o.count), fmt.Sprintf("--vrid=%d", o.vrid), fmt.Sprintf("--detail=%d", max(o.debug, 0)), fmt.Sprintf("--json=%t", o.jsonForm))
	}
	if o.iface != "" {
		fmt.Fprintln(stderr, "rvrrpd: warning: -i has no effect: the configuration names the interfaces")
	}
	if o.mode == 1 {
		return foreground(o, stderr)
	}
	return launch(args, stderr)
}

// options are what the parent needs of a configuration and a command line.
func (s *style) options(b *parent.Begun, o options, log *slog.Logger) parent.Options {
	applied := func(next *conf.Config, later []string) {
		s.apply(next)
		warnOfLater(o, later, log)
	}
	return parent.Options{Begun: b, Log: log, Applied: applied, Signals: signals.Caught}
}

// daemonKeys are those that matter to the daemon mode alone.
var daemonKeys = []string{"pid", "working_dir", "main_log", "error_log"}

// warnOfLater tells what of a configuration that was loaded differs from the
// one of the start and has no effect yet.
func warnOfLater(o options, later []string, log *slog.Logger) {
	for _, change := range later {
		key, _, _ := strings.Cut(change, " ")
		if o.mode == 2 || !slices.Contains(daemonKeys, key) {
			log.Warn("has no effect before a restart", "change", change)
		}
	}
}

// runParent runs the parent to its end, and then writes what it has logged.
func runParent(p parent.Options, log *slog.Logger, logs queues) int {
	defer logs.flush()
	if err := parent.Run(p); err != nil {
		log.Error("ended", "error", err)
		switch {
		case errors.Is(err, parent.ErrViolation):
			return exitViolation
		case errors.Is(err, parent.ErrConfiguration):
			return exitConfig
		}
		return exitFailure
	}
	log.Info("ended")
	return 0
}
