package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/rvrrpd/rvrrpd/parent"
)

// sniff is -m0. A configuration judges what is shown, if one is given.
func sniff(o options, stdout, stderr io.Writer) int {
	s := parent.SniffOptions{
		Interface: o.iface, File: o.read, Write: o.write, Count: o.count, VRID: o.vrid,
		JSON: o.jsonForm, Detail: max(o.debug, 0), Out: stdout,
		Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if o.given {
		if s.Config = load(o.file, o.format, stderr); s.Config == nil {
			return exitUsage
		}
	}
	if err := parent.Sniff(s); err != nil {
		fmt.Fprintln(stderr, "rvrrpd:", err)
		return exitFailure
	}
	return 0
}
