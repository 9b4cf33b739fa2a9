//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestCredential: a key in a credential of systemd is read at the start, and
// again on SIGHUP, by a daemon that has confined itself meanwhile.
func TestCredential(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"root", "user"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			dir := t.TempDir()
			conf, credentials := filepath.Join(dir, "rvrrpd.conf"), filepath.Join(dir, "credentials")
			owned := func(path string, err error) {
				if err == nil && profile == "user" {
					err = os.Chown(path, lab.ServiceUser, lab.ServiceUser)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			configure := func(id int, name string) {
				text := fmt.Sprintf("[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"10.9.0.254/24\"\nversion = 3\n"+timers3+"\n"+
					"auth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = %d\nmode = \"enforce\"\n[[vrouter.hmac.key]]\nid = %d\nvalue = \"credential:%s\"\n", id, id, name)
				owned(conf, os.WriteFile(conf, []byte(text), 0o600))
			}
			signed := func(mark, id int) {
				l.Tap.Await(mark, 10*time.Second, fmt.Sprintf("an advertisement with key %d", id), lab.From(l.R1, func(f lab.Frame) bool {
					return f.VRRP != nil && len(f.VRRP.Message) == 12+trailerLen && f.VRRP.Message[12+1] == byte(id)
				}))
			}
			argv := []string{lab.Binary("rvrrpd"), "-m1", "-c", conf}
			if profile == "user" {
				argv = l.R1.AsService(dir, argv)
			}
			owned(credentials, os.Mkdir(credentials, 0o500))
			for name, key := range map[string]string{"first": key1, "second": key2} {
				owned(filepath.Join(credentials, name), os.WriteFile(filepath.Join(credentials, name), []byte(key+"\n"), 0o400))
			}
			configure(1, "first")
			p := l.R1.Start(append([]string{"env", "CREDENTIALS_DIRECTORY=" + credentials}, argv...)...)
			p.AwaitLine(0, 10*time.Second, "backup->active")
			signed(0, 1)
			configure(2, "second")
			lines, frames := p.Len(), l.Tap.Len()
			p.Signal(syscall.SIGHUP)
			p.AwaitLine(lines, 10*time.Second, "configuration loaded")
			signed(frames, 2)
			configure(2, "third")
			lines = p.Len()
			p.Signal(syscall.SIGHUP)
			p.AwaitLine(lines, 10*time.Second, "reload refused.*third")
			if status := p.Terminate(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, p.Output())
			}
		})
	}
}
