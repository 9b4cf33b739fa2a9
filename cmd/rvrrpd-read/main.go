// Command rvrrpd-read is the reader. It is started by rvrrpd, confines itself in two stages,
// reads one configuration, and ends.
package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/reading"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"github.com/rvrrpd/rvrrpd/read"
)

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
		if _, err := sandbox.Enter(read.Name); err != nil {
			return say(err, exitWalls)
		}
		return say(read.Run(reading.Over(ipc.FromFD(sandbox.ControlFD), 0)), exitFailure)
	}
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Printf("%s %s build %s\n", read.Name, ipc.ReleaseName(), ipc.Build())
		return 0
	}
	fmt.Fprintln(os.Stderr, read.Name, "is started by rvrrpd")
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
