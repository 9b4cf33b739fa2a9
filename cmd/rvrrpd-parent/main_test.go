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

// TestRunRefuses: what does not come from the command, or from one of another build, starts
// nothing, and is told why.
func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{nil, exitUsage, "rvrrpd-parent is started by rvrrpd -m1 and rvrrpd -m2\n"},
		{[]string{"--conf=/x", "-m1"}, exitUsage, "rvrrpd-parent is started by rvrrpd -m1 and rvrrpd -m2\n"},
		{[]string{"--conf=/x", "more"}, exitUsage, "rvrrpd-parent is started by rvrrpd -m1 and rvrrpd -m2\n"},
		{[]string{"--build=next", "--conf=/x"}, exitFailure, `this is "next"` + "\n"},
	} {
		var out, errs bytes.Buffer
		if code := run(tt.args, &out, &errs); code != tt.code || out.Len() > 0 || !strings.HasSuffix(errs.String(), tt.want) {
			t.Errorf("%q: code %d, %q", tt.args, code, errs.String())
		}
	}
	var out, errs bytes.Buffer
	if code := run([]string{"--version"}, &out, &errs); code != 0 || !strings.HasPrefix(out.String(), "rvrrpd-parent ") || errs.Len() > 0 {
		t.Errorf("--version: code %d, %q, %q", code, out.String(), errs.String())
	}
}
