package parent

import (
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsyscall "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"github.com/rvrrpd/rvrrpd/walls"
	"golang.org/x/sys/unix"
)

// sysctls is the only part of /proc the parent writes to.
const sysctls = "/proc/sys/net"

// kept are the capabilities the parent works with: interfaces, addresses and
// sockets. Everything else is given up.
var kept = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}

// restrict is the last step of the start: from here on the parent reaches the
// files it will still need, by Landlock, and makes the system calls of
// rules.Parent. A configuration that lies in another directory later, or names
// keys there, needs a restart.
func (d *daemon) restrict(o Options) error {
	// The rule for the settings hangs on the directory as the kernel has it in
	// memory now: an open descriptor keeps it there.
	if _, err := unix.Open(sysctls, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("%s: %w", sysctls, err)
	}
	// So that a reload may begin to use it; without it a reload says so.
	_ = os.MkdirAll(o.Config.StateDir, 0o700)
	err := landlock.V11.BestEffort().Restrict(
		landlock.RODirs(o.Config.Directories(o.File)...).IgnoreIfMissing(),
		landlock.RWDirs(sysctls, runDir, o.Config.StateDir).IgnoreIfMissing(),
		landlock.PathAccess(llsyscall.AccessFSWriteFile|llsyscall.AccessFSMakeReg, o.LogDirs...).IgnoreIfMissing(),
		landlock.PathAccess(llsyscall.AccessFSRemoveFile, o.RemoveDirs...).IgnoreIfMissing())
	if err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	return walls.LoadFilter(syscallFilter)
}
