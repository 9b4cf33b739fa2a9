//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestUserOfItsOwn: a network process that runs as nobody is warned of, with
// the command that makes a user; one with a number that nobody has is not. Where
// nobody has another number, it is that, too.
func TestUserOfItsOwn(t *testing.T) {
	t.Parallel()
	passwd := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(passwd, []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:99:99::/:/bin/false\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Run("another number", func(t *testing.T) {
		t.Parallel()
		l := lab.New(t)
		conf := filepath.Join(t.TempDir(), "conf")
		text := "[[vrouter]]\ngroup = 1\ninterface = \"eth0\"\nvip = \"10.9.0.254/24\"\n"
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := l.R1.Start("unshare", "--mount", "sh", "-c", `mount --bind "$1" /etc/passwd && exec "$2" -m1 -c "$3"`, "sh", passwd, lab.Binary("rvrrpd"), conf)
		p.AwaitLine(0, 10*time.Second, "msg=ready")
		if !p.Said(0, "runs as nobody") {
			t.Errorf("no warning of the user 99:\n%s", p.Output())
		}
		if uids := strings.Fields(lab.Status(lab.Children(p.PID)[0])["Uid"]); len(uids) == 0 || uids[0] != "99" {
			t.Errorf("the network process runs as %v", uids)
		}
		p.Terminate(5 * time.Second)
	})
	for user, warned := range map[string]bool{"nobody": true, "65534:65534": true, "61000": false, "61000:61001": false, "65534:61001": true} {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			conf := filepath.Join(t.TempDir(), "conf")
			text := fmt.Sprintf("user = %q\n[[vrouter]]\ngroup = 1\ninterface = \"eth0\"\nvip = \"10.9.0.254/24\"\n", user)
			if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			p := l.R1.Start(lab.Binary("rvrrpd"), "-m1", "-c", conf)
			p.AwaitLine(0, 10*time.Second, "msg=ready")
			const warning = `runs as nobody.*command="useradd --system .* rvrrpd"`
			if p.Said(0, warning) != warned {
				t.Errorf("warned: %v, want %v; it said\n%s", !warned, warned, p.Output())
			}
			want := strings.Split(user+":"+user, ":")[0]
			if warned {
				want = "65534"
			}
			status := lab.Status(lab.Children(p.PID)[0])
			if uids := strings.Fields(status["Uid"]); len(uids) == 0 || uids[0] != want {
				t.Errorf("the network process runs as %v, want %s", uids, want)
			}
			if _, group, said := strings.Cut(user, ":"); said && !strings.HasPrefix(status["Gid"], group+" ") {
				t.Errorf("the network process is in the group %s, want %s", status["Gid"], group)
			}
			p.Terminate(5 * time.Second)
		})
	}
}
