// Package checked reads configurations for programs that tell a person what is wrong with
// them.
package checked

import (
	"fmt"
	"io"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
)

// Read is source.Load that tells in w what is wrong with the file, an error or warnings;
// nil with an error.
func Read(path string, format conf.Format, w io.Writer) *conf.Config {
	c, err := source.Load(path, format)
	if err != nil {
		fmt.Fprintln(w, err)
		return nil
	}
	for _, warning := range c.Warnings {
		fmt.Fprintln(w, "warning:", warning)
	}
	return c
}
