//go:build lab

package lab_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/audit"
	"github.com/rvrrpd/rvrrpd/lab"
	"golang.org/x/sys/unix"
)

// units are the files of packaging/systemd, and the exposure that
// systemd-analyze may see in each service: 2.5 and 2.0 for the daemons, which
// are the only ones that reach the network.
var units = map[string]float64{
	"rvrrpd.service": 2.5, "rvrrpd-spawn@.service": 2.5, "rvrrpd-spawn.socket": 0,
	"rvrrpd-unprivileged.service": 2.0, "rvrrpd-unprivileged-spawn@.service": 2.0, "rvrrpd-unprivileged-spawn.socket": 0,
}

// TestUnits: systemd finds nothing wrong with the units and little exposed.
func TestUnits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(lab.Root(), "packaging/systemd/*"))
	if err != nil || len(files) != len(units) {
		t.Fatalf("%d units, not %d: %v", len(files), len(units), err)
	}
	programs := strings.NewReplacer("/usr/sbin/rvrrpd", lab.Binary("rvrrpd"), "/usr/libexec/rvrrpd/rvrrpd-spawn", lab.Binary("rvrrpd-spawn"))
	var paths []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.Base(f))
		if err := os.WriteFile(path, []byte(programs.Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		// An instance stands for a template.
		if instance := strings.Replace(path, "@.", "@1.", 1); instance != path {
			if err := os.Symlink(filepath.Base(path), instance); err != nil {
				t.Fatal(err)
			}
			path = instance
		}
		paths = append(paths, path)
	}
	out, err := exec.Command("systemd-analyze", append([]string{"verify", "--man=no"}, paths...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	for _, path := range paths {
		name := strings.Replace(filepath.Base(path), "@1.", "@.", 1)
		if strings.HasSuffix(name, ".socket") {
			continue
		}
		out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", path).CombinedOutput()
		if err != nil {
			t.Fatalf("security of %s: %v\n%s", name, err, out)
		}
		exposure(t, name, path, string(out))
	}
}

var overall = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// exposure holds what systemd-analyze says of a unit, or of one that runs,
// against the most that it may be.
func exposure(t *testing.T, name, of, said string) {
	t.Helper()
	m := overall.FindStringSubmatch(said)
	if m == nil {
		t.Fatalf("security of %s: %s", of, said)
	}
	score, err := strconv.ParseFloat(m[1], 64)
	t.Logf("exposure of %s: %.1f, at most %.1f", of, score, units[name])
	if err != nil || score > units[name] {
		t.Errorf("exposure of %s: %.1f, want at most %.1f: %v\n%s", of, score, units[name], err, said)
	}
}

// TestUnitsStayDown: neither a mistake of the operator's nor a violation is
// answered with a restart, what may be an accident is.
func TestUnitsStayDown(t *testing.T) {
	t.Parallel()
	wrong := exec.Command(lab.Binary("rvrrpd"), "-m1", "-c", filepath.Join(t.TempDir(), "missing"))
	if err := wrong.Run(); wrong.ProcessState == nil {
		t.Fatal(err)
	}
	want := []string{strconv.Itoa(violationStatus), strconv.Itoa(wrong.ProcessState.ExitCode())}
	for _, name := range []string{"rvrrpd.service", "rvrrpd-unprivileged.service"} {
		settings := unit(t, name)
		if got := strings.Fields(strings.Join(settings["RestartPreventExitStatus"], " ")); !slices.Equal(got, want) {
			t.Errorf("%s: RestartPreventExitStatus= is %q, want %q", name, got, want)
		}
		if got := settings["Restart"]; !slices.Equal(got, []string{"on-failure"}) {
			t.Errorf("%s: Restart= is %q", name, got)
		}
	}
}

// TestUnitsDoNotSwap: keys are in the memory of the parent and of the network
// process, which is in the control group of the spawner; neither is swapped.
func TestUnitsDoNotSwap(t *testing.T) {
	t.Parallel()
	units, err := filepath.Glob(filepath.Join(lab.Root(), "packaging/systemd/*.service"))
	if err != nil || len(units) != 4 {
		t.Fatalf("%d units, want 4: %v", len(units), err)
	}
	for _, path := range units {
		name := filepath.Base(path)
		if got := unit(t, name)["MemorySwapMax"]; !slices.Equal(got, []string{"0"}) {
			t.Errorf("%s: MemorySwapMax= is %q", name, got)
		}
	}
}

// TestAccidentsAreSignals: whatever the parent dies of that it does not catch, a
// fault of its own or what the watchdog sends, it dies of a signal, behind its
// filter, too. Status 2, with which Go ends otherwise, is that of a wrong command
// line, and no unit takes it for final (TestUnitsStayDown).
func TestAccidentsAreSignals(t *testing.T) {
	t.Parallel()
	for _, sent := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGABRT, syscall.SIGQUIT} {
		t.Run(unix.SignalName(sent), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Priority: high}
			before := l.R1.AtRest()
			d := l.R1.Run(r)
			d.AwaitActive(0)
			d.Signal(sent)
			if status := d.AwaitExit(20 * time.Second); status != -int(syscall.SIGABRT) {
				t.Errorf("%v: status %d, want death by SIGABRT", sent, status)
			}
			if !d.Said(0, "^goroutine |^\\[?signal|SIG[A-Z]+: ") {
				t.Errorf("it does not say of what it dies; it said\n%s", d.Output())
			}
			again := d.Again()
			again.AwaitActive(0)
			if status := again.Terminate(5 * time.Second); status != 0 {
				t.Errorf("the next one: status %d", status)
			}
			if diff := before.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("left behind:\n%s", diff)
			}
		})
	}
}

