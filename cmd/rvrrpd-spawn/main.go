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
	"os/signal"
	"runtime"
	"runtime/debug"

	_ "github.com/rvrrpd/rvrrpd/cmd/signals" // catches them before anything else runs
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/spawn"
	"golang.org/x/sys/unix"
)

// The child dies with the thread that started it: stay on the main one.
func init() { runtime.LockOSThread() }

func main() {
	debug.SetTraceback("crash")
	// They are the parent's to act upon, also when they are sent to all.
	signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE)
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Printf("%s %s build %s\n", spawn.Name, ipc.ReleaseName(), ipc.Build())
		return
	}
	if err := spawn.Run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
