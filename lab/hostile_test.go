//go:build lab

package lab_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
	"github.com/rvrrpd/rvrrpd/lab/hostile/attack"
)

// memory is the most the parent may use while it is attacked, in KiB.
const memory = 64 << 10

// installation puts the real parent beside a network process from another source, which
// says that it is of the same build.
func installation(t *testing.T, source string, variables ...string) (parent string) {
	t.Helper()
	return installationWith(t, "rvrrpd-netproc", source, variables...)
}

// installationWith does so with another program.
func installationWith(t *testing.T, program, source string, variables ...string) (parent string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // for a parent that is not root
		t.Fatal(err)
	}
	parent = filepath.Join(dir, "rvrrpd")
	for _, name := range []string{"rvrrpd", "rvrrpd-parent", "rvrrpd-spawn", "rvrrpd-read", "rvrrpd-keeper", "rvrrpd-netproc"} {
		if name == program {
			continue
		}
		// By another process: a descriptor of ours, inherited by what a parallel
		// test starts, would keep the file busy.
		if out, err := exec.Command("cp", lab.Binary(name), filepath.Join(dir, name)).CombinedOutput(); err != nil {
			t.Fatalf("cp: %v\n%s", err, out)
		}
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
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, program), "-ldflags", flags, source)
	cmd.Dir, cmd.Env = lab.Root(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return parent
}

// prey is a virtual router that the network process is configured with.
type prey struct {
	name    string
	version int
	addrs   []netip.Addr
	conf    string // what follows group, interface and priority
}

var preys = []prey{
	{"", 2, []netip.Addr{lab.VIP}, "vip = \"10.9.0.254/24\"\n"},
	{" (IPv6, HMAC)", 3, lab.IPv6VIPs, "version = 3\nvip = [\"fe80::9:254/64\", \"2001:db8:9::254/64\"]\n" +
		"auth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 1\nmode = \"enforce\"\n[[vrouter.hmac.key]]\nid = 1\nvalue = \"" + key1 + "\"\n"},
}

// TestHostileChild lets a compromised network process try everything it can
// say. A violation ends the daemon, a storm does not; either way nothing is
// left behind, and on the wire and in the namespace is nothing that was not
// granted.
func TestHostileChild(t *testing.T) {
	t.Parallel()
	parent := installation(t, "./lab/hostile")
	for i, a := range attack.All {
		for _, profile := range []string{"root", "user"} {
			for _, on := range preys {
				if on.version == 3 && !a.Wire || a.Lasting { // TestHostileMarks
					continue
				}
				t.Run(profile+" "+a.Name+on.name, func(t *testing.T) {
					t.Parallel()
					suffer(t, parent, profile, on, a, i+1)
				})
			}
		}
	}
}

// expose starts a daemon one of whose processes is hostile, with a virtual router of this VRID.
func expose(t *testing.T, parent, profile string, vrid int, conf string) (l *lab.Lab, p *lab.Process, before lab.Snapshot) {
	t.Helper()
	l = lab.New(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "rvrrpd.conf")
	text := fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = \"eth0\"\npriority = 100\niftype = \"macvlan\"\n%s", vrid, conf)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	before = l.R1.AtRest()
	argv := append(lab.Ordinary(), parent, "-m1", "-c", file)
	if profile == "user" {
		argv = l.R1.AsService(dir, argv)
	}
	return l, l.R1.Start(argv...), before
}

// suffer runs the daemon with one attack.
func suffer(t *testing.T, parent, profile string, on prey, a attack.Attack, vrid int) {
	t.Helper()
	l, p, before := expose(t, parent, profile, vrid, on.conf)
	switch {
	case a.Endless:
		drown(t, l, p, on)
	case a.Harmless:
		endure(t, l, p, on)
	case a.Either:
		either(t, l, p, on)
	default:
		watch(t, l, p, on, 10*time.Second)
		if code := p.AwaitExit(time.Second); code != violationStatus || !strings.Contains(p.Output(), "network process killed") {
			t.Errorf("exit code %d; it said\n%s", code, p.Output())
		}
	}
	on.grantedOnly(t, l, vrid)
	if diff := before.Diff(l.R1.Snapshot()); diff != "" {
		t.Errorf("left behind:\n%s", diff)
	}
}

const (
	// stormy is how long a storm is watched.
	stormy = 1500 * time.Millisecond
	// violationStatus is the daemon's exit status after a violation.
	violationStatus = 3
)

