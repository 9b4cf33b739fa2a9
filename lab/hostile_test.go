//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
	"github.com/rvrrpd/rvrrpd/lab/hostile/attack"
)

// memory is the most the parent may use while it is attacked, in KiB.
const memory = 64 << 10

// installation puts the real parent beside a child from another source, which
// says that it is of the same build.
func installation(t *testing.T, source string, variables ...string) (parent string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // for a parent that is not root
		t.Fatal(err)
	}
	parent = filepath.Join(dir, "rvrrpd")
	// By another process: a descriptor of ours, inherited by what a parallel
	// test starts, would keep the file busy.
	if out, err := exec.Command("cp", lab.Binary("rvrrpd"), parent).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
	version, err := exec.Command(parent, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, build, _ := strings.Cut(strings.TrimSpace(string(version)), " build ")
	flags := "-X 'github.com/rvrrpd/rvrrpd/ipc.build=" + build + "'"
	for _, v := range variables {
		flags += " -X " + v
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "rvrrpd-netproc"), "-ldflags", flags, source)
	cmd.Dir, cmd.Env = lab.Root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return parent
}

// TestHostileChild lets a compromised network process try everything it can
// say. A violation ends the daemon, a storm does not; either way nothing is
// left behind, and the parent did nothing that was not granted.
func TestHostileChild(t *testing.T) {
	t.Parallel()
	parent := installation(t, "./lab/hostile")
	for i, a := range attack.All {
		for _, profile := range []string{"root", "user"} {
			t.Run(profile+" "+a.Name, func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				dir := t.TempDir()
				conf := filepath.Join(dir, "rvrrpd.conf")
				text := fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = \"eth0\"\nvip = \"10.9.0.254/24\"\npriority = 100\niftype = \"macvlan\"\n", i+1)
				if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				before := l.R1.Snapshot()
				argv := []string{parent, "-m1", "-c", conf}
				if profile == "user" {
					argv = l.R1.AsService(dir, argv)
				}
				p := l.R1.Start(argv...)
				if a.Harmless {
					harmless(t, p)
				} else if code := p.AwaitExit(10 * time.Second); code != 1 || !strings.Contains(p.Output(), "network process killed") {
					t.Errorf("exit code %d; it said\n%s", code, p.Output())
				}
				if diff := before.Diff(l.R1.Snapshot()); diff != "" {
					t.Errorf("left behind:\n%s", diff)
				}
			})
		}
	}
}

// harmless waits until the storm is over and stops the daemon, which has to
// end its child by force.
func harmless(t *testing.T, p *lab.Process) {
	t.Helper()
	p.AwaitLine(0, 10*time.Second, "msg=ready")
	time.Sleep(time.Second) // the storm: nothing tells its end
	resident, _, _ := strings.Cut(lab.Status(p.PID)["VmRSS"], " ")
	if kib, err := strconv.Atoi(resident); err != nil || kib > memory {
		t.Errorf("parent uses %s KiB of memory, %v", resident, err)
	}
	if code := p.Terminate(5 * time.Second); code != 1 || !strings.Contains(p.Output(), "did not stop in time") {
		t.Errorf("exit code %d; it said\n%s", code, p.Output())
	}
}
