// Command rvrrpd-read is the reader. It is started by rvrrpd, confines itself in two stages,
// reads one configuration, and ends.
package main

import (
	"os"
	"runtime"

	"github.com/rvrrpd/rvrrpd/cmd/confined"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/reading"
	"github.com/rvrrpd/rvrrpd/netproc/sandbox"
	"github.com/rvrrpd/rvrrpd/read"
)

func init() { runtime.LockOSThread() }

func main() { os.Exit(confined.Run("rvrrpd-read", work)) }

func work(sandbox.Report) error {
	return read.Run(reading.Over(ipc.FromFD(sandbox.ControlFD), 0))
}
