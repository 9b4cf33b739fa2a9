//go:build lab

package lab_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
	"github.com/rvrrpd/rvrrpd/lab/hostile/attack"
	"github.com/rvrrpd/rvrrpd/netproc/auth"
)

const (
	// marksMost is how many stamps the parent remembers of a virtual router, and
	// lineMost the longest line of them in its state.
	marksMost, lineMost = 136, 77
	// writings are waited for.
	writings = 4
)

// TestHostileMarks: a compromised network process has stamps written down, with
// anti_replay = "monotonic", without end. What is on the disk is whole at each moment,
// is of its virtual router alone and bounded, and is written once a second. An honest
// daemon starts with it, and keeps nothing of it that is not under its keys.
func TestHostileMarks(t *testing.T) {
	t.Parallel()
	parent := installation(t, "./lab/hostile")
	for i, a := range attack.All {
		for _, profile := range []string{"root", "user"} {
			if a.Lasting {
				t.Run(profile+" "+a.Name, func(t *testing.T) {
					t.Parallel()
					sufferMarks(t, parent, profile, i+1)
				})
			}
		}
	}
}

// sufferMarks runs the daemon with it, and an honest one afterwards.
func sufferMarks(t *testing.T, parent, profile string, vrid int) {
	t.Helper()
	l, on := lab.New(t), preys[1]
	dir := t.TempDir()
	conf, kept := filepath.Join(dir, "rvrrpd.conf"), filepath.Join(dir, "state")
	hmac := strings.Replace(on.conf, "active_key", "anti_replay = \"monotonic\"\nactive_key", 1)
	text := fmt.Sprintf("state_dir = %q\n[[vrouter]]\ngroup = %d\ninterface = %q\npriority = 100\niftype = \"macvlan\"\n%s", kept, vrid, lab.Interface, hmac)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	before := l.R1.AtRest()
	argv := append(lab.Ordinary(), parent, "-m1", "-c", conf)
	if profile == "user" {
		argv = l.R1.AsService(dir, argv)
	}
	p := l.R1.Start(argv...)
	p.AwaitLine(0, 10*time.Second, "msg=ready")
	s := stateWatch{path: filepath.Join(kept, "replay."+lab.Interface), vrid: vrid}
	if !lab.Until(30*time.Second, func() bool {
		s.look(t)
		bounded(t, p)
		return s.count >= writings || t.Failed()
	}) {
		t.Errorf("written %d times; it said\n%s", s.count, p.Output())
	}
	if most := 2 + int(s.last.Sub(s.first)/time.Second); s.count > most {
		t.Errorf("written %d times in %v", s.count, s.last.Sub(s.first))
	}
	drown(t, l, p, on)
	s.look(t)
	on.grantedOnly(t, l, vrid)
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind:\n%s", diff)
	}
	if len(s.sources) == 0 {
		t.Error("nothing is on the disk: the storm has not come there")
	}

	argv[slices.Index(argv, parent)] = lab.Binary("rvrrpd")
	honest := l.R1.Start(argv...)
	honest.AwaitLine(0, 10*time.Second, "msg=ready")
	key, err := hex.DecodeString(strings.TrimPrefix(key1, "hex:"))
	if err != nil {
		t.Fatal(err)
	}
	ours := fmt.Sprintf("@%08x", auth.Fingerprint(key))
	if !lab.Until(10*time.Second, func() bool {
		s.look(t)
		return len(s.sources) > 0 && !slices.ContainsFunc(s.sources, func(source string) bool { return !strings.HasSuffix(source, ours) })
	}) {
		t.Errorf("under other keys than %s: %q", ours, s.sources)
	}
	honest.Terminate(5 * time.Second)
}

// stateWatch looks at a state of the parent's again and again.
type stateWatch struct {
	path        string
	vrid        int
	count       int       // of writings
	first, last time.Time // of them
	sources     []string  // in the last
}

// look reads it, if it is another file than before.
func (s *stateWatch) look(t *testing.T) {
	t.Helper()
	info, err := os.Stat(s.path)
	if os.IsNotExist(err) || err == nil && info.ModTime().Equal(s.last) {
		return
	}
	text, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	if s.count++; s.count == 1 {
		s.first = info.ModTime()
	}
	s.last, s.sources = info.ModTime(), nil
	for line := range strings.Lines(string(text)) {
		var family, vrid int
		var source string
		var sequence uint64
		n, _ := fmt.Sscan(line, &family, &vrid, &source, &sequence)
		if n != 4 || family != 6 || vrid != s.vrid || !strings.HasSuffix(line, "\n") || len(line) > lineMost {
			t.Fatalf("%q in the state", line)
		}
		s.sources = append(s.sources, source)
	}
	if len(s.sources) > marksMost {
		t.Fatalf("%d lines in the state", len(s.sources))
	}
}
