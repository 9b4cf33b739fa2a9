// Command rvrrpd-check is rvrrpd --check and rvrrpd --plan: it reads
// configurations as the daemon does, and tells what they say and what would
// become of them. It needs no privilege but to read them.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/checked"
	"github.com/rvrrpd/rvrrpd/conf/plan"
	"github.com/rvrrpd/rvrrpd/conf/source"
	"github.com/rvrrpd/rvrrpd/conf/suffix"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/vault"
)

// Exit codes, those of rvrrpd.
const (
	exitFailure = 1
	exitUsage   = 2
	exitConfig  = 78 // EX_CONFIG of sysexits(3)
)

func main() {
	// Being executed has undone what rvrrpd did of this.
	if err := vault.Seal(); err != nil {
		fmt.Fprintln(os.Stderr, "rvrrpd:", err)
		os.Exit(exitFailure)
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("rvrrpd-check", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	file := fs.String("conf", "", "")
	format := fs.String("format", string(conf.TOML), "")
	given := fs.Bool("given", false, "") // the format is: it counts for a next file without a telling name
	next := fs.String("plan", "", "")
	version := fs.Bool("version", false, "")
	build := fs.String("build", ipc.Build(), "")
	err := fs.Parse(args)
	switch {
	case *version && err == nil:
		fmt.Fprintf(stdout, "rvrrpd-check %s build %s\n", ipc.ReleaseName(), ipc.Build())
		return 0
	case err != nil || fs.NArg() > 0 || *file == "":
		fmt.Fprintln(stderr, "rvrrpd-check is started by rvrrpd --check and rvrrpd --plan")
		return exitUsage
	case *build != ipc.Build():
		fmt.Fprintf(stderr, "rvrrpd: rvrrpd-check is build %q, this is %q\n", ipc.Build(), *build)
		return exitFailure
	}
	c := checked.Read(*file, conf.Format(*format), stderr)
	if *next == "" {
		return check(c, stdout, stderr)
	}
	otherwise := conf.TOML
	if *given {
		otherwise = conf.Format(*format)
	}
	return printPlan(c, checked.Read(*next, suffix.Format(*next, otherwise), stderr), stdout)
}

// check is --check: the canonical form, with what is granted as comments, so
// that it is still a configuration.
func check(c *conf.Config, stdout, stderr io.Writer) int {
	if c == nil {
		return exitConfig
	}
	defer c.Wipe()
	if err := source.Print(c, stdout); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailure
	}
	fmt.Fprintln(stdout)
	if err := describeGrants(c, stdout); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailure
	}
	printFingerprints(c, stdout, stderr)
	warnOfPlaces(c, stderr)
	return 0
}

// fingerprint is the beginning of an HMAC-SHA-256 of a text with the key, by which
// two routers' keys can be compared without showing them.
func fingerprint(k conf.Key) string {
	h := hmac.New(sha256.New, k.Value)
	h.Write([]byte("rvrrpd key fingerprint"))
	return hex.EncodeToString(h.Sum(nil)[:4])
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
			print := fingerprint(k)
			fmt.Fprintf(stdout, "# key %d of %s: fingerprint %s\n", k.ID, r.Name(), print)
			use := strings.TrimPrefix(r.Name(), r.Interface) + print
			if other := users[use]; other != "" {
				fmt.Fprintf(stderr, "warning: %s and %s have a key in common: what is recorded on one LAN can be sent on the other; give each LAN a key of its own\n", other, r.Name())
			}
			users[use] = r.Name()
		}
	}
}

// printPlan is --plan: what a reload would do.
func printPlan(old, next *conf.Config, stdout io.Writer) int {
	if old == nil || next == nil {
		return exitConfig
	}
	defer old.Wipe()
	defer next.Wipe()
	effects, remarks := plan.Of(old, next)
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
