//go:build lab

package lab_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestProgramsOfOneBuild: what the daemon starts, or becomes, is of its own
// build, and there. Otherwise it says so, and does nothing.
func TestProgramsOfOneBuild(t *testing.T) {
	t.Parallel()
	next := filepath.Dir(nextRelease(t))
	for _, tt := range []struct {
		program, says string
		args          []string
		missing       bool
	}{
		{program: "rvrrpd-parent", says: `rvrrpd-parent is build "next", this is `, args: []string{"-m1"}},
		{program: "rvrrpd-parent", says: `rvrrpd-parent is build "next", this is `, args: []string{"-m2"}},
		{program: "rvrrpd-spawn", says: `rvrrpd-spawn is build "next", this is `, args: []string{"-m1"}},
		{program: "rvrrpd-netproc", says: `rvrrpd-netproc is build "next", this is `, args: []string{"-m1"}},
		{program: "rvrrpd-read", says: `rvrrpd-read is build "next", this is `, args: []string{"-m1"}},
		{program: "rvrrpd-keeper", says: `keeper did not start: rvrrpd-keeper is build "next", this is `, args: []string{"-m1"}},
		{program: "rvrrpd-keeper", says: `keeper did not start: rvrrpd-keeper is build "next", this is `, args: []string{"-m2"}},
		{program: "rvrrpd-audit", says: `rvrrpd-audit is build "next", this is `, args: []string{"--audit"}},
		{program: "rvrrpd-check", says: `rvrrpd-check is build "next", this is `, args: []string{"--check"}},
		{program: "rvrrpd-sniff", says: `rvrrpd-sniff is build "next", this is `, args: []string{"-m0", "-i", lab.Interface}},
		{program: "rvrrpd-sniff", says: "/usr/libexec/rvrrpd/rvrrpd-sniff: no such file", args: []string{"-m0", "-i", lab.Interface}, missing: true},
		{program: "rvrrpd-check", says: "/usr/libexec/rvrrpd/rvrrpd-check: no such file", args: []string{"--check"}, missing: true},
		{program: "rvrrpd-parent", says: "/usr/libexec/rvrrpd/rvrrpd-parent: no such file", args: []string{"-m1"}, missing: true},
		{program: "rvrrpd-parent", says: "/usr/libexec/rvrrpd/rvrrpd-parent: no such file", args: []string{"-m2"}, missing: true},
		{program: "rvrrpd-spawn", says: "/usr/libexec/rvrrpd/rvrrpd-spawn: no such file", args: []string{"-m1"}, missing: true},
		{program: "rvrrpd-netproc", says: "/usr/libexec/rvrrpd/rvrrpd-netproc: no such file", args: []string{"-m1"}, missing: true},
		{program: "rvrrpd-read", says: "/usr/libexec/rvrrpd/rvrrpd-read: no such file", args: []string{"-m1"}, missing: true},
		{program: "rvrrpd-keeper", says: "/usr/libexec/rvrrpd/rvrrpd-keeper: no such file", args: []string{"-m1"}, missing: true},
		{program: "rvrrpd-audit", says: "/usr/libexec/rvrrpd/rvrrpd-audit: no such file", args: []string{"--audit"}, missing: true},
	} {
		name := tt.program + " of another build"
		if tt.missing {
			name = "no " + tt.program
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, dir := lab.New(t), t.TempDir()
			for _, p := range lab.Programs {
				from := lab.Binary(p)
				if p == tt.program {
					from = filepath.Join(next, p)
				}
				if p == tt.program && tt.missing {
					continue
				}
				if out, err := exec.Command("cp", from, filepath.Join(dir, p)).CombinedOutput(); err != nil {
					t.Fatalf("cp: %v\n%s", err, out)
				}
			}
			conf := filepath.Join(dir, "rvrrpd.conf")
			if err := os.WriteFile(conf, []byte("[[vrouter]]\ngroup = 1\ninterface = \"eth0\"\nvip = \"10.9.0.254\"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			argv := append([]string{"netns", "exec", l.R1.Namespace, filepath.Join(dir, "rvrrpd")}, tt.args...)
			if tt.args[0] == "-m1" || tt.args[0] == "-m2" {
				argv = append(argv, "-c", conf)
			}
			out, err := exec.Command("ip", argv...).CombinedOutput()
			said := strings.ReplaceAll(string(out), `\`, "") // an attribute of the log has its quotes quoted
			if err == nil || !strings.Contains(said, tt.says) {
				t.Errorf("%v; it said\n%s\nnot %s", err, out, tt.says)
			}
		})
	}
}
