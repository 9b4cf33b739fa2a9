// Command rvrrpd-spawn is the spawner. It is started by rvrrpd, or by a service
// manager for it; nobody else has use for it.
//
// The runtime must not keep a descriptor of a control group open, because the
// network process inherits none.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/rvrrpd/rvrrpd/cmd/effects"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/spawn"
)

// The main thread has the mask of signals that the others begin with.
func init() { runtime.LockOSThread() }

func main() {
	debug.SetTraceback("crash")
	effects.Ignore()
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Printf("%s %s build %s\n", spawn.Name, ipc.ReleaseName(), ipc.Build())
		return
	}
	if err := spawn.Run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
