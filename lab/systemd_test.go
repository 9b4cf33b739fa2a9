//go:build lab

package lab_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/audit"
	"github.com/rvrrpd/rvrrpd/lab"
	"golang.org/x/sys/unix"
)

// booted is our package in a Debian with a systemd of its own, one of its
// units, and a peer in the same LAN that holds every advertisement to an HMAC.
type booted struct {
	*testing.T
	l             *lab.Lab
	m             *lab.Machine
	peer          *lab.Daemon
	profile, unit string
	realTime      bool // by a drop-in
}

const (
	// settle bounds what systemd does: it may stop, start and look at what died.
	settle = 40 * time.Second
	// hmacKey stands in a credential inside, and in the peer's configuration.
	hmacKey = key1
)

// systemdConfiguration is one virtual router at 1 s; value says where its key is.
func systemdConfiguration(priority int, value string) string {
	return fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = %q\nvip = \"%s/24\"\npriority = %d\npreemption = true\nversion = 3\niftype = \"macvlan\"\nvifname = %q\naccept_mode = false\n"+
		"auth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 1\nmode = \"enforce\"\n[[vrouter.hmac.key]]\nid = 1\nvalue = %q\n",
		lab.VRID, lab.Interface, lab.VIP, priority, lab.Device, value)
}

// TestSystemd: the package, installed into a clean Debian with a real systemd,
// does by its units what an operator asks of it, in both profiles: it starts,
// reloads, restarts and is upgraded without a missed advertisement, survives the death of each
// of its processes, is started again by the watchdog, stays down with a
// configuration that is wrong, says goodbye at a stop and at a reboot, and
// comes back after it. Every process is as the audit promises, and nothing
// that a unit forbids is in its way.
func TestSystemd(t *testing.T) {
	t.Parallel()
	for profile, unit := range map[string]string{"root": "rvrrpd", "user": "rvrrpd-unprivileged"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			s, file := newSystem(t, l.R1)
			s.add(t, file)
			s.must(t, "dpkg", "-i", "/"+packageName)
			b := &booted{T: t, l: l, profile: profile, unit: unit, realTime: profile == "user" || lab.Busy()}
			b.peer = l.R2.Run(lab.Router{Kind: lab.Rvrrpd, Priority: low, Version: 3, Text: systemdConfiguration(low, hmacKey)})
			b.peer.AwaitActive(0)
			before := l.R1.AtRest()
			b.m = l.R1.Boot(s.root)
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("the machine's log:\n%s\nthe peer said\n%s", b.m.Journal(), b.peer.Output())
				}
			})
			b.configure(high)
			b.write("etc/rvrrpd/lan.key", hmacKey+"\n", 0o600)
			b.write("etc/systemd/system/"+unit+".service.d/key.conf", "[Service]\nLoadCredential=lan:/etc/rvrrpd/lan.key\n", 0o644)
			if b.realTime { // as docs/systemd.md says of busy machines
				for _, of := range []string{unit, unit + "-spawn@"} {
					b.write("etc/systemd/system/"+of+".service.d/real-time.conf", "[Service]\nCPUSchedulingPolicy=rr\nCPUSchedulingPriority=1\n", 0o644)
				}
			}
			b.m.Must("systemctl", "daemon-reload")

			b.owned()
			b.starts()
			b.owns()
			b.exposed()
			b.unswapped()
			b.scheduled("at the start")
			b.audited()
			b.reloads()
			b.restarts("systemctl", "restart", unit)
			b.restarts("dpkg", "--install", "/"+packageName)
			b.losesChild()
			b.losesKeeper()
			b.outlives("rvrrpd-spawn")
			b.outlives("rvrrpd")
			b.scheduled("after all have been started again")
			b.hangs()
			b.faults()
			b.staysDown()
			b.stops()
			if diff := before.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("left behind by a stop (-before +after):\n%s", diff)
			}
			b.reboots()
			b.unhindered()
			b.leaves("poweroff")
			if b.m.AwaitOff(settle) {
				t.Error("poweroff asks for another boot")
			}
			if diff := before.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("left behind by a shutdown (-before +after):\n%s", diff)
			}
		})
	}
}

// write writes a file of the machine's.
func (b *booted) write(name, text string, mode os.FileMode) {
	b.Helper()
	path := filepath.Join(b.m.Root, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), mode)
	}
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		b.Fatal(err)
	}
}

