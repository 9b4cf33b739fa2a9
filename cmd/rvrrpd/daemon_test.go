package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
	"github.com/rvrrpd/rvrrpd/parent"
	"golang.org/x/sys/unix"
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
		{"an error\n\x00N", "an error\n", exitConfig},
		{"two\nlines\n\x00\x03", "two\nlines\n", exitViolation},
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

// TestServeRefuses: a file that the configuration may not name ends the daemon as
// a mistake in the configuration does, which no restart mends; and the launcher,
// too. Not in parallel: it changes the working directory.
func TestServeRefuses(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	defer unix.Umask(unix.Umask(umask))
	t.Setenv("RUNTIME_DIRECTORY", filepath.Join(dir, "run"))
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, top string }{
		{"main_log: ", `main_log = "/etc/rvrrpd.log"`},
		{"error_log: ", `error_log = "/tmp/rvrrpd.log"`},
		{"working_dir: ", `working_dir = "/not/here"`},
	} {
		file := filepath.Join(dir, "conf")
		text := "working_dir = \"" + dir + "\"\nmain_log = \"log\"\nerror_log = \"errors\"\npid = \"pid\"\n"
		key, _, _ := strings.Cut(tt.top, " ")
		var lines []string
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, key+" ") {
				lines = append(lines, line)
			}
		}
		text = strings.Join(lines, "") + tt.top + "\n[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"192.0.2.1\"\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		b := newBoot(w)
		c, err := source.Load(file, conf.TOML)
		if err != nil {
			t.Fatal(err)
		}
		code := serveBegun(&parent.Begun{Config: c}, options{file: file, format: "toml"}, b)
		b.end(code)
		said, _ := io.ReadAll(r)
		if launcher, _ := await(strings.NewReader(string(said)), io.Discard); code != exitConfig || launcher != exitConfig || !strings.Contains(string(said), tt.name) {
			t.Errorf("%s: code %d, the launcher's %d: %q", tt.top, code, launcher, said)
		}
	}
}
