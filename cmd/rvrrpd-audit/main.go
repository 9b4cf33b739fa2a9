// Command rvrrpd-audit is rvrrpd --audit: it holds running daemons against what
// is promised of them, and shares no code with them.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/rvrrpd/rvrrpd/audit"
	"github.com/rvrrpd/rvrrpd/ipc"
)

// Exit codes.
const (
	exitFailure  = 1 // a promise is not kept, or it could not look
	exitUsage    = 2
	exitStarting = 75 // too early to say: a daemon is starting
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("rvrrpd-audit", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	jsonForm := fs.Bool("json", false, "")
	version := fs.Bool("version", false, "")
	build := fs.String("build", ipc.Build(), "")
	err := fs.Parse(args)
	switch {
	case err != nil || fs.NArg() > 0:
		fmt.Fprintln(stderr, "rvrrpd-audit is started by rvrrpd --audit")
		return exitUsage
	case *version:
		fmt.Fprintf(stdout, "rvrrpd-audit %s build %s\n", ipc.ReleaseName(), ipc.Build())
		return 0
	case *build != ipc.Build():
		fmt.Fprintf(stderr, "rvrrpd: rvrrpd-audit is build %q, this is %q\n", ipc.Build(), *build)
		return exitFailure
	}
	ok, err := audit.Run(audit.Options{JSON: *jsonForm, Out: stdout})
	if err != nil {
		fmt.Fprintln(stderr, "rvrrpd: audit:", err)
	}
	if errors.Is(err, audit.ErrStarting) {
		return exitStarting
	}
	if !ok {
		return exitFailure
	}
	return 0
}