func (b *booted) configure(priority int) {
	b.Helper()
	b.write("etc/rvrrpd/rvrrpd.conf", systemdConfiguration(priority, "credential:lan"), 0o640)
}

// show is a property of the unit.
func (b *booted) show(property string) string {
	b.Helper()
	return b.m.Must("systemctl", "show", "--value", "--property="+property, b.unit)
}

// advertises waits for an advertisement of the machine's from a mark on.
func (b *booted) advertises(mark, priority int, what string) lab.Frame {
	b.Helper()
	f, ok := b.l.Tap.Wait(mark, settle, lab.From(b.l.R1, lab.AdvertOf(b.l.R1, priority)))
	if !ok {
		b.Fatalf("%s: no advertisement of priority %d", what, priority)
	}
	return f
}

// nextAdvert waits for an advertisement, and returns a mark before it.
func (b *booted) nextAdvert(what string) (mark int) {
	b.Helper()
	mark = b.l.Tap.Len()
	b.advertises(mark, high, what)
	return mark
}

// alone checks that from a mark on only the machine has advertised, and
// nothing is missing. It returns the longest gap.
func (b *booted) alone(mark int, what string) (longest time.Duration) {
	b.Helper()
	var last time.Time
	for _, f := range lab.Select(b.l.Tap.From(mark), func(f lab.Frame) bool { return f.VRRP != nil }) {
		if f.Port != b.l.R1.Name || f.VRRP.Priority == 0 {
			b.Errorf("%s: a role changed: %s", what, f)
		}
		if !last.IsZero() {
			longest = max(longest, f.Time.Sub(last))
		}
		last = f.Time
	}
	if longest >= 2*lab.AdverInterval {
		b.Errorf("%s: nothing for %v of an interval of %v", what, longest, lab.AdverInterval)
	}
	return longest
}

// daemonProcesses are those of a daemon.
var daemonProcesses = []string{"rvrrpd", "rvrrpd-spawn", "rvrrpd-netproc", "rvrrpd-keeper"}

// process is one of them, by name.
func (b *booted) process(name string) int {
	b.Helper()
	var pids []int
	if !lab.Until(settle, func() bool { pids = b.m.Processes(name); return len(pids) == 1 }) {
		b.Fatalf("%d processes %s", len(pids), name)
	}
	return pids[0]
}

// scheduled: every thread of every process is in the class that the units say.
func (b *booted) scheduled(when string) {
	b.Helper()
	want := map[bool]uint32{false: unix.SCHED_NORMAL, true: unix.SCHED_RR}[b.realTime]
	for _, name := range daemonProcesses {
		for _, thread := range lab.Threads(b.process(name)) {
			tid, err := strconv.Atoi(filepath.Base(thread))
			if err != nil {
				b.Fatal(err)
			}
			if got, err := unix.SchedGetAttr(tid, 0); err != unix.ESRCH && (err != nil || got.Policy != want) {
				b.Errorf("%s %s has a thread in %+v, want policy %d: %v", when, name, got, want, err)
			}
		}
	}
}

// owned gives the directories of the unit to the user of the other profile, as they
// are after a change from it.
func (b *booted) owned() {
	b.Helper()
	other := map[string]string{"root": "rvrrpd:rvrrpd", "user": "root:root"}[b.profile]
	for _, dir := range []string{"/run/rvrrpd", "/var/lib/rvrrpd", "/var/log/rvrrpd"} {
		b.m.Must("mkdir", "-p", "-m", "0700", dir)
		b.m.Must("touch", dir+"/before")
		b.m.Must("chown", "-R", other, dir)
	}
}

// owns sees that systemd has given them back, with what is in them.
func (b *booted) owns() {
	b.Helper()
	want := map[string]string{"root": "root", "user": "rvrrpd"}[b.profile]
	for _, dir := range []string{"/run/rvrrpd", "/var/lib/rvrrpd", "/var/log/rvrrpd"} {
		for _, path := range []string{dir, dir + "/before"} {
			if owner := b.m.Must("stat", "--format=%U", path); owner != want {
				b.Errorf("%s belongs to %s, not %s", path, owner, want)
			}
		}
	}
}