// unit reads the settings of a unit, the values of each in order.
func unit(t *testing.T, name string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(lab.Root(), "packaging/systemd", name))
	if err != nil {
		t.Fatal(err)
	}
	settings := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(key, "#") {
			settings[key] = append(settings[key], value)
		}
	}
	return settings
}

// allowed are the system calls that the SystemCallFilter= lines of a unit let
// through, as systemd puts them together: a list, less one, and so on.
func allowed(t *testing.T, lines []string) map[string]bool {
	t.Helper()
	calls := map[string]bool{}
	for i, line := range append([]string{"@default"}, lines...) {
		line, less := strings.CutPrefix(line, "~")
		if less && i == 1 {
			t.Fatal("the filter is not a list of what is allowed")
		}
		for _, name := range strings.Fields(line) {
			for call := range expand(t, name) {
				if calls[call] = true; less {
					delete(calls, call)
				}
			}
		}
	}
	return calls
}

// expand lists the system calls of a group, and of the groups in it.
func expand(t *testing.T, name string) map[string]bool {
	t.Helper()
	if !strings.HasPrefix(name, "@") {
		return map[string]bool{name: true}
	}
	out, err := exec.Command("systemd-analyze", "--no-pager", "syscall-filter", name).Output()
	if err != nil {
		t.Fatalf("group %s: %v", name, err)
	}
	calls := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && line != name && !strings.HasPrefix(line, "#") {
			maps.Copy(calls, expand(t, line))
		}
	}
	return calls
}

// service starts daemon and spawner as the units of a profile do: the spawner
// by a service manager, behind a socket, both with the capabilities of their
// units, and the spawner in another network. In front of each stands a
// wrapper, which may be empty.
func service(t *testing.T, l *lab.Lab, profile, configuration string, daemonWrapper, spawnerWrapper []string) (daemon, manager *lab.Process) {
	t.Helper()
	start, manager := services(t, l, profile, configuration, lab.Binary("rvrrpd"), daemonWrapper, spawnerWrapper)
	return start(), manager
}

