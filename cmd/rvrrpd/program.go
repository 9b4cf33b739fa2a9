package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent"
	"golang.org/x/sys/unix"
)

// become executes another of our programs in the place of this one, which then
// needs not contain it: the one beside it, or else the one of the package. It
// returns where that fails.
func become(name string, stderr io.Writer, args ...string) int {
	self, err := os.Executable()
	if err == nil {
		path := filepath.Join(filepath.Dir(self), name)
		if _, missing := os.Stat(path); errors.Is(missing, fs.ErrNotExist) {
			path = filepath.Join(parent.ProgramDir, name)
		}
		argv := append([]string{name, "--build=" + ipc.Build()}, args...)
		if err = unix.Exec(path, argv, os.Environ()); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	fmt.Fprintln(stderr, "rvrrpd:", err)
	return exitFailure
}
