package parent

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsyscall "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// sysctls is the only part of /proc the parent writes to.
const sysctls = "/proc/sys/net"

// restrict is the last step of the start: from here on the parent reaches the
// files it will still need, by Landlock, and makes the system calls of
// ParentRules. A configuration that names keys in another directory later
// needs a restart.
func (d *daemon) restrict(o Options) error {
	// The rule for the settings hangs on the directory as the kernel has it in
	// memory now: an open descriptor keeps it there.
	if _, err := unix.Open(sysctls, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("%s: %w", sysctls, err)
	}
	// So that a reload may begin to use it; without it a reload says so.
	_ = os.MkdirAll(o.Config.StateDir, 0o700)
	err := landlock.V11.BestEffort().Restrict(
		landlock.RODirs(readable(o)...).IgnoreIfMissing(),
		landlock.RWDirs(sysctls, runDir, o.Config.StateDir).IgnoreIfMissing(),
		landlock.PathAccess(llsyscall.AccessFSWriteFile|llsyscall.AccessFSMakeReg, o.LogDirs...).IgnoreIfMissing(),
		landlock.PathAccess(llsyscall.AccessFSRemoveFile, o.RemoveDirs...).IgnoreIfMissing())
	if err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	return loadFilter(parentFilter)
}

// readable lists the directories of the configuration and of its keys, so
// that files replaced in them are found.
func readable(o Options) (dirs []string) {
	files := []string{o.File}
	for _, r := range o.Config.Routers {
		files = append(files, r.SecretFiles()...)
	}
	for _, f := range files {
		if f == "" {
			continue
		}
		dirs = append(dirs, filepath.Dir(f))
		if real, err := filepath.EvalSymlinks(f); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); filepath.IsAbs(dir) {
		dirs = append(dirs, dir)
	}
	return dirs
}
