package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/cmd/effects"
)

// TestMain gives signals their usual effect: these tests are no daemon.
func TestMain(m *testing.M) {
	effects.Release()
	os.Exit(m.Run())
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args string
		want options
		err  string
	}{
		{"-m1", options{mode: 1}, ""},
		{"-m2", options{mode: 2}, ""},
		{"-m 1 -c x.conf -d5 -g json", options{mode: 1, debug: 5, file: "x.conf", given: true, format: "json", formatGiven: true}, ""},
		{"--mode 1 --conf x.conf --debug 3 --cfg-format toml", options{mode: 1, debug: 3, file: "x.conf", given: true, formatGiven: true}, ""},
		{"-m1 -m2", options{mode: 2}, ""},
		{"-m2 -c a.conf -m1 -c b.conf", options{mode: 1, file: "b.conf", given: true}, ""},
		{"-m1 -c x.json", options{mode: 1, file: "x.json", given: true, format: "json"}, ""},
		{"-m2 -c x.json", options{mode: 2, file: "x.json", given: true, format: "json"}, ""},
		{"-m0 -ieth0 -c X.JSON", options{iface: "eth0", file: "X.JSON", given: true, format: "json"}, ""},
		{"--check -c x.json -g toml", options{mode: -1, check: true, file: "x.json", given: true, formatGiven: true}, ""},
		{"-g json -m1 -c x.toml", options{mode: 1, file: "x.toml", given: true, format: "json", formatGiven: true}, ""},
		{"--mode=1 -cx.conf", options{mode: 1, file: "x.conf", given: true}, ""},
		{"-m0 -ieth0 --json --count 3 --vrid=7 -wx.pcap", options{iface: "eth0", jsonForm: true, count: 3, vrid: 7, write: "x.pcap"}, ""},
		{"-m0 -r x.pcapng -c x.conf", options{read: "x.pcapng", file: "x.conf", given: true}, ""},
		{"--check -c x.conf", options{mode: -1, check: true, file: "x.conf", given: true}, ""},
		{"--plan x.conf", options{mode: -1, plan: "x.conf"}, ""},
		{"--audit --json", options{mode: -1, audit: true, jsonForm: true}, ""},
		{"-m1 extra", options{}, `unexpected argument "extra"`},
		{"-c x.conf", options{}, "a mode is needed"},
		{"-m0", options{}, "needs an interface"},
		{"-m0 -i eth0 -r x", options{iface: "eth0", read: "x"}, ""},
		{"-m1 -i eth0", options{mode: 1, iface: "eth0"}, ""},
		{"--check -i eth0", options{}, "are for -m0"},
		{"-m2 -r x", options{}, "are for -m0"},
		{"-v", options{mode: -1, version: true}, ""},
		{"-m0 -r x --own 10.0.0.1", options{read: "x", own: "10.0.0.1"}, ""},
		{"-m0 -r -", options{read: "-"}, ""},
		{"-m0 -i eth0 --own 10.0.0.1", options{}, "--own is for -r"},
		{"-m1 --own 10.0.0.1", options{}, "are for -m0"},
		{"-m0 -i eth0 -w -", options{}, "accepted: a file"},
		{"-m1 --check", options{}, "at a time"},
		{"-m1 --json", options{}, "--json is for"},
		{"-m0 -i eth0 --vrid 256", options{}, "accepted: 1..255"},
		{"-m0 -i eth0 --count=-1", options{}, "accepted: 1 and more"},
		{"-m7", options{}, "accepted: 0, 1, 2"},
		{"-mx", options{}, "invalid value"},
		{"-m1 -g yaml", options{}, "accepted: toml, json"},
		{"-m1 -d9", options{}, "accepted: 0..5"},
		{"--frobnicate", options{}, "unknown option --frobnicate"},
		{"--cheek", options{}, "unknown option --cheek; did you mean --check?"},
		{"--debgu=1", options{}, "did you mean --debug?"},
		{"-m1 --confg x", options{}, "did you mean --conf?"},
		{"-x", options{}, "unknown option -x"},
		{"--vird=7 -m0", options{}, "unknown option --vird; did you mean --vrid?"},
		{"-m1 -D5", options{}, "unknown option -D5"},
		{"-m1 -c D5 -D5=1", options{}, "unknown option -D5"},
		{"-m1 -cheek", options{mode: 1, file: "heek", given: true}, ""},
		{"-m1 -debgu 1", options{}, "invalid value"},
	} {
		// What is not given.
		if tt.want.debug == 0 {
			tt.want.debug = -1
		}
		if tt.want.format == "" {
			tt.want.format = "toml"
		}
		if tt.want.file == "" {
			tt.want.file = defaultFile
		}
		got, err := parse(strings.Fields(tt.args))
		switch {
		case tt.err == "" && (err != nil || got != tt.want):
			t.Errorf("%s: %+v, %v", tt.args, got, err)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%s: error %v, want one with %q", tt.args, err, tt.err)
		}
	}
}

// TestRunRefuses: what is wrong with the command line is told at once, in a line, with an
// exit code of its own, and nothing is started.
func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "a mode is needed"},
		{[]string{"-m9"}, "accepted: 0, 1, 2"},
	} {
		var out, errs bytes.Buffer
		code := run(tt.args, &out, &errs)
		if code != exitUsage || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), tt.want) || !strings.HasSuffix(errs.String(), "; see rvrrpd -h\n") {
			t.Errorf("%v: exit code %d: %s", tt.args, code, errs.String())
		}
	}
	for _, args := range [][]string{{"-h"}, {"-v"}, {"--version"}} {
		var out, errs bytes.Buffer
		if code := run(args, &out, &errs); code != 0 || out.Len() == 0 || errs.Len() > 0 {
			t.Errorf("%v: exit code %d, %q, %q", args, code, out.String(), errs.String())
		}
	}
}
