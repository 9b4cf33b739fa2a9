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

// TestPoisonedState: somebody who had the key has led a sender's stamps, and ours,
// to the year 2087, and a release that told no keys apart has written that down. With
// a new key on both routers, by reloads, the sender is heard again, and nothing of the
// old key is left in the file.
func TestPoisonedState(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	dir := filepath.Join(t.TempDir(), "state")
	file := filepath.Join(dir, "replay."+lab.Interface)
	const year2087 = uint64(3_700_000_000) << 32
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	poison := fmt.Sprintf("4 1 %v %d\n4 1 - %d\n", l.R2.Addr, year2087, year2087)
	if err := os.WriteFile(file, []byte(poison), 0o600); err != nil {
		t.Fatal(err)
	}
	config := func(dir string, priority, active int, keys string) string {
		return fmt.Sprintf("state_dir = %q\n", dir) + hmacConfig(1, priority, "enforce", active, keys, "anti_replay = \"monotonic\"\n")
	}
	state := func() string { b, _ := os.ReadFile(file); return string(b) }
	other := filepath.Join(t.TempDir(), "state")
	b := startReloaded(t, l.R2, config(other, high, 1, "1"))
	b.AwaitLine(0, 10*time.Second, "backup->active")
	a := startReloaded(t, l.R1, config(dir, low, 1, "1"))
	a.AwaitLine(0, 10*time.Second, "packets dropped.*reason=replayed")
	a.AwaitLine(0, 10*time.Second, "backup->active.*drop=replayed")
	if !lab.Until(5*time.Second, func() bool { return strings.Count(state(), "@") >= 2 }) {
		t.Errorf("not tied to the key: %q", state())
	}
	mark := a.Len()
	b.reload(config(other, high, 2, "2"), "configuration loaded")
	a.reload(config(dir, low, 2, "2"), "configuration loaded")
	a.AwaitLine(mark, 10*time.Second, "active->backup.*reason=higher-priority")
	gone := func() bool {
		for line := range strings.Lines(state()) {
			var family, vrid int
			var source string
			var sequence uint64
			if n, _ := fmt.Sscan(line, &family, &vrid, &source, &sequence); n != 4 || !strings.Contains(source, "@") || sequence >= year2087 {
				return false
			}
		}
		return strings.Contains(state(), l.R2.Addr.String()+"@")
	}
	if !lab.Until(5*time.Second, gone) {
		t.Errorf("left: %q", state())
	}
}
