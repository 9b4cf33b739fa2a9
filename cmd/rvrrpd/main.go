// Command rvrrpd is what operators call. It reads the command line, executes the program that
// does what that says, and starts daemons; it opens no configuration and uses no privilege.
//
// The runtime must not keep a descriptor of a control group open, because
// main closes all that it did not open itself.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/rvrrpd/rvrrpd/cmd/effects"
	"github.com/rvrrpd/rvrrpd/cmd/signals"
	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// Exit codes; others are those of the programs.
const (
	exitFailure = 1
	exitUsage   = 2 // command line
)

// The main thread's mask of signals is what the next program begins with.
func init() { runtime.LockOSThread() }

func main() {
	stage, first := os.Getenv(signals.StageVariable), uint(3)
	os.Unsetenv(signals.StageVariable)
	if stage != "" {
		first = signals.LauncherFD + 1
	}
	// Whatever the caller left open is closed, before anything of ours is open.
	if err := unix.CloseRange(first, 1<<32-1, 0); err != nil {
		os.Exit(failed(os.Stderr, exitFailure, fmt.Errorf("close inherited descriptors: %w", err)))
	}
	if stage == signals.Session {
		os.Exit(lead(os.Args[1:]))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// failed tells why this program ends, and returns with what code.
func failed(w io.Writer, code int, err error) int {
	fmt.Fprintln(w, "rvrrpd:", err)
	return code
}

// run does what the command line says.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if err != nil || o.mode < 1 {
		effects.Release()
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
	if o.mode == 2 {
		return launch(args, stderr)
	}
	if keepSignals() {
		return 0
	}
	return become(parentName, stderr, o.parent()...)
}
