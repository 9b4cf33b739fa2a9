//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// interval3 is the Advertisement_Interval of the tests of version 3.
const interval3 = 100 * time.Millisecond

// run3 starts a daemon that speaks VRRPv3 over IPv4, the peers' way: the
// checksum covers a pseudo-header.
func run3(t *testing.T, n *lab.Node, kind lab.Kind, priority int, checksum string) *lab.Process {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "conf")
	text := fmt.Sprintf("[[vrouter]]\ngroup = %d\ninterface = %q\nvip = \"%s/24\"\npriority = %d\npreemption = true\niftype = \"macvlan\"\n"+
		"version = 3\nchecksum = %q\ntimers = { advert = 0.1 }\n", lab.VRID, lab.Interface, lab.VIP, priority, checksum)
	argv := []string{lab.Binary("rvrrpd"), "-m1", "-c", file}
	if kind == lab.Keepalived {
		text = fmt.Sprintf("vrrp_instance lab {\n state BACKUP\n version 3\n interface %s\n virtual_router_id %d\n priority %d\n advert_int 0.1\n"+
			" use_vmac vrrp10\n virtual_ipaddress {\n %s/24\n }\n}\n", lab.Interface, lab.VRID, priority, lab.VIP)
		argv = []string{"keepalived", "-n", "-l", "-D", "-G", "-P", "-f", file,
			"-p", filepath.Join(dir, "pid"), "-r", filepath.Join(dir, "vrrp.pid"), "-c", filepath.Join(dir, "check.pid")}
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return n.Start(argv...)
}

// TestVersion3 lets VRRPv3 routers with an interval of 100 ms take over from
// each other: after a hard kill, by preemption, and after a goodbye.
func TestVersion3(t *testing.T) {
	t.Parallel()
	skew := (256 - low) * interval3 / 256
	for _, tt := range []struct {
		active, backup lab.Kind
		checksum       string
	}{
		{lab.Rvrrpd, lab.Rvrrpd, "rfc9568"},
		{lab.Rvrrpd, lab.Rvrrpd, "rfc5798"},
		{lab.Rvrrpd, lab.Keepalived, "rfc5798"},
		{lab.Keepalived, lab.Rvrrpd, "rfc5798"},
	} {
		t.Run(fmt.Sprintf("%s,%s,%s", tt.active, tt.backup, tt.checksum), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			a := run3(t, l.R1, tt.active, high, tt.checksum)
			l.Tap.Await(0, 10*time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
			run3(t, l.R2, tt.backup, low, tt.checksum)
			// r2 hears r1 out: it says nothing for many intervals.
			mark := l.Tap.Len()
			for range 15 {
				l.Tap.Await(mark, time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
				mark = l.Tap.Len()
			}
			if said := lab.Select(l.Tap.From(0), lab.Advert(l.R2)); len(said) > 0 {
				t.Errorf("r2 says %s beside r1", said[0])
			}

			killed := a.Kill()
			takeover := l.Tap.Await(mark, 2*time.Second, "r2's advertisement", lab.AdvertOf(l.R2, low))
			frames := l.Tap.From(0)
			before := last(t, frames, killed, "r1's last advertisement", lab.AdvertOf(l.R1, high))
			within(t, "the takeover", takeover.Time.Sub(before.Time), 3*interval3+skew)
			for _, f := range lab.Select(frames, func(f lab.Frame) bool { return f.VRRP != nil }) {
				if f.VRRP.Version != 3 || f.VRRP.TTL != 255 || f.VRRP.Count != 1 || f.VRRP.Inter != 10 || f.Src != lab.VirtualMAC(lab.VRID) {
					t.Errorf("advertisement %+v from %s", f.VRRP, f.Src)
				}
			}

			mark = l.Tap.Len()
			again := run3(t, l.R1, tt.active, high, tt.checksum)
			l.Tap.Await(mark, 10*time.Second, "r1's return", lab.AdvertOf(l.R1, high))
			mark = l.Tap.Len()
			for range 10 {
				l.Tap.Await(mark, time.Second, "r1's advertisement", lab.AdvertOf(l.R1, high))
				mark = l.Tap.Len()
			}
			if said := lab.Select(l.Tap.From(mark-5), lab.Advert(l.R2)); len(said) > 0 {
				t.Errorf("r2 goes on: %s", said[0])
			}

			mark = l.Tap.Len()
			if status := again.Terminate(10 * time.Second); status != 0 {
				t.Errorf("status %d; it said\n%s", status, again.Output())
			}
			bye := l.Tap.Await(mark, time.Second, "r1's goodbye", lab.AdvertOf(l.R1, 0))
			takeover = l.Tap.Await(mark, time.Second, "r2's advertisement", lab.AdvertOf(l.R2, low))
			within(t, "the handover", takeover.Time.Sub(bye.Time), skew)
		})
	}
}
