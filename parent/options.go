package parent

import (
	"os"

	"github.com/rvrrpd/rvrrpd/conf"
)

// Options are what Run needs of its caller.
type Options struct {
	// Begun is what Begin has returned. Files beside that of the configuration can be read
	// later, too.
	Begun *Begun
	// LogDirs lists directories in which Reopen opens files, and RemoveDirs
	// those in which the caller removes one at the end.
	LogDirs, RemoveDirs []string
	// Signals are those that the caller has caught, since the start of the process.
	Signals <-chan os.Signal
	// Ready, if not nil, is called once, from Run: every virtual router has
	// reached its first state, but for those whose link is not there yet.
	Ready func()
	// Applied, if not nil, is called with each configuration that was loaded on
	// SIGHUP and runs, and with what of it has no effect before a restart.
	Applied func(c *conf.Config, later []string)
	// Reopen, if not nil, opens the log files anew, on SIGUSR1, and logs what fails.
	Reopen func()
}