// watch looks at addresses and memory until the daemon ends, or for a time.
func watch(t *testing.T, l *lab.Lab, p *lab.Process, on prey, most time.Duration) {
	t.Helper()
	lab.Until(most, func() bool {
		on.addresses(t, l)
		bounded(t, p)
		select {
		case <-p.Exited():
			return true
		default:
			return t.Failed()
		}
	})
}

// endure watches a storm, and then stops the daemon, which has to end its
// child by force. It answers a signal within a second.
func endure(t *testing.T, l *lab.Lab, p *lab.Process, on prey) {
	t.Helper()
	p.AwaitLine(0, 10*time.Second, "msg=ready")
	watch(t, l, p, on, stormy)
	stopInStorm(t, p)
	if code, out := p.AwaitExit(3*time.Second), p.Output(); code != 1 || !strings.Contains(out, "did not stop in time") {
		t.Errorf("exit code %d; it said\n%s", code, out)
	}
}

// stopInStorm tells the daemon to stop, which it does not answer if it has said that it
// ends for another reason.
func stopInStorm(t *testing.T, p *lab.Process, reasons ...string) {
	t.Helper()
	mark := p.Len()
	p.Signal(syscall.SIGTERM)
	_, answered := p.Wait(mark, time.Second, func(l lab.Line) bool { return strings.Contains(l.Text, "msg=stopping") })
	if !answered && !slices.ContainsFunc(reasons, func(reason string) bool { return p.Said(0, reason) }) {
		t.Errorf("no answer to SIGTERM within a second; it said\n%s", p.Output())
	}
}

// drown stops the daemon in the middle of a storm without end. The child does
// not read its answers, and is killed for that in a while: the signal may
// find a fresh one that is not ready, and then there is nothing to wait for; or
// the daemon about to end, because that has happened too often (TestStormWithoutEnd).
func drown(t *testing.T, l *lab.Lab, p *lab.Process, on prey) {
	t.Helper()
	p.AwaitLine(0, 10*time.Second, "msg=ready")
	watch(t, l, p, on, stormy/3)
	const gaveUp = "crashed 6 times in a minute"
	stopInStorm(t, p, gaveUp)
	code, out := p.AwaitExit(3*time.Second), p.Output()
	if strings.Contains(out, gaveUp) && code == 1 {
		return
	}
	if code > 1 || code == 1 && !strings.Contains(out, "did not stop in time") && !strings.Contains(out, "ended while stopping") {
		t.Errorf("exit code %d; it said\n%s", code, out)
	}
}

// TestStormWithoutEnd leaves a storm alone: the daemon replaces its child as
// often as a crashed one, and ends when that does not help, with all undone
// and without having grown.
func TestStormWithoutEnd(t *testing.T) {
	t.Parallel()
	parent := installation(t, "./lab/hostile")
	for i, a := range attack.All {
		if !a.Endless || a.Mute {
			continue
		}
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			conf := filepath.Join(t.TempDir(), "rvrrpd.conf")
			text := fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = \"eth0\"\npriority = 100\niftype = \"macvlan\"\n%s", i+1, preys[0].conf)
			if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			before := l.R1.AtRest()
			p := l.R1.Start(append(lab.Ordinary(), parent, "-m1", "-c", conf)...)
			watch(t, l, p, preys[0], time.Minute)
			if !p.Said(0, "does not read its messages") {
				t.Errorf("nobody minds; it said\n%s", p.Output())
			}
			select {
			case <-p.Exited():
				if code := p.AwaitExit(time.Second); code != 1 || !p.Said(0, "crashed 6 times in a minute") {
					t.Errorf("exit code %d; it said\n%s", code, p.Output())
				}
			default: // a lane takes so long to fill here that a minute has fewer crashes
				p.Terminate(5 * time.Second)
			}
			if diff := before.Diff(l.R1.Snapshot()); diff != "" {
				t.Errorf("left behind:\n%s", diff)
			}
		})
	}
}

// either waits for the end by a violation, and makes one if there is none.
func either(t *testing.T, l *lab.Lab, p *lab.Process, on prey) {
	t.Helper()
	p.AwaitLine(0, 10*time.Second, "msg=ready")
	watch(t, l, p, on, stormy)
	p.Signal(syscall.SIGTERM)
	code, out := p.AwaitExit(5*time.Second), p.Output()
	violated, stuck := strings.Contains(out, "network process killed"), strings.Contains(out, "did not stop in time")
	if !(code == violationStatus && violated || code == 1 && stuck && !violated) {
		t.Errorf("exit code %d; it said\n%s", code, out)
	}
}