// services is service for a daemon that is started more than once, of any
// program.
func services(t *testing.T, l *lab.Lab, profile, configuration, program string, daemonWrapper, spawnerWrapper []string) (start func() *lab.Process, manager *lab.Process) {
	t.Helper()
	// The service user has to get there.
	dir, err := os.MkdirTemp("/run", "rvrrpd-lab-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	sub := filepath.Join(dir, "it")
	if err := os.Mkdir(sub, 0o711); err != nil {
		t.Fatal(err)
	}
	conf, socket := filepath.Join(sub, "rvrrpd.conf"), filepath.Join(sub, "spawn.socket")
	if err := os.WriteFile(conf, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	daemonArgs := append(slices.Clone(daemonWrapper), "env", "RVRRPD_SPAWNER="+socket, program, "-m1", "-c", conf)
	user, service := strconv.Itoa(lab.ServiceUser), []string{"setpriv", "--bounding-set", "-all,+net_admin,+net_raw", "--no-new-privs"}
	capabilities := []string{"setpriv", "--no-new-privs", "--bounding-set", "-all,+setuid,+setgid"}
	name := "nobody"
	if profile == "user" {
		name = user
		service = l.R1.AsService(sub, nil)
		if err := os.Chown(sub, lab.ServiceUser, lab.ServiceUser); err != nil {
			t.Fatal(err)
		}
		capabilities = []string{"setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs", "--inh-caps", "-all", "--bounding-set", "-all"}
	}
	spawner := slices.Concat([]string{"systemd-socket-activate", "--seqpacket", "--accept", "--inetd", "-l", socket}, spawnerWrapper,
		[]string{program + "-spawn", name})
	manager = l.R2.Start(append(capabilities, spawner...)...)
	manager.AwaitLine(0, 5*time.Second, "Listening on")
	return func() *lab.Process { return l.R1.Start(append(service, daemonArgs...)...) }, manager
}

// TestService: with the spawner in a service of its own, and no capability
// more than in the units, the daemon works as without: it takes over, goes on
// after a crash of its network process, passes the audit, and whichever of
// parent and spawner dies, the others do.
func TestService(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"root", "user"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			before := l.R1.AtRest()
			p, manager := service(t, l, profile, auditConfiguration, nil, nil)
			p.AwaitLine(0, 10*time.Second, "backup->active")
			spawner := lab.Descendants(manager.PID)[0]
			child := lab.Children(spawner)[0]
			d := auditedAlone(t, p.PID, spawner, child, keeperOf(t, spawner))
			if broken := failures(d); !d.Pass || !d.Activated || d.Profile != profile || len(broken) > 0 || len(d.Processes) != 4 {
				t.Errorf("activated %v, pass %v as %s, %d processes, broken: %q", d.Activated, d.Pass, d.Profile, len(d.Processes), broken)
			}
			mark := p.Len()
			lab.KillChild(child)
			p.AwaitLine(mark, 5*time.Second, "network process confined")
			p.Signal(syscall.SIGHUP)
			p.AwaitLine(mark, 5*time.Second, "configuration loaded")
			gone := []func(time.Duration) bool{lab.WatchExit(spawner), lab.WatchExit(lab.Children(spawner)[0])}
			if status := p.Terminate(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, p.Output())
			}
			for _, wait := range gone {
				if !wait(5 * time.Second) {
					t.Error("a process is left behind")
				}
			}
			if diff := before.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
		})
	}
}

