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

// TestServeRefuses: a file that the configuration may not name ends the daemon as
// a mistake in the configuration does, which no restart mends; and the launcher,
// which hears its code, too. Not in parallel: it changes the working directory.
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
		code := serve(parent.Options{Begun: &parent.Begun{Config: c}}, options{file: file, format: "toml"}, quiet(t), b)
		b.end(code)
		said, _ := io.ReadAll(r)
		if code != exitConfig || !strings.HasSuffix(string(said), "\x00N") || !strings.Contains(string(said), tt.name) {
			t.Errorf("%s: code %d; the launcher hears %q", tt.top, code, said)
		}
	}
}