// bounded looks at the most memory that the parent has used.
func bounded(t *testing.T, p *lab.Process) {
	t.Helper()
	peak, _, _ := strings.Cut(lab.Status(p.PID)["VmHWM"], " ")
	if kib, err := strconv.Atoi(peak); (err != nil || kib > memory) && lab.Status(p.PID)["VmRSS"] != "" {
		t.Errorf("parent has used %q KiB of memory", peak)
	}
}

// addresses looks for one on R1 that is neither its own nor granted.
func (on prey) addresses(t *testing.T, l *lab.Lab) {
	t.Helper()
	var all []net.Addr
	if err := l.R1.Do(func() (err error) { all, err = net.InterfaceAddrs(); return err }); err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			t.Fatal(err)
		}
		ip := prefix.Addr()
		if ip != l.R1.Addr && ip != l.R1.LinkLocal && !ip.IsLoopback() && !slices.Contains(on.addrs, ip) {
			t.Errorf("address %v was not granted", ip)
		}
	}
}

// Of the grant: advertisements at once and a second, announcements of up to
// five frames likewise.
const (
	advertBurst, advertRate     = 20, 10
	announceBurst, announceRate = 10, 2
	announceFrames              = 5
)

// grantedOnly looks for frames of R1 that the grant does not cover, one by
// one and in number.
func (on prey) grantedOnly(t *testing.T, l *lab.Lab, vrid int) {
	t.Helper()
	adverts, announcements := 0, 0
	frames := lab.Select(l.Tap.From(0), func(f lab.Frame) bool { return f.Port == l.R1.Name })
	for _, f := range frames {
		kind, ok := on.granted(l, vrid, f)
		if !ok {
			t.Errorf("not granted: %v", f)
		}
		switch kind {
		case "advertisement":
			adverts++
		case "announcement":
			announcements++
		}
	}
	for _, o := range l.Tap.Others.From(0) {
		if o.Port == l.R1.Name && !membership(o.Data) {
			t.Errorf("not granted: a frame of another kind: %x", o.Data)
		}
	}
	if len(frames) == 0 {
		return
	}
	seconds := 1 + int(frames[len(frames)-1].Time.Sub(frames[0].Time)/time.Second)
	if most := advertBurst + advertRate*seconds; adverts > most {
		t.Errorf("%d advertisements in %d s, granted %d", adverts, seconds, most)
	}
	if most := announceFrames * len(on.addrs) * (announceBurst + announceRate*seconds); announcements > most {
		t.Errorf("%d announcements in %d s, granted %d", announcements, seconds, most)
	}
}

// granted says what a frame is, and whether the grant covers it, or the
// kernel sends it by itself.
func (on prey) granted(l *lab.Lab, vrid int, f lab.Frame) (kind string, ok bool) {
	virtual, group, source, length := lab.VirtualMAC(vrid), lab.GroupMAC, l.R1.Addr, []int{20}
	if on.version == 3 {
		virtual, group, source, length = lab.VirtualMAC6(vrid), lab.GroupMAC6, l.R1.LinkLocal, []int{8 + 32, 8 + 32 + trailerLen}
	}
	switch v, a, n := f.VRRP, f.ARP, f.ND; {
	case v != nil:
		return "advertisement", f.Src == virtual && f.Dst == group && v.Src == source && v.TTL == 255 && v.VRID == vrid && v.Version == on.version &&
			v.Priority <= 100 && v.Inter == map[int]int{2: 1, 3: 100}[on.version] && slices.Contains(length, len(v.Message)) && slices.Equal(v.Addrs, on.addrs)
	case a != nil && slices.Contains(on.addrs, a.SenderIP):
		return "announcement", f.Src == virtual && a.SenderMAC == f.Src && a.TargetIP == a.SenderIP
	case a != nil:
		return "question", a.SenderIP == l.R1.Addr && f.Src == l.R1.MAC
	case n != nil && n.Type == lab.NeighborAdvertisement && slices.Contains(on.addrs, n.Target):
		return "announcement", f.Src == virtual && n.LinkAddr == virtual
	case n != nil:
		return "question", f.Src == l.R1.MAC && (n.Src == l.R1.LinkLocal || n.Src.IsUnspecified() && n.Target == l.R1.LinkLocal)
	}
	return "", false
}

// membership says whether a frame is a report of multicast groups, which the
// kernel sends when somebody joins one: IGMP, or MLD behind a hop-by-hop header.
func membership(b []byte) bool {
	switch {
	case len(b) < 14+40:
		return false
	case b[12] == 0x08 && b[13] == 0x00:
		return b[14+9] == 2
	default:
		return len(b) > 14+48 && b[12] == 0x86 && b[13] == 0xdd && b[14+6] == 0 && b[14+40] == 58 && b[14+48] == 143
	}
}
