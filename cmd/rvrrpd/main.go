// Command rvrrpd is the VRRP daemon: the privileged parent, which starts the
// network process rvrrpd-netproc and does for it what the configuration
// grants.
//
// The runtime must not keep a descriptor of a control group open, because
// main closes all that it did not open itself.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"runtime"

	"github.com/rvrrpd/rvrrpd/audit"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/parent"
	"golang.org/x/sys/unix"
)

// Exit codes.
const (
	exitFailure = 1 // the daemon could not go on
	exitUsage   = 2 // command line or configuration
)

// The child dies with the thread that started it: stay on the main one.
func init() { runtime.LockOSThread() }

func main() {
	if os.Args[0] == parent.SpawnerName {
		if err := parent.Spawner(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(exitFailure)
		}
		return
	}
	// Whatever the caller left open is closed, before anything of ours is open.
	if err := unix.CloseRange(3, 1<<32-1, 0); err != nil {
		fmt.Fprintln(os.Stderr, "rvrrpd: close inherited descriptors:", err)
		os.Exit(exitFailure)
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

const usage = `usage: rvrrpd -m1 [-c FILE] [-g toml|json] [-d LEVEL]

  -m, --mode MODE        1: run the virtual routers in the foreground
  -c, --conf FILE        configuration (default /etc/rvrrpd/rvrrpd.conf)
  -g, --cfg-format FMT   its format: toml (default) or json
  -d, --debug LEVEL      0 (default) to 5; overrides the file
  -h, --help             this text
      --audit            hold running daemons against what is promised of them
      --json             print the audit as JSON
      --version          version and build
`

// options are the command line's.
type options struct {
	mode, debug   int
	file, format  string
	help, version bool
	audit, json   bool
}

// joined matches rVRRPd's short options with their value attached: -m1, -d5.
var joined = regexp.MustCompile(`^(-[mdgc])([^=].*)$`)

func parse(args []string) (o options, err error) {
	var split []string
	for _, a := range args {
		if m := joined.FindStringSubmatch(a); m != nil && a != "-debug" && a != "-mode" && a != "-conf" && a != "-cfg-format" {
			split = append(split, m[1], m[2])
			continue
		}
		split = append(split, a)
	}
	fs := flag.NewFlagSet("rvrrpd", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	for _, name := range []string{"m", "mode"} {
		fs.IntVar(&o.mode, name, -1, "")
	}
	for _, name := range []string{"d", "debug"} {
		fs.IntVar(&o.debug, name, -1, "")
	}
	for _, name := range []string{"c", "conf"} {
		fs.StringVar(&o.file, name, "/etc/rvrrpd/rvrrpd.conf", "")
	}
	for _, name := range []string{"g", "cfg-format"} {
		fs.StringVar(&o.format, name, "toml", "")
	}
	for _, name := range []string{"h", "help"} {
		fs.BoolVar(&o.help, name, false, "")
	}
	fs.BoolVar(&o.version, "version", false, "")
	fs.BoolVar(&o.audit, "audit", false, "")
	fs.BoolVar(&o.json, "json", false, "")
	if err := fs.Parse(split); err != nil {
		return o, err
	}
	switch {
	case o.help || o.version || o.audit:
		return o, nil
	case fs.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.mode == -1:
		return o, errors.New("a mode is needed: -m1")
	case o.mode == 0 || o.mode == 2:
		return o, fmt.Errorf("not supported yet: -m%d", o.mode)
	case o.mode != 1:
		return o, fmt.Errorf("-m %d: accepted: 1", o.mode)
	case o.format != "toml" && o.format != "json":
		return o, fmt.Errorf("-g %s: accepted: toml, json", o.format)
	case o.debug < -1 || o.debug > 5:
		return o, fmt.Errorf("-d %d: accepted: 0..5", o.debug)
	}
	return o, nil
}

// look is --audit.
func look(o options, stdout, stderr io.Writer) int {
	ok, err := audit.Run(audit.Options{JSON: o.json, Out: stdout})
	if err != nil {
		fmt.Fprintln(stderr, "rvrrpd: audit:", err)
	}
	if !ok {
		return exitFailure
	}
	return 0
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	o, err := parse(args)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "rvrrpd: %v\n%s", err, usage)
		return exitUsage
	case o.help:
		fmt.Fprint(stdout, usage)
		return 0
	case o.version:
		fmt.Fprintf(stdout, "rvrrpd %s build %s\n", ipc.ReleaseName(), ipc.Build())
		return 0
	}
	if o.audit {
		return look(o, stdout, stderr)
	}
	load := func() (*conf.Config, error) {
		c, err := conf.Load(o.file, conf.Format(o.format))
		if err == nil && o.debug >= 0 {
			c.Debug = o.debug
		}
		return c, err
	}
	c, err := load()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	level := slog.LevelInfo
	if c.Debug > 0 {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	if err := parent.Run(parent.Options{Config: c, File: o.file, Load: load, Log: log}); err != nil {
		log.Error("ended", "error", err)
		return exitFailure
	}
	log.Info("ended")
	return 0
}
