package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/parent"
	"github.com/rvrrpd/rvrrpd/walls/account"
)

// warnOfPlaces warns of directories in which a daemon that the caller starts would
// write no file. One that does not exist, or that the caller may not see, is no
// reason: the configuration may be another host's.
func warnOfPlaces(c *conf.Config, stderr io.Writer) {
	warn := func(key, dir string, users ...int) {
		_, err := parent.OwnDirectory(dir, users...)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			fmt.Fprintf(stderr, "warning: %s: a daemon of user id %d refuses to write there: %v\n", key, os.Geteuid(), err)
		}
	}
	for _, file := range []struct{ key, path string }{{"pid", c.PIDFile}, {"main_log", c.MainLog}, {"error_log", c.ErrorLog}} {
		warn(file.key, filepath.Dir(c.Within(file.path)))
	}
	uid, _, err := account.Identity(c.User)
	if err != nil { // another host's
		warn("state_dir", c.StateDir)
		return
	}
	warn("state_dir", c.StateDir, uid)
}
