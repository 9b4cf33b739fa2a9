//go:build lab

package lab_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestRefusedConfiguration: what is wrong with a configuration is told at once, all of it,
// with an exit code of its own, by a daemon in the foreground and by a launcher.
func TestRefusedConfiguration(t *testing.T) {
	t.Parallel()
	l, dir := lab.New(t), t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		err := os.WriteFile(path, []byte(text), 0o600)
		if err = errors.Join(err, os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const text = "[[vrouter]]\ngroup = 300\ninterface = \"eth0\"\nvip = \"10.0.0.1\"\nprioritty = 1\n"
	bad, open := write("bad.conf", text, 0o600), write("open.conf", text, 0o666)
	object := write("bad.json", `{"vrouter": [{"group": 300, "interface": "eth0", "vip": "10.0.0.1"}]}`, 0o600)
	keyless := write("key.conf", "[[vrouter]]\ngroup = 3\ninterface = \"eth0\"\nvip = \"10.0.0.1\"\nauth_type = \"hmac\"\n"+
		"[vrouter.hmac]\nactive_key = 1\n[[vrouter.hmac.key]]\nid = 1\nvalue = \"file:"+dir+"/none\"\n", 0o600)
	deep := write("deep.json", strings.Repeat("[", 1<<20-1), 0o600)
	twice := write("twice.conf", strings.Repeat("[[vrouter]]\ngroup=7\ninterface=\"e\"\nvip=\"1.1.1.1\"\n", 21_000), 0o600)
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"-c", object}, []string{object + ":1:", "vrouter[1].group", "1..255"}},
		{[]string{"-c", object, "-g", "toml"}, []string{object + ":1:", "TOML"}},
		{[]string{"-c", "/nonexistent"}, []string{"configuration: open /nonexistent: no such file or directory\n"}},
		{[]string{"-c", bad}, []string{bad + ":2:1:", "vrouter[1].group", "1..255", bad + ":5:1:", "prioritty", "priority"}},
		{[]string{"-c", open}, []string{open, "666"}},
		{[]string{"-c", dir}, []string{"is not a regular file"}},
		{[]string{"-c", "/dev/zero"}, []string{"is not a regular file"}},
		{[]string{"-c", deep}, []string{"JSON syntax"}},
		{[]string{"-c", twice}, []string{"each group once per interface and family\n", "\nand more\n"}},
		{[]string{"-c", keyless}, []string{"vrouter[1].hmac.key[1].value", "open " + dir + "/none: no such file or directory\n"}},
	} {
		for _, mode := range []string{"-m1", "-m2"} {
			argv := append([]string{"netns", "exec", l.R1.Namespace, lab.Binary("rvrrpd"), mode}, tt.args...)
			var said bytes.Buffer
			cmd := exec.Command("ip", argv...)
			cmd.Stdout, cmd.Stderr = &said, &said
			var status *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &status) || status.ExitCode() != 78 {
				t.Errorf("%s %v: %v\n%s", mode, tt.args, err, said.String())
			}
			for _, want := range tt.want {
				if !strings.Contains(said.String(), want) {
					t.Errorf("%s %v: no %q in\n%s", mode, tt.args, want, said.String())
				}
			}
		}
	}
}