func (b *booted) starts() {
	b.Helper()
	mark := b.l.Tap.Len()
	b.m.Must("systemctl", "start", b.unit)
	f := b.advertises(mark, high, "start")
	if f.Src != lab.VirtualMAC(lab.VRID) {
		b.Errorf("start: advertised from %s", f.Src)
	}
	b.peer.AwaitStepBack(0)
	if status := b.show("StatusText"); !strings.HasSuffix(status, "of 1 virtual routers Active") {
		b.Errorf("the unit's status: %q", status)
	}
}

// exposed holds what really runs against what the units say of themselves.
func (b *booted) exposed() {
	b.Helper()
	instance := strings.Fields(b.m.Must("systemctl", "list-units", "--plain", "--no-legend", b.unit+"-spawn@*"))[0]
	for name, unit := range map[string]string{b.unit + ".service": b.unit + ".service", b.unit + "-spawn@.service": instance} {
		exposure(b.T, name, unit, b.m.Must("systemd-analyze", "security", "--no-pager", unit))
	}
}

// unswapped: of no process of the daemon's the kernel may swap memory out. Where
// it has no such control group, systemd has at least understood what is asked.
func (b *booted) unswapped() {
	b.Helper()
	for _, name := range daemonProcesses {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", b.process(name)))
		if err != nil {
			b.Fatal(err)
		}
		var group string
		for line := range strings.Lines(string(text)) {
			// Number, controllers, path. Beside the older hierarchies, the one without controllers may be empty.
			if f := strings.SplitN(strings.TrimSpace(line), ":", 3); len(f) == 3 && (f[1] == "" || f[1] == "name=systemd") && len(f[2]) > len(group) {
				group = f[2]
			}
		}
		asked := b.m.Must("systemctl", "show", "--value", "--property=MemorySwapMax", filepath.Base(group))
		if asked != "0" {
			b.Errorf("%s, in %s: MemorySwapMax is %q", name, group, asked)
		}
		most, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", group, "memory.swap.max"))
		if errors.Is(err, fs.ErrNotExist) {
			b.Logf("%s: no control group bounds its swap here", name)
		} else if err != nil || strings.TrimSpace(string(most)) != "0" {
			b.Errorf("%s: memory.swap.max is %q, %v", name, most, err)
		}
	}
}

// audited runs the audit inside, where nobody else's daemon is.
func (b *booted) audited() {
	b.Helper()
	status, said := b.m.Run("rvrrpd", "--audit", "--json")
	var report struct{ Daemons []audit.Daemon }
	if err := json.NewDecoder(bytes.NewReader([]byte(said))).Decode(&report); err != nil || len(report.Daemons) != 1 {
		b.Fatalf("audit: status %d, %v:\n%s", status, err, said)
	}
	d := report.Daemons[0]
	if broken := failures(d); status != 0 || !d.Pass || !d.Activated || d.Profile != b.profile || len(broken) > 0 {
		b.Errorf("audit: status %d, pass %v as %s, activated %v, broken: %q", status, d.Pass, d.Profile, d.Activated, broken)
	}
}

// reloads: what has changed is on the wire, and what is wrong changes nothing.
func (b *booted) reloads() {
	b.Helper()
	pid, mark := b.process("rvrrpd"), b.l.Tap.Len()
	b.configure(high + 1)
	b.m.Must("systemctl", "reload", b.unit)
	b.advertises(mark, high+1, "reload")
	b.write("etc/rvrrpd/rvrrpd.conf", "[[vrouter]]\ngroup = 300\n", 0o644)
	b.m.Must("systemctl", "reload", b.unit)
	b.logged("reload refused.*vrouter\\[1\\].group")
	b.advertises(b.l.Tap.Len(), high+1, "a refused reload")
	b.configure(high)
	mark = b.l.Tap.Len()
	b.m.Must("systemctl", "reload", b.unit)
	b.advertises(mark, high, "reload back")
	if now := b.process("rvrrpd"); now != pid {
		b.Errorf("reload: process %d is now %d", pid, now)
	}
}

// logged waits for a line of the unit's log since the boot.
func (b *booted) logged(expression string) {
	b.Helper()
	re := regexp.MustCompile(expression)
	if !lab.Until(settle, func() bool { return re.MatchString(b.m.Must("journalctl", "--boot", "--no-pager", "--unit="+b.unit)) }) {
		b.Fatalf("no line %q in the log", expression)
	}
}

