// Command rvrrpd-netproc is the network process. It is started by rvrrpd,
// confines itself in two stages, and serves.
package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
)

// name is the process's own, in the list of processes.
const name = "rvrrpd-netproc"

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
	exitWalls   = 70 // the confinement could not be built
)

func init() { runtime.LockOSThread() }

func main() { os.Exit(run()) }

func run() int {
	switch os.Getenv(sandbox.StageVariable) {
	case "1":
		return say(sandbox.Confine(), exitWalls)
	case "2":
		report, err := sandbox.Enter(name)
		if err != nil {
			return say(err, exitWalls)
		}
		return say(netproc.Run(netproc.Options{
			Control: ipc.FromFD(sandbox.ControlFD), Frames: ipc.FromFD(sandbox.FramesFD), Landlock: report.Landlock,
		}), exitFailure)
	}
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Printf("%s %s build %s\n", name, ipc.ReleaseName(), ipc.Build())
		return 0
	}
	fmt.Fprintln(os.Stderr, name, "is started by rvrrpd")
	return exitUsage
}

// say writes an error where the parent reads it.
func say(err error, code int) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return code
}
