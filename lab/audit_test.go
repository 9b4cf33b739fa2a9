//go:build lab

package lab_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/audit"
	"github.com/rvrrpd/rvrrpd/lab"
)

// audited runs rvrrpd --audit --json, through another program if one is
// given, and returns what it says of all daemons.
func audited(t *testing.T, through ...string) (daemons []audit.Daemon, status int) {
	t.Helper()
	argv := append(through, lab.Binary("rvrrpd"), "--audit", "--json")
	cmd := exec.Command(argv[0], argv[1:]...)
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	var report struct {
		Daemons []audit.Daemon
		Pass    bool
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	status = cmd.ProcessState.ExitCode()
	if report.Pass != (status == 0) {
		t.Errorf("pass %v, but status %d", report.Pass, status)
	}
	return report.Daemons, status
}

// one picks a daemon: the labs of other tests have theirs.
func one(t *testing.T, daemons []audit.Daemon, pid int) audit.Daemon {
	t.Helper()
	for _, d := range daemons {
		if d.PID == pid {
			return d
		}
	}
	t.Fatalf("daemon %d is not in the audit", pid)
	return audit.Daemon{}
}

// failures are the promises that are not kept.
func failures(d audit.Daemon) (broken []string) {
	for _, p := range d.Processes {
		for _, c := range p.Checks {
			if !c.Pass {
				broken = append(broken, c.Promise)
			}
		}
	}
	return append(broken, d.Missing...)
}

// auditConfiguration is one virtual router.
const auditConfiguration = "[[vrouter]]\ngroup = 7\ninterface = \"eth0\"\nvip = \"10.9.0.254/24\"\npriority = 100\niftype = \"macvlan\"\n"

// launch starts a daemon with auditConfiguration in one of the two profiles.
func launch(t *testing.T, n *lab.Node, profile, program string) *lab.Process {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "rvrrpd.conf")
	if err := os.WriteFile(conf, []byte(auditConfiguration), 0o600); err != nil {
		t.Fatal(err)
	}
	argv := []string{program, "-m1", "-c", conf}
	if profile == "user" {
		argv = n.AsService(dir, argv)
	}
	return n.Start(argv...)
}

// TestAudit: a running daemon is as promised in both profiles; when a wall of
// its network process is taken down, that is what the audit finds.
func TestAudit(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"root", "user"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			p := launch(t, l.R1, profile, lab.Binary("rvrrpd"))
			p.AwaitLine(0, 10*time.Second, "backup->active")
			daemons, _ := audited(t)
			d := one(t, daemons, p.PID)
			if broken := failures(d); !d.Pass || d.Profile != profile || len(broken) > 0 || len(d.Processes) != 3 {
				t.Errorf("pass %v as %s, %d processes, broken: %q", d.Pass, d.Profile, len(d.Processes), broken)
			}
			// From outside, by a root who may do everything.
			child := strconv.Itoa(lab.Children(p.PID)[0])
			if out, err := exec.Command("nsenter", "--target", child, "--net", "ip", "link", "add", "door", "type", "bridge").CombinedOutput(); err != nil {
				t.Fatalf("open a door: %v: %s", err, out)
			}
			daemons, status := audited(t)
			want := []string{"the child's network has no interface but its own loopback"}
			if diff := cmp.Diff(want, failures(one(t, daemons, p.PID))); diff != "" || status != 1 {
				t.Errorf("status %d; broken (-want +got):\n%s", status, diff)
			}
		})
	}
}

// TestAuditAlone runs a daemon and the audit in a process namespace, where no
// other daemon is to be seen: a daemon that is as promised gives status 0,
// and none status 1.
func TestAuditAlone(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	conf := filepath.Join(t.TempDir(), "rvrrpd.conf")
	if err := os.WriteFile(conf, []byte(auditConfiguration), 0o600); err != nil {
		t.Fatal(err)
	}
	init := l.R1.Start("unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", lab.Binary("rvrrpd")+" -m1 -c "+conf+"; echo over; exec sleep 60")
	init.AwaitLine(0, 10*time.Second, "backup->active")
	below := lab.Descendants(init.PID)
	inside := []string{"nsenter", "--target", strconv.Itoa(below[0]), "--pid", "--mount"}
	if daemons, status := audited(t, inside...); status != 0 || len(daemons) != 1 {
		t.Errorf("status %d, %d daemons, broken: %q", status, len(daemons), failures(daemons[0]))
	}
	text := exec.Command(inside[0], append(inside[1:], lab.Binary("rvrrpd"), "--audit")...)
	out, err := text.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "every promise is kept") {
		t.Errorf("%v:\n%s", err, out)
	}
	t.Logf("the report:\n%s", out)
	lab.KillChild(below[1]) // the parent, and so all
	init.AwaitLine(0, 10*time.Second, "over")
	cmd := exec.Command(inside[0], append(inside[1:], lab.Binary("rvrrpd"), "--audit")...)
	if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "no rvrrpd is running") {
		t.Errorf("none runs: %v: %s", err, out)
	}
}

// TestWeakChild: a network process with a wall missing does not run
// unnoticed: the parent refuses it, or the audit finds it.
func TestWeakChild(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		missing string
		want    []string // what the audit finds; nil is refused
		root    []string // and only where the parent is root
	}{
		{missing: "nothing"},
		{missing: "filter", want: []string{"the child has a seccomp filter of its own"}},
		{missing: "limits", want: []string{"the child can open no descriptor", "the child can start a few threads", "the child can write no file",
			"the child can lock no memory and make no message queue", "the child's memory is bounded"}},
		{missing: "dumpable", root: []string{"its memory is closed to its own user"}},
	} {
		for _, profile := range []string{"root", "user"} {
			t.Run(profile+" "+tt.missing, func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				p := launch(t, l.R1, profile, installation(t, "./lab/hostile/weak", "main.missing="+tt.missing))
				p.AwaitLine(0, 10*time.Second, "backup->active|confinement of the network process")
				if p.Said(0, "confinement of the network process") {
					t.Logf("refused: %s", p.Output())
					if code := p.AwaitExit(5 * time.Second); code != 1 || tt.missing == "nothing" {
						t.Errorf("refused with status %d; it said\n%s", code, p.Output())
					}
					return
				}
				want := tt.want
				if profile == "root" {
					want = append(tt.root, want...)
				}
				daemons, _ := audited(t)
				if diff := cmp.Diff(want, failures(one(t, daemons, p.PID))); diff != "" {
					t.Errorf("broken (-want +got):\n%s", diff)
				}
			})
		}
	}
}