// restarts: the peer does not notice, and everything is another process; by an
// upgrade of the package, too.
func (b *booted) restarts(command ...string) {
	b.Helper()
	what := command[0]
	mark, pids := b.nextAdvert("before "+what), map[string]int{}
	for _, name := range daemonProcesses {
		pids[name] = b.process(name)
	}
	b.m.Must(command...)
	b.nextAdvert(what)
	b.logged("taken over from the daemon before")
	b.Logf("%s: the longest gap was %v of an interval of %v", what, b.alone(mark, what), lab.AdverInterval)
	for _, name := range daemonProcesses {
		if now := b.process(name); now == pids[name] {
			b.Errorf("%s: %s is still process %d", what, name, now)
		}
	}
	if n := b.show("NRestarts"); n != "0" {
		b.Errorf("%s: systemd has started it again %s times", what, n)
	}
}

// losesChild: another one goes on, and nobody notices.
func (b *booted) losesChild() {
	b.Helper()
	mark, pid := b.nextAdvert("before the death of the network process"), b.process("rvrrpd-netproc")
	if wait := lab.KillChild(pid); !wait(settle) {
		b.Fatal("the network process survives SIGKILL")
	}
	b.process("rvrrpd-netproc")
	b.nextAdvert("death of the network process")
	b.alone(mark, "death of the network process")
}

// losesKeeper: another one goes on writing the journal, and nobody notices.
func (b *booted) losesKeeper() {
	b.Helper()
	mark, pid := b.nextAdvert("before the death of the keeper"), b.process("rvrrpd-keeper")
	if wait := lab.KillChild(pid); !wait(settle) {
		b.Fatal("the keeper survives SIGKILL")
	}
	b.logged("keeper lost.*SIGKILL")
	b.process("rvrrpd-keeper")
	b.nextAdvert("death of the keeper")
	b.alone(mark, "death of the keeper")
}

// outlives: systemd starts the daemon again, which goes on where the one before was, and nobody
// notices.
func (b *booted) outlives(name string) {
	b.Helper()
	b.m.Must("systemctl", "reset-failed", b.unit) // the count of starts, too
	succeeded := func() int {
		return strings.Count(b.m.Must("journalctl", "--boot", "--no-pager", "--unit="+b.unit), `"taken over from the daemon before" routers=1 active=1`)
	}
	mark, before, pid, died := b.nextAdvert("before the death of "+name), succeeded(), b.process("rvrrpd"), b.process(name)
	if wait := lab.KillChild(died); !wait(settle) {
		b.Fatalf("%s survives SIGKILL", name)
	}
	if !lab.Until(settle, func() bool { return succeeded() > before }) || b.process("rvrrpd") == pid {
		b.Fatalf("death of %s: no other daemon goes on", name)
	}
	b.nextAdvert("death of " + name)
	b.Logf("death of %s: the longest gap was %v of an interval of %v", name, b.alone(mark, "death of "+name), lab.AdverInterval)
	if n := b.show("NRestarts"); n != "1" {
		b.Errorf("death of %s: systemd has started it again %s times", name, n)
	}
}

// back waits until another daemon is Active and the peer Backup.
func (b *booted) back(what string, mark, pid int) {
	b.Helper()
	if !lab.Until(settle, func() bool { now := b.m.Processes("rvrrpd"); return len(now) == 1 && now[0] != pid }) {
		b.Fatalf("%s: no other daemon", what)
	}
	b.advertises(b.l.Tap.Len(), high, what)
	if !lab.Until(settle, func() bool { return lastRole(b.peer, mark) != "active" }) {
		b.Errorf("%s: the peer stays Active", what)
	}
}

// lastRole is what a daemon of ours became last, from a line on.
func lastRole(d *lab.Daemon, mark int) (role string) {
	re := regexp.MustCompile(`"?\w+->(\w+)"? `)
	for _, line := range d.From(mark) {
		if m := re.FindStringSubmatch(line.Text); m != nil {
			role = m[1]
		}
	}
	return role
}

// hangs: a parent that makes no progress dies of the watchdog, and is started
// again: by a signal, which no unit takes for a mistake in the configuration.
func (b *booted) hangs() {
	b.Helper()
	b.m.Must("systemctl", "reset-failed", b.unit)
	mark, pid := b.peer.Len(), b.process("rvrrpd")
	syscall.Kill(pid, syscall.SIGSTOP)
	b.logged("Watchdog timeout")
	b.back("the watchdog", mark, pid)
	b.logged(`code=(killed|dumped), status=6/ABRT`)
	if n := b.show("NRestarts"); n != "1" {
		b.Errorf("the watchdog: systemd has started it again %s times", n)
	}
}

