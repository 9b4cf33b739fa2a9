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
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if len(out) == 0 && strings.Contains(said.String(), audit.ErrNone.Error()) {
		return nil, cmd.ProcessState.ExitCode()
	}
	var report struct {
		Daemons []audit.Daemon
		Pass    bool
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v: %s; %s", err, out, said.String())
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
			if broken := failures(d); !d.Pass || d.Profile != profile || len(broken) > 0 || len(d.Processes) != 4 {
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
	for _, profile := range []string{"root", "user"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			dir := t.TempDir()
			conf := filepath.Join(dir, "rvrrpd.conf")
			if err := os.WriteFile(conf, []byte(auditConfiguration), 0o600); err != nil {
				t.Fatal(err)
			}
			argv := []string{lab.Binary("rvrrpd"), "-m1", "-c", conf}
			if profile == "user" {
				argv = l.R1.AsService(dir, argv)
			}
			init := l.R1.Start("unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", strings.Join(argv, " ")+"; echo over; exec sleep 60")
			init.AwaitLine(0, 10*time.Second, "backup->active")
			below := lab.Descendants(init.PID)
			inside := []string{"nsenter", "--target", strconv.Itoa(below[0]), "--pid", "--mount"}
			if daemons, status := audited(t, inside...); status != 0 || len(daemons) != 1 || daemons[0].Profile != profile {
				t.Errorf("status %d, %d daemons, broken: %q", status, len(daemons), failures(daemons[0]))
			}
			if out, status := auditText(inside); status != 0 || !strings.Contains(out, "every promise is kept") {
				t.Errorf("status %d:\n%s", status, out)
			} else {
				t.Logf("the report:\n%s", out)
			}
			lab.KillChild(below[1]) // the parent, and so all
			init.AwaitLine(0, 10*time.Second, "over")
			if out, status := auditText(inside); status != 1 || !strings.Contains(out, "no rvrrpd is running") {
				t.Errorf("none runs: status %d: %s", status, out)
			}
		})
	}
}

// TestAuditSniffer: a sniffer beside a daemon is no failure, nor is what a user
// calls rvrrpd.
func TestAuditSniffer(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	sniffer := l.R1.Start(lab.Binary("rvrrpd"), "-m0", "-i", lab.Interface)
	if !lab.Until(10*time.Second, func() bool {
		return len(lab.Children(sniffer.PID)) == 1 && lab.Status(sniffer.PID)["CapPrm"] == noCapability
	}) {
		t.Fatalf("no sniffer: %s", sniffer.Output())
	}
	dir := t.TempDir()
	if err := os.Symlink("/bin/sleep", filepath.Join(dir, "rvrrpd")); err != nil {
		t.Fatal(err)
	}
	fake := l.R2.Start(filepath.Join(dir, "rvrrpd"), "60")
	var daemons []audit.Daemon
	if !lab.Until(10*time.Second, func() bool {
		daemons, _ = audited(t)
		found := false
		for _, d := range daemons {
			found = found || d.PID == sniffer.PID && len(d.Processes) == 3 && d.Pass
		}
		return found
	}) {
		t.Errorf("broken: %q", failures(one(t, daemons, sniffer.PID)))
	}
	for _, d := range daemons {
		if d.PID == fake.PID || d.PID == sniffer.PID && d.Profile != "sniffer" {
			t.Errorf("%d is looked at as %s", d.PID, d.Profile)
		}
	}
}

// TestAuditStarting: a network process whose walls are still to come is told, with
// a status of its own, and fails nothing, from its first moment to the last.
func TestAuditStarting(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"root", "user"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			p := launch(t, l.R1, profile, installation(t, "./lab/hostile/weak", "main.missing=all"))
			told := ""
			lab.Until(10*time.Second, func() bool {
				daemons, status := audited(t)
				for _, d := range daemons {
					switch {
					case d.PID != p.PID || told != "" && d.Starting == "":
					case d.Starting == "":
						t.Errorf("it fails, with status %d: %q", status, failures(d))
					case len(daemons) == 1 && status != 75:
						t.Errorf("status %d: %s", status, d.Starting)
					case len(d.Processes) == 4: // before that there is none to be confined
						told = d.Starting
					}
				}
				return told != ""
			})
			if told != "its network process is not confined yet" {
				t.Errorf("it is told %q; it said\n%s", told, p.Output())
			}
		})
	}
}

// auditText runs rvrrpd --audit through another program.
func auditText(through []string) (out string, status int) {
	cmd := exec.Command(through[0], append(through[1:len(through):len(through)], lab.Binary("rvrrpd"), "--audit")...)
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		return err.Error(), -1
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// TestWeakChild: a network process with a wall missing does not run
// unnoticed: the parent refuses it before it is told anything, or where it
// does not look the audit finds it.
func TestWeakChild(t *testing.T) {
	t.Parallel()
	const oneMount = "the child has one mount, in which nothing can be written or executed"
	for _, tt := range []struct {
		missing, profile string
		refused          string   // what the parent says
		found            []string // what the audit says of one that runs
	}{
		{missing: "nothing", profile: "root"},
		{missing: "nothing", profile: "user"},
		{missing: "filter", profile: "root", refused: "Seccomp_filters is"},
		{missing: "filter", profile: "user", refused: "Seccomp_filters is"},
		{missing: "limits", profile: "root", refused: "Max .*: .*, not "},
		{missing: "limits", profile: "user", refused: "Max .*: .*, not "},
		{missing: "dumpable", profile: "root", refused: "dumpable: its files"},
		{missing: "dumpable", profile: "user"}, // not shown by the kernel
		{missing: "read-only", profile: "root", found: []string{oneMount}},
		{missing: "read-only", profile: "user", found: []string{oneMount}},
	} {
		t.Run(tt.profile+" "+tt.missing, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			p := launch(t, l.R1, tt.profile, installation(t, "./lab/hostile/weak", "main.missing="+tt.missing))
			p.AwaitLine(0, 10*time.Second, "backup->active|confinement of rvrrpd-netproc")
			if tt.refused != "" {
				if code := p.AwaitExit(5 * time.Second); code != 1 || !p.Said(0, "confinement of rvrrpd-netproc: .*"+tt.refused) || p.Said(0, "network process confined") {
					t.Errorf("status %d; it said\n%s", code, p.Output())
				}
				return
			}
			daemons, status := audited(t)
			if diff := cmp.Diff(tt.found, failures(one(t, daemons, p.PID))); diff != "" || tt.found != nil && status != 1 {
				t.Errorf("status %d, broken (-want +got):\n%s", status, diff)
			}
		})
	}
}
