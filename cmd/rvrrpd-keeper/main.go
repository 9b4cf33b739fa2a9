// Command rvrrpd-keeper is the keeper. It is started by rvrrpd, confines itself in two stages,
// and writes the log.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/rvrrpd/rvrrpd/cmd/confined"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/keeper"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
)

func init() { runtime.LockOSThread() }

func main() { os.Exit(confined.Run("rvrrpd-keeper", work)) }

func work(sandbox.Report) error {
	// Others of the spawner's programs allocate nothing while they work; this one does.
	debug.SetGCPercent(100)
	time.Local = time.UTC // there is no file that says more
	return keeper.Run(ipc.FromFD(sandbox.ControlFD), ipc.FromFD(sandbox.FramesFD))
}
