package conf

import (
	"fmt"
	"path/filepath"
)

// Name identifies a virtual router, as in the log.
func (r *Router) Name() string {
	family := "ipv4"
	if r.Addresses[0].Addr.Is6() {
		family = "ipv6"
	}
	return fmt.Sprintf("%s/%d/%s", r.Interface, r.VRID, family)
}

// Within is a path of the configuration, which is below working_dir where it is not
// absolute, whatever the working directory of the process is.
func (c *Config) Within(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.WorkingDir, path)
	}
	return path
}