// faults: a parent that Go's runtime ends, as after a panic, is started again,
// too: by a signal, and not with Go's status 2.
func (b *booted) faults() {
	b.Helper()
	b.m.Must("systemctl", "reset-failed", b.unit)
	mark, pid := b.peer.Len(), b.process("rvrrpd")
	syscall.Kill(pid, syscall.SIGSEGV)
	b.back("a fault of its own", mark, pid)
	if n := b.show("NRestarts"); n != "1" {
		b.Errorf("a fault of its own: systemd has started it again %s times", n)
	}
	if deaths := strings.Count(b.m.Must("journalctl", "--boot", "--no-pager", "--unit="+b.unit), "status=6/ABRT"); deaths != 2 {
		b.Errorf("a fault of its own: %d deaths by SIGABRT in the log, want this and the watchdog's", deaths)
	}
}

// staysDown: a mistake in the configuration is told, and not tried again.
func (b *booted) staysDown() {
	b.Helper()
	b.m.Must("systemctl", "stop", b.unit) // and systemd forgets how often it has started it
	b.write("etc/rvrrpd/rvrrpd.conf", "[[vrouter]]\ngroup = 300\n", 0o644)
	if status, said := b.m.Run("systemctl", "start", b.unit); status == 0 {
		b.Errorf("a wrong configuration: started; %s", said)
	}
	b.logged(`vrouter\[1\].group`)
	if result := b.m.Must("systemctl", "show", "--property=ActiveState,Result,NRestarts,ExecMainStatus", b.unit); !slices.Equal(sorted(strings.Fields(result)), []string{"ActiveState=failed", "ExecMainStatus=78", "NRestarts=0", "Result=exit-code"}) {
		b.Errorf("a wrong configuration: %s", result)
	}
	b.m.Must("systemctl", "reset-failed", b.unit)
	b.configure(high)
	mark := b.l.Tap.Len()
	b.m.Must("systemctl", "start", b.unit)
	b.advertises(mark, high, "the next start")
}

func sorted(words []string) []string { slices.Sort(words); return words }

// stops: with a goodbye, and without anything left.
func (b *booted) stops() {
	b.Helper()
	mark := b.l.Tap.Len()
	b.m.Must("systemctl", "stop", b.unit)
	b.advertises(mark, 0, "goodbye at a stop")
	for _, name := range daemonProcesses {
		if !lab.Until(settle, func() bool { return len(b.m.Processes(name)) == 0 }) {
			b.Errorf("stop: %s is left behind", name)
		}
	}
	if result := b.show("Result"); result != "success" {
		b.Errorf("stop: %s", result)
	}
}

// reboots: an enabled unit says goodbye before the machine goes, although
// systemd stops both of them at once, and is there again with the machine.
func (b *booted) reboots() {
	b.Helper()
	b.m.Must("systemctl", "enable", "--now", b.unit)
	b.advertises(b.l.Tap.Len(), high, "enabled")
	b.unhindered()
	b.leaves("reboot")
	if !b.m.AwaitOff(settle) {
		b.Fatal("reboot does not ask for another boot")
	}
	mark := b.l.Tap.Len()
	b.m.Again()
	b.advertises(mark, high, "after the reboot")
	b.audited()
}

// leaves has the machine end, and waits for the goodbye.
func (b *booted) leaves(command string) {
	b.Helper()
	mark := b.l.Tap.Len()
	b.m.Must("systemctl", command)
	b.advertises(mark, 0, "goodbye at a "+command)
}

// unhindered: nothing of the daemon's was refused to it since the boot, by any
// directive of the units, and systemd has understood all of them.
func (b *booted) unhindered() {
	b.Helper()
	re := regexp.MustCompile(`(?i)not permitted|permission denied|read-only file|bad system call|SIGSYS|unknown (key|section|lvalue)|\.(service|socket):\d+: |ordering cycle|level=(WARN|ERROR)`)
	for line := range strings.Lines(b.m.Journal()) {
		if strings.Contains(line, "rvrrpd") && re.MatchString(line) && !expected.MatchString(line) {
			b.Errorf("in the log: %s", line)
		}
	}
}

// expected are the errors that the test makes itself.
var expected = regexp.MustCompile(`reload refused|keeper lost|network process (crashed|lost)|msg=ended error=.*spawner|sweeping devices left behind|rvrrpd.conf:\d+`)
