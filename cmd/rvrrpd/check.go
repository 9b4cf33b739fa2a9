package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/parent"
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

// load reads a configuration and tells what is wrong with it.
func load(file, format string, stderr io.Writer) *conf.Config {
	c, err := conf.Load(file, conf.Format(format))
	if err != nil {
		fmt.Fprintln(stderr, err)
		return nil
	}
	for _, w := range c.Warnings {
		fmt.Fprintln(stderr, "warning:", w)
	}
	return c
}

// check is --check: the canonical form, with what is granted as comments, so
// that it is still a configuration.
func check(o options, stdout, stderr io.Writer) int {
	c := load(o.file, o.format, stderr)
	if c == nil {
		return exitConfig
	}
	defer c.Wipe()
	if err := c.Print(stdout); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailure
	}
	fmt.Fprintln(stdout)
	if err := parent.DescribeGrants(c, stdout); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailure
	}
	printFingerprints(c, stdout, stderr)
	return 0
}

// printFingerprints prints by what the keys of two routers can be compared, and
// warns where an advertisement of one link would be right on another: what follows
// the interface in the name of a virtual router is what HMAC covers of it.
func printFingerprints(c *conf.Config, stdout, stderr io.Writer) {
	users := map[string]string{}
	for _, r := range c.Routers {
		if r.HMAC == nil {
			continue
		}
		for _, k := range r.HMAC.Keys {
			fmt.Fprintf(stdout, "# key %d of %s: fingerprint %s\n", k.ID, r.Name(), k.Fingerprint())
			use := strings.TrimPrefix(r.Name(), r.Interface) + k.Fingerprint()
			if other := users[use]; other != "" {
				fmt.Fprintf(stderr, "warning: %s and %s have a key in common: what is recorded on one LAN can be sent on the other; give each LAN a key of its own\n", other, r.Name())
			}
			users[use] = r.Name()
		}
	}
}

// formatOf is the format that the name of a file says, or else another.
func formatOf(file, otherwise string) string {
	switch ext := strings.ToLower(filepath.Ext(file)); ext {
	case ".json", ".toml":
		return ext[1:]
	default:
		return otherwise
	}
}

// plan is --plan: what a reload would do.
func plan(o options, stdout, stderr io.Writer) int {
	otherwise := string(conf.TOML)
	if o.formatGiven {
		otherwise = o.format
	}
	old, next := load(o.file, o.format, stderr), load(o.plan, formatOf(o.plan, otherwise), stderr)
	if old == nil || next == nil {
		return exitConfig
	}
	defer old.Wipe()
	defer next.Wipe()
	effects, remarks := conf.Plan(old, next)
	for _, e := range effects {
		line := fmt.Sprintf("%-24s %s", e.Router, e.Kind)
		if len(e.Changes) > 0 {
			line += ": " + strings.Join(e.Changes, ", ")
		}
		fmt.Fprintln(stdout, line)
	}
	for _, r := range remarks {
		fmt.Fprintln(stdout, r)
	}
	return 0
}
