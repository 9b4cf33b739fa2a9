package main

import (
	"fmt"
	"io"
	"os"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent"
	"golang.org/x/sys/unix"
)

// become executes another of our programs in the place of this one, which then
// needs not contain it. It returns where that fails.
func become(name string, stderr io.Writer, args ...string) int {
	path, err := parent.ProgramPath(name)
	if err == nil {
		argv := append([]string{name, "--build=" + ipc.Build()}, args...)
		if err = unix.Exec(path, argv, os.Environ()); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	return failed(stderr, exitFailure, err)
}
