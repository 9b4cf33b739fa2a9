package main

import (
	"strings"
	"testing"
)

// TestAwait: the launcher prints what the daemon says and ends with its code; with
// a failure where it has said none.
func TestAwait(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pipe, printed string
		code          int
	}{
		{"\x00\x00", "", 0},
		{"a warning\n\x00\x00", "a warning\n", 0},
		{"an error\n\x00N", "an error\n", 78},
		{"two\nlines\n\x00\x03", "two\nlines\n", 3},
		{"it was killed\n", "it was killed\n", exitFailure},
		{"half a line", "half a line", exitFailure},
		{"\x00", "", exitFailure},
		{"", "", exitFailure},
	} {
		var printed strings.Builder
		code, said := await(strings.NewReader(tt.pipe), &printed)
		if code != tt.code || said != (tt.printed != "") || printed.String() != tt.printed {
			t.Errorf("%q: code %d, %t, %q", tt.pipe, code, said, printed.String())
		}
	}
}