// install puts the programs of a directory where they are run from, as a
// package does: other files of the same names.
func install(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range lab.Programs {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name+".new"), text, 0o755)
		}
		if err == nil {
			err = os.Rename(filepath.Join(to, name+".new"), filepath.Join(to, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestServiceRestart: under the units of either profile the programs on disk
// are replaced by those of another release while the daemon advertises at
// 300 ms, and "systemctl restart" is what the peer does not notice: the signal
// of the unit to the old daemon, then a new one with a new spawner. Not beside
// other tests: what is measured is time.
func TestServiceRestart(t *testing.T) {
	const count = 20
	next := filepath.Dir(nextRelease(t))
	for profile, name := range map[string]string{"root": "rvrrpd.service", "user": "rvrrpd-unprivileged.service"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			settings := unit(t, name)
			if signal := settings["RestartKillSignal"]; len(signal) != 1 || signal[0] != "SIGUSR2" || len(settings["KillSignal"]) > 0 {
				t.Fatalf("%s: a restart sends %q, a stop %q", name, signal, settings["KillSignal"])
			}
			if preserved := settings["RuntimeDirectoryPreserve"]; len(preserved) != 1 || preserved[0] != "yes" {
				t.Fatalf("%s: RuntimeDirectoryPreserve=%q: what one daemon leaves to the next is lost", name, preserved)
			}
			l := lab.New(t)
			before := l.R1.AtRest()
			dir, err := os.MkdirTemp("/run", "rvrrpd-bin-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			program := filepath.Join(dir, "rvrrpd")
			install(t, filepath.Dir(lab.Binary("rvrrpd")), dir)
			start, manager := services(t, l, profile, reloads(count, high, ""), program, nil, nil)
			a := start()
			awaitAll(t, a, 0, "backup->active", count, 10*time.Second)
			b := startReloaded(t, l.R2, reloads(count, low, ""))
			awaitAll(t, b.Process, 0, "initialize->backup", count, 10*time.Second)
			install(t, next, dir)
			heard := b.Len()
			mark, begin := l.Tap.Len(), time.Now()
			a.Signal(syscall.SIGUSR2)
			if status := a.AwaitExit(5 * time.Second); status != 0 {
				t.Fatalf("status %d; it said\n%s", status, a.Output())
			}
			ended := time.Since(begin)
			c := start()
			c.AwaitLine(0, 5*time.Second, fmt.Sprintf("taken over from the daemon before.*routers=%d active=%d", count, count))
			c.AwaitLine(0, 5*time.Second, "network process confined")
			t.Logf("the old one has ended after %v, the new one is ready after %v", ended, time.Since(begin))
			replaced(t, l, mark, count, c)
			for _, pid := range append([]int{c.PID}, lab.Descendants(manager.PID)...) {
				exe := fmt.Sprintf("/proc/%d/exe", pid)
				is, err1 := os.Stat(exe)
				want, err2 := os.Stat(filepath.Join(filepath.Dir(program), filepath.Base(readlink(exe))))
				if err1 != nil || err2 != nil || !os.SameFile(is, want) {
					t.Errorf("process %d runs %s: %v, %v", pid, readlink(exe), err1, err2)
				}
			}
			if n := len(lab.Descendants(manager.PID)); n != 3 {
				t.Errorf("%d processes of the spawner's unit; it said\n%s", n, manager.Output())
			}
			if b.Said(heard, "backup->active") {
				t.Errorf("the Backup said\n%s", b.Output())
			}
			b.Terminate(5 * time.Second)
			if status := c.Terminate(5 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, c.Output())
			}
			if diff := before.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
		})
	}
}

func readlink(path string) string {
	target, _ := os.Readlink(path)
	return target
}

// auditedAlone shows the audit these processes alone: beside other daemons it
// could not tell whose a spawner is that none of them has started.
func auditedAlone(t *testing.T, pids ...int) audit.Daemon {
	t.Helper()
	dir := t.TempDir()
	for _, pid := range pids {
		name := strconv.Itoa(pid)
		if err := os.Symlink(filepath.Join("/proc", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if _, err := audit.Run(audit.Options{JSON: true, Out: &out, Proc: dir}); err != nil {
		t.Fatal(err)
	}
	var report struct{ Daemons []audit.Daemon }
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	return one(t, report.Daemons, pids[0])
}

// TestServiceSpawnerDies: a daemon whose spawner is gone cannot watch over its
// network process, and ends in order, with a goodbye.
func TestServiceSpawnerDies(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	before := l.R1.AtRest()
	p, manager := service(t, l, "root", auditConfiguration, nil, nil)
	p.AwaitLine(0, 10*time.Second, "backup->active")
	spawner, seen := lab.Descendants(manager.PID)[0], l.Tap.Len()
	gone := []func(time.Duration) bool{lab.WatchExit(lab.Children(spawner)[0]), lab.WatchExit(keeperOf(t, spawner))}
	lab.KillChild(spawner)
	l.Tap.Await(seen, 2*time.Second, "the goodbye", advertOf(l.R1, 0))
	if status := p.AwaitExit(5 * time.Second); status != 1 {
		t.Errorf("status %d; it said\n%s", status, p.Output())
	}
	p.AwaitLine(0, 0, "spawner lost.*the log of its service says why")
	for _, wait := range gone {
		if !wait(5 * time.Second) {
			t.Error("a process is left behind")
		}
	}
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// TestServiceRefuses: a spawner that would run the network process as another
// user than the configuration says, or that belongs to a stranger, is refused.
func TestServiceRefuses(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	p, _ := service(t, l, "root", "user = \"daemon\"\n"+auditConfiguration, nil, nil)
	if status := p.AwaitExit(5 * time.Second); status != 1 || !p.Said(0, "starts the network process as user id .*; the configuration says") {
		t.Errorf("status %d; it said\n%s", status, p.Output())
	}
}

// TestServiceFilters: nothing that parent, spawner and network process call
// from their start on is outside the filters of their units.
func TestServiceFilters(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ profile, daemon, spawner string }{
		{"root", "rvrrpd.service", "rvrrpd-spawn@.service"},
		{"user", "rvrrpd-unprivileged.service", "rvrrpd-unprivileged-spawn@.service"},
	} {
		t.Run(tt.profile, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			dir := t.TempDir()
			if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			trace := func(name string) []string {
				return []string{"strace", "-f", "-qq", "-o", filepath.Join(dir, name)}
			}
			p, manager := service(t, l, tt.profile, auditConfiguration, trace("daemon"), trace("spawner"))
			p.AwaitLine(0, 20*time.Second, "backup->active")
			mark := p.Len()
			daemon := lab.Descendants(p.PID)[0]
			syscall.Kill(daemon, syscall.SIGHUP)
			p.AwaitLine(mark, 5*time.Second, "configuration loaded")
			syscall.Kill(daemon, syscall.SIGTERM)
			p.AwaitExit(5 * time.Second)
			gone := lab.Until(5*time.Second, func() bool { return len(lab.Descendants(manager.PID)) == 0 })
			if !gone {
				t.Fatal("the spawner does not end")
			}
			for name, file := range map[string]string{"daemon": tt.daemon, "spawner": tt.spawner} {
				filter := allowed(t, unit(t, file)["SystemCallFilter"])
				outside := map[string]bool{}
				calls := tracedUnit(t, filepath.Join(dir, name))
				for call := range calls {
					if !filter[call] {
						outside[call] = true
					}
				}
				t.Logf("%s: %d system calls of %d that the unit allows", file, len(calls), len(filter))
				if diff := cmp.Diff(map[string]bool{}, outside); diff != "" || len(calls) < 20 {
					t.Errorf("%s: %d calls, outside of its filter:\n%s", file, len(calls), diff)
				}
			}
		})
	}
}

// tracedUnit lists the system calls that strace has written down, from the
// program on that is not a wrapper.
func tracedUnit(t *testing.T, path string) map[string]bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	calls, began := map[string]bool{}, false
	call := regexp.MustCompile(`^\d+ +([a-z0-9_]+)\(`)
	for s := bufio.NewScanner(f); s.Scan(); {
		if m := call.FindStringSubmatch(s.Text()); m != nil {
			began = began || m[1] == "execve" && strings.Contains(s.Text(), lab.Binary("rvrrpd"))
			if began {
				calls[m[1]] = true
			}
		}
	}
	return calls
}
