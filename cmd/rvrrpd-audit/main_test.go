package main

import (
	"strings"
	"testing"
)

// TestCommandLine: it is rvrrpd that calls it, of the same build.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args   []string
		code   int
		out    string
		errors string
	}{
		{args: []string{"--version"}, out: "rvrrpd-audit "},
		{args: []string{"--help"}, code: exitUsage, errors: "rvrrpd-audit is started by rvrrpd --audit"},
		{args: []string{"--json", "more"}, code: exitUsage, errors: "rvrrpd-audit is started by rvrrpd --audit"},
		{args: []string{"--build=another"}, code: exitFailure, errors: `this is "another"`},
	} {
		var out, words strings.Builder
		if code := run(tt.args, &out, &words); code != tt.code || !strings.HasPrefix(out.String(), tt.out) || !strings.Contains(words.String(), tt.errors) {
			t.Errorf("%v: exit code %d\n%s%s", tt.args, code, out.String(), words.String())
		}
	}
}
