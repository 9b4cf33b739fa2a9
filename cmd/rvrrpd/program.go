package main

import (
	"fmt"
	"io"
	"os"

	"github.com/rvrrpd/rvrrpd/children"
	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// become executes another of our programs in the place of this one, which then
// needs not contain it. It returns where that fails.
func become(name string, stderr io.Writer, args ...string) int {
	path, err := children.ProgramPath(name)
	if err == nil {
		argv := append([]string{name, "--build=" + ipc.Build()}, args...)
		if err = unix.Exec(path, argv, os.Environ()); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	return failed(stderr, exitFailure, err)
}
