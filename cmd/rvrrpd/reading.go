package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/rvrrpd/rvrrpd/conf"
)

// elsewhere is behind the error of a reload that may not read a file.
const elsewhere = "the daemon reads its files only where they were at the start, or where a symbolic link leads near that; for a directory that was replaced, or is another one, restart it: systemctl restart, or SIGUSR2, hands over"

// loader reads the configuration again, on SIGHUP, when the working directory
// may be another.
func loader(o options) func() (*conf.Config, error) {
	return func() (*conf.Config, error) {
		c, err := conf.Load(o.file, conf.Format(o.format))
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w\n%s", err, elsewhere)
		}
		return c, err
	}
}

// full is a path that does not depend on the working directory.
func full(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
