// Package confined is the life of a program that the spawner starts: it confines itself in
// two stages, and then does its work.
package confined

import (
	"fmt"
	"os"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
)

// Exit codes.
const (
	ExitFailure = 1
	ExitUsage   = 2
	ExitWalls   = 70 // the confinement could not be built
)

// Run is the life of the program of this name, which must have been locked to its main thread
// before; work is what it does behind its walls. It returns the exit code.
func Run(name string, work func(sandbox.Report) error) int {
	switch os.Getenv(sandbox.StageVariable) {
	case "1":
		return say(sandbox.Confine(), ExitWalls)
	case "2":
		report, err := sandbox.Enter(name)
		if err != nil {
			return say(err, ExitWalls)
		}
		return say(work(report), ExitFailure)
	}
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Printf("%s %s build %s\n", name, ipc.ReleaseName(), ipc.Build())
		return 0
	}
	fmt.Fprintln(os.Stderr, name, "is started by rvrrpd")
	return ExitUsage
}

// say writes an error where the parent reads it.
func say(err error, code int) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return code
}
