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
// left behind, and on the wire and in the namespace is nothing that was not
// granted.
func TestHostileChild(t *testing.T) {
	t.Parallel()
	parent := installation(t, "./lab/hostile")
	for i, a := range attack.All {
		for _, profile := range []string{"root", "user"} {
			t.Run(profile+" "+a.Name, func(t *testing.T) {
				t.Parallel()
				vrid := i + 1
				l := lab.New(t)
				dir := t.TempDir()
				conf := filepath.Join(dir, "rvrrpd.conf")
				text := fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = \"eth0\"\nvip = \"10.9.0.254/24\"\npriority = 100\niftype = \"macvlan\"\n", vrid)
				if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				before := l.R1.Snapshot()
				argv := []string{parent, "-m1", "-c", conf}
				if profile == "user" {
					argv = l.R1.AsService(dir, argv)
				}
				p := l.R1.Start(argv...)
				switch {
				case a.Harmless:
					endure(t, l, p, a.Endless)
				case a.Either:
					either(t, p)
				default:
					if code := p.AwaitExit(10 * time.Second); code != 1 || !strings.Contains(p.Output(), "network process killed") {
						t.Errorf("exit code %d; it said\n%s", code, p.Output())
					}
				}
				grantedOnly(t, l, vrid)
				if diff := before.Diff(l.R1.Snapshot()); diff != "" {
					t.Errorf("left behind:\n%s", diff)
				}
			})
		}
	}
}

// stormy is how long a storm is watched.
const stormy = 1500 * time.Millisecond

// endure watches a storm, and then stops the daemon, which has to end its
// child by force. It answers a signal within a second. A child whose storm
// does not end for its answers is killed for not reading them, again and
// again, and so may the daemon end: that is told, and in order, too.
func endure(t *testing.T, l *lab.Lab, p *lab.Process, endless bool) {
	t.Helper()
	p.AwaitLine(0, 10*time.Second, "msg=ready")
	for end := time.Now().Add(stormy); time.Now().Before(end); {
		addresses(t, l)
	}
	bounded(t, p)
	mark := p.Len()
	p.Signal(syscall.SIGTERM)
	_, answered := p.Wait(mark, time.Second, func(l lab.Line) bool { return strings.Contains(l.Text, "msg=stopping") })
	if !answered && !p.Said(0, "crashed .* times in a minute") {
		t.Errorf("no answer to SIGTERM within a second; it said\n%s", p.Output())
	}
	code, out := p.AwaitExit(3*time.Second), p.Output()
	if told := strings.Contains(out, "did not stop in time") || endless && strings.Contains(out, "does not read its messages"); !told {
		t.Errorf("exit code %d; it said\n%s", code, out)
	}
}

// either waits for the end by a violation, and makes one if there is none.
func either(t *testing.T, p *lab.Process) {
	t.Helper()
	p.AwaitLine(0, 10*time.Second, "msg=ready")
	select {
	case <-p.Exited():
	case <-time.After(stormy):
		p.Signal(syscall.SIGTERM)
	}
	code := p.AwaitExit(5 * time.Second)
	if out := p.Output(); code != 1 || !strings.Contains(out, "network process killed") && !strings.Contains(out, "did not stop in time") {
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
func addresses(t *testing.T, l *lab.Lab) {
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
		if ip != l.R1.Addr && ip != lab.VIP && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
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

// grantedOnly looks for frames of R1 that the grant does not cover, one by one and
// in number.
func grantedOnly(t *testing.T, l *lab.Lab, vrid int) {
	t.Helper()
	frames := lab.Select(l.Tap.From(0), func(f lab.Frame) bool { return f.Port == l.R1.Name })
	adverts, announcements := 0, 0
	for _, f := range frames {
		switch v, a := f.VRRP, f.ARP; {
		case v != nil:
			adverts++
			if f.Src != lab.VirtualMAC(vrid) || f.Dst != lab.GroupMAC || v.Src != l.R1.Addr || v.TTL != 255 || v.VRID != vrid ||
				v.Version != 2 || v.Priority > 100 || len(v.Message) != 20 || !slices.Equal(v.Addrs, []netip.Addr{lab.VIP}) {
				t.Errorf("not granted: %v", f)
			}
		case a != nil && a.SenderIP == lab.VIP:
			announcements++
			if f.Src != lab.VirtualMAC(vrid) || a.SenderMAC != f.Src || a.TargetIP != lab.VIP {
				t.Errorf("not granted: %v", f)
			}
		case a != nil && a.SenderIP != l.R1.Addr:
			t.Errorf("not granted: %v", f)
		}
	}
	if len(frames) == 0 {
		return
	}
	seconds := 1 + int(frames[len(frames)-1].Time.Sub(frames[0].Time)/time.Second)
	if most := advertBurst + advertRate*seconds; adverts > most {
		t.Errorf("%d advertisements in %d s, granted %d", adverts, seconds, most)
	}
	if most := announceFrames * (announceBurst + announceRate*seconds); announcements > most {
		t.Errorf("%d announcements in %d s, granted %d", announcements, seconds, most)
	}
}
