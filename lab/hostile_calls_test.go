//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
	"github.com/rvrrpd/rvrrpd/lab/hostile/attack"
)

// TestHostileCalls has a compromised child of the real daemon make one system
// call that it may not make: it dies of it, and the daemon ends, with all
// undone.
func TestHostileCalls(t *testing.T) {
	t.Parallel()
	parent := installation(t, "./lab/hostile")
	var mu sync.Mutex
	var rows []string
	t.Cleanup(func() {
		slices.Sort(rows)
		t.Logf("system calls of a hostile network process, made below the real daemon:\n%s", strings.Join(rows, ""))
	})
	for i, c := range attack.Calls {
		for _, profile := range []string{"root", "user"} {
			t.Run(profile+" "+c.Name, func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				dir := t.TempDir()
				conf := filepath.Join(dir, "rvrrpd.conf")
				text := fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = \"eth0\"\nvip = \"10.9.0.254/24\"\npriority = 100\niftype = \"macvlan\"\n", len(attack.All)+1+i)
				if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				before := l.R1.AtRest()
				argv := []string{parent, "-m1", "-c", conf}
				if profile == "user" {
					argv = l.R1.AsService(dir, argv)
				}
				p := l.R1.Start(argv...)
				code := p.AwaitExit(20 * time.Second)
				killed := p.Said(0, "violation: the network process used a forbidden system call")
				if code != violationStatus || !killed || p.Said(0, "has come back") {
					t.Errorf("exit code %d; it said\n%s", code, p.Output())
				}
				if diff := before.Diff(l.R1.Snapshot()); diff != "" {
					t.Errorf("left behind:\n%s", diff)
				}
				mu.Lock()
				defer mu.Unlock()
				rows = append(rows, fmt.Sprintf("\t%-30s %-5s killed %v, the daemon ends with %d\n", c.Name, profile, killed, code))
			})
		}
	}
}
