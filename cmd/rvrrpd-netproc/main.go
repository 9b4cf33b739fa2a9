// Command rvrrpd-netproc is the network process. It is started by rvrrpd,
// confines itself in two stages, and serves.
package main

import (
	"os"
	"runtime"

	"github.com/rvrrpd/rvrrpd/cmd/confined"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/netproc"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
)

func init() { runtime.LockOSThread() }

func main() { os.Exit(run()) }

func run() int { return confined.Run("rvrrpd-netproc", work) }

func work(report sandbox.Report) error {
	return netproc.Run(netproc.Options{
		Control: ipc.FromFD(sandbox.ControlFD), Frames: ipc.FromFD(sandbox.FramesFD), Landlock: report.Landlock,
	})
}
