package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/nearest"
	"github.com/rvrrpd/rvrrpd/conf/suffix"
)

const usage = `usage: rvrrpd -m1|-m2 [-c FILE] [-g toml|json] [-d LEVEL]
       rvrrpd -m0 -i INTERFACE|-r FILE [-w FILE] [-c FILE] [-d LEVEL]
              [--json] [--count N] [--vrid VRID] [--own ADDRESSES]
       rvrrpd --check [-c FILE] [-g toml|json]
       rvrrpd --plan NEW [-c FILE] [-g toml|json]
       rvrrpd --audit [--json]

  -m, --mode MODE        0: show VRRP packets, 1: run the virtual routers in the
                         foreground, 2: run them as a daemon
  -c, --conf FILE        configuration (default /etc/rvrrpd/rvrrpd.conf)
  -g, --cfg-format FMT   its format, toml or json, whatever its name; without it
                         a name that ends in .json is JSON, any other TOML
  -d, --debug LEVEL      0 (default), 1, 2, 3 or 5; overrides the file
      --check            check the configuration, print it and what it grants
      --plan NEW         print what a reload with the file NEW would do; its
                         format is that of its name, .toml or .json, or else -g
      --audit            hold running daemons against what is promised of them
  -i, --iface INTERFACE  show the packets of an interface
  -r, --read FILE        show those of a capture, pcap or pcapng; "-": standard input
  -w, --write FILE       write what is shown to a capture
      --count N          end after N packets
      --vrid VRID        show those of one virtual router
      --own ADDRESSES    in a capture, our own IP and hardware addresses
      --json             print JSON: packets, or the audit
  -h, --help             this text
  -v, --version          release, commit and build
`

// defaultFile is rVRRPd's configuration.
const defaultFile = "/etc/rvrrpd/rvrrpd.conf"

// options are the command line's.
type options struct {
	mode, debug            int // -1: not given
	file, format           string
	given, formatGiven     bool // -c and -g are
	iface, read, write     string
	count, vrid            int
	own, plan              string
	help, version          bool
	check, audit, jsonForm bool
}

// flags declares the options. The names of the short ones have one letter.
func flags(o *options) *flag.FlagSet {
	fs := flag.NewFlagSet("rvrrpd", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	number := func(p *int, initial int, names ...string) {
		for _, n := range names {
			fs.IntVar(p, n, initial, "")
		}
	}
	text := func(p *string, initial string, names ...string) {
		for _, n := range names {
			fs.StringVar(p, n, initial, "")
		}
	}
	truth := func(p *bool, names ...string) {
		for _, n := range names {
			fs.BoolVar(p, n, false, "")
		}
	}
	number(&o.mode, -1, "m", "mode")
	number(&o.debug, -1, "d", "debug")
	number(&o.count, 0, "count")
	number(&o.vrid, 0, "vrid")
	text(&o.file, defaultFile, "c", "conf")
	text(&o.format, string(conf.TOML), "g", "cfg-format")
	text(&o.iface, "", "i", "iface")
	text(&o.read, "", "r", "read")
	text(&o.write, "", "w", "write")
	text(&o.own, "", "own")
	text(&o.plan, "", "plan")
	truth(&o.help, "h", "help")
	truth(&o.version, "v", "version")
	truth(&o.check, "check")
	truth(&o.audit, "audit")
	truth(&o.jsonForm, "json")
	return fs
}

// joined matches short options with their value attached: -m1, -d5.
var joined = regexp.MustCompile(`^(-[mdgcirw])([^=].*)$`)

// undefined is how package flag says that there is no such option.
const undefined = "flag provided but not defined: "

func parse(args []string) (o options, err error) {
	fs := flags(&o)
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	var split []string
	for _, a := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if m := joined.FindStringSubmatch(a); m != nil && !slices.Contains(names, name) {
			split = append(split, m[1], m[2])
			continue
		}
		split = append(split, a)
	}
	if err := fs.Parse(split); err != nil {
		return o, mistaken(err, args, names)
	}
	fs.Visit(func(f *flag.Flag) {
		o.given = o.given || f.Name == "c" || f.Name == "conf"
		o.formatGiven = o.formatGiven || f.Name == "g" || f.Name == "cfg-format"
	})
	if !o.formatGiven {
		o.format = string(suffix.Format(o.file, conf.Format(o.format)))
	}
	if o.help || o.version {
		return o, nil
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return o, o.valid()
}

// mistaken says what is wrong with an option, and which one may have been
// meant.
func mistaken(err error, args, names []string) error {
	unknown, is := strings.CutPrefix(err.Error(), undefined)
	if !is {
		return err
	}
	name := strings.TrimLeft(unknown, "-")
	shown := unknown
	for _, a := range args {
		written, _, _ := strings.Cut(a, "=")
		if strings.HasPrefix(a, "-") && strings.TrimLeft(written, "-") == name {
			shown = written
		}
	}
	best := nearest.Name(slices.DeleteFunc(names, func(n string) bool { return len(n) == 1 }), name)
	if best == "" {
		return fmt.Errorf("unknown option %s", shown)
	}
	return fmt.Errorf("unknown option %s; did you mean --%s?", shown, best)
}

// valid says what does not fit together.
func (o *options) valid() error {
	tasks := 0
	for _, is := range []bool{o.mode != -1, o.check, o.plan != "", o.audit} {
		if is {
			tasks++
		}
	}
	daemon := o.mode == 1 || o.mode == 2
	sniffing := o.iface != "" && !daemon || o.read != "" || o.write != "" || o.count != 0 || o.vrid != 0 || o.own != ""
	switch {
	case tasks > 1:
		return errors.New("one of -m, --check, --plan and --audit at a time")
	case tasks == 0:
		return errors.New("a mode is needed: -m0, -m1 or -m2")
	case o.mode < -1 || o.mode > 2:
		return fmt.Errorf("-m %d: accepted: 0, 1, 2", o.mode)
	case o.format != "toml" && o.format != "json":
		return fmt.Errorf("-g %s: accepted: toml, json", o.format)
	case o.debug < -1 || o.debug > 5:
		return fmt.Errorf("-d %d: accepted: 0..5", o.debug)
	case o.mode != 0 && sniffing:
		return errors.New("-i, -r, -w, --count, --vrid and --own are for -m0")
	case o.jsonForm && o.mode != 0 && !o.audit:
		return errors.New("--json is for -m0 and --audit")
	case o.mode == 0 && o.iface == "" && o.read == "":
		return errors.New("-m0 needs an interface, -i, or a capture, -r")
	case o.write == "-":
		return errors.New("-w -: what is shown goes to standard output; accepted: a file")
	case o.own != "" && o.read == "":
		return errors.New("--own is for -r; the addresses of an interface are known")
	case o.count < 0:
		return fmt.Errorf("--count %d: accepted: 1 and more", o.count)
	case o.vrid < 0 || o.vrid > 255:
		return fmt.Errorf("--vrid %d: accepted: 1..255", o.vrid)
	}
	return nil
}
