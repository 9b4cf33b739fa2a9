//go:build lab

package lab_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/audit"
	"github.com/rvrrpd/rvrrpd/lab"
)

// audited runs rvrrpd --audit --json and returns what it says of one daemon;
// the labs of other tests have theirs.
func audited(t *testing.T, pid int) (d audit.Daemon, status int) {
	t.Helper()
	cmd := exec.Command(lab.Binary("rvrrpd"), "--audit", "--json")
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	var report struct {
		Daemons []audit.Daemon
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, d := range report.Daemons {
		if d.PID == pid {
			return d, cmd.ProcessState.ExitCode()
		}
	}
	t.Fatalf("daemon %d is not in the audit", pid)
	return d, 0
}

// TestAudit: a running daemon is as promised, whoever its user is; the audit
// of one whose processes have no walls fails, row by row.
func TestAudit(t *testing.T) {
	for _, unprivileged := range []bool{false, true} {
		l := lab.New(t)
		a := l.R1.Run(lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: low, Unprivileged: unprivileged})
		a.AwaitActive(0)
		d, _ := audited(t, a.PID)
		profile := map[bool]string{false: "root", true: "user"}[unprivileged]
		checks := 0
		for _, p := range d.Processes {
			for _, c := range p.Checks {
				checks++
				if !c.Pass {
					t.Errorf("%s: %s %d: %s: %s", profile, p.Role, p.PID, c.Promise, c.Found)
				}
			}
		}
		if !d.Pass || d.Profile != profile || checks < 20 {
			t.Errorf("%s: pass %v as %s after %d checks, missing %v", profile, d.Pass, d.Profile, checks, d.Missing)
		}
		a.Terminate(5 * time.Second)
	}

	dir := t.TempDir()
	for name, text := range map[string]string{
		"rvrrpd":         "#!/bin/sh\n" + filepath.Join(dir, "rvrrpd-spawn") + "\n:\n",
		"rvrrpd-spawn":   "#!/bin/sh\n" + filepath.Join(dir, "rvrrpd-netproc") + "\n:\n",
		"rvrrpd-netproc": "#!/bin/sh\necho up\nsleep 60\n:\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l := lab.New(t)
	weak := l.R1.Start(filepath.Join(dir, "rvrrpd"), "-m1")
	weak.AwaitLine(0, 5*time.Second, "up")
	d, status := audited(t, weak.PID)
	failed := 0
	for _, p := range d.Processes {
		for _, c := range p.Checks {
			if !c.Pass {
				failed++
			}
		}
	}
	if d.Pass || status != 1 || failed < 15 {
		t.Errorf("without walls: pass %v, status %d, %d checks failed: %s", d.Pass, status, failed, strconv.Quote(weak.Output()))
	}
}
