// Command rvrrpd-sniff is rvrrpd -m0: it shows the VRRP packets of an interface or a
// capture.
//
// The runtime must not keep a descriptor of a control group open, because
// main closes all that it did not open itself.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/rvrrpd/rvrrpd/cmd/signals"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/checked"
	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/sniff"
	"github.com/rvrrpd/rvrrpd/vault"
	"golang.org/x/sys/unix"
)

// Exit codes, those of rvrrpd.
const (
	exitFailure = 1
	exitUsage   = 2
	exitConfig  = 78 // EX_CONFIG of sysexits(3)
)

// The main thread has the mask of signals that the spawner begins with.
func init() { runtime.LockOSThread() }

func main() {
	debug.SetTraceback("crash")
	// Being executed has undone what rvrrpd did of this.
	if err := vault.Seal(); err != nil {
		os.Exit(failed(os.Stderr, exitFailure, err))
	}
	if err := unix.CloseRange(3, 1<<32-1, 0); err != nil {
		os.Exit(failed(os.Stderr, exitFailure, fmt.Errorf("close inherited descriptors: %w", err)))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// failed tells why this program ends, and returns with what code.
func failed(w io.Writer, code int, err error) int {
	fmt.Fprintln(w, "rvrrpd:", err)
	return code
}

// run does what the command line says, which rvrrpd has checked. A configuration
// judges what is shown, if one is given.
func run(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("rvrrpd-sniff", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	o := sniff.Options{Out: stdout, Signals: signals.Caught,
		Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	fs.StringVar(&o.Interface, "iface", "", "")
	fs.StringVar(&o.File, "read", "", "")
	fs.StringVar(&o.Write, "write", "", "")
	fs.IntVar(&o.Count, "count", 0, "")
	fs.IntVar(&o.VRID, "vrid", 0, "")
	fs.IntVar(&o.Detail, "detail", 0, "")
	fs.BoolVar(&o.JSON, "json", false, "")
	own := fs.String("own", "", "")
	file := fs.String("conf", "", "")
	format := fs.String("format", string(conf.TOML), "")
	version := fs.Bool("version", false, "")
	build := fs.String("build", ipc.Build(), "")
	err := fs.Parse(args)
	switch {
	case *version && err == nil:
		fmt.Fprintf(stdout, "rvrrpd-sniff %s build %s\n", ipc.ReleaseName(), ipc.Build())
		return 0
	case err != nil || fs.NArg() > 0 || o.Interface == "" && o.File == "":
		fmt.Fprintln(stderr, "rvrrpd-sniff is started by rvrrpd -m0")
		return exitUsage
	case *build != ipc.Build():
		fmt.Fprintf(stderr, "rvrrpd: rvrrpd-sniff is build %q, this is %q\n", ipc.Build(), *build)
		return exitFailure
	}
	if o.Own, o.MACs, err = ownAddresses(*own); err != nil {
		return failed(stderr, exitUsage, fmt.Errorf("%w; see rvrrpd -h", err))
	}
	if *file != "" {
		if o.Config = checked.Read(*file, conf.Format(*format), stderr); o.Config == nil {
			return exitConfig
		}
	}
	if err := sniff.Run(o); err != nil {
		return failed(stderr, exitFailure, err)
	}
	return 0
}

// ownAddresses reads a list of IP and hardware addresses, which commas
// separate.
func ownAddresses(list string) (ips []netip.Addr, macs [][6]byte, err error) {
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		if ip, err := netip.ParseAddr(word); err == nil && ip.Zone() == "" && !ip.Is4In6() {
			ips = append(ips, ip)
		} else if mac, err := net.ParseMAC(word); err == nil && len(mac) == 6 {
			macs = append(macs, [6]byte(mac))
		} else {
			return nil, nil, fmt.Errorf("--own %s: neither an IP nor a hardware address", word)
		}
	}
	if len(ips) > ipc.MaxOwn || len(macs) > ipc.MaxOwn {
		return nil, nil, fmt.Errorf("--own: accepted: up to %d addresses of either kind", ipc.MaxOwn)
	}
	return ips, macs, nil
}
