package children

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// programDir is where a program of ours is looked for that is not beside our
// own; never through PATH.
const programDir = "/usr/libexec/rvrrpd"

// ProgramPath is where a program of ours is: beside our own, or else in
// programDir, whether it is there or not. The error is that of os.Executable.
func ProgramPath(name string) (string, error) {
	own, err := os.Executable()
	path := filepath.Join(filepath.Dir(own), name)
	if _, missing := os.Stat(path); errors.Is(missing, fs.ErrNotExist) {
		path = filepath.Join(programDir, name)
	}
	return path, err
}

// openProgram opens a program of ours without reading it, after a look at who
// could have changed it.
func openProgram(name string) (int, error) {
	path, err := ProgramPath(name)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	if err := OwnFile(fd, math.MaxInt64); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	return fd, nil
}

// OwnFile refuses what is no file of so many bytes at the most that only root and
// the service user can write.
func OwnFile(fd int, size int64) error {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	switch {
	case err != nil:
		return err
	case st.Mode&unix.S_IFMT != unix.S_IFREG || Foreign(&st):
		return fmt.Errorf("mode %o, owner %d: must be a file that only root can write", st.Mode, st.Uid)
	case st.Size > size:
		return fmt.Errorf("holds more than %d bytes", size)
	}
	return nil
}

// Foreign says whether somebody else than root and the service user can write.
func Foreign(st *unix.Stat_t) bool {
	return st.Mode&0o022 != 0 || st.Uid != 0 && int(st.Uid) != os.Geteuid()
}
