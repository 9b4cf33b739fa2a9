//go:build lab

package lab_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// lifetimeOf is how many seconds the kernel leaves the virtual address on a
// node, and whether it is there; 1<<32-1 is for ever.
func lifetimeOf(t *testing.T, n *lab.Node, vip string) (seconds uint32, there bool) {
	t.Helper()
	out, err := exec.Command("ip", "-n", n.Namespace, "-j", "addr").Output()
	if err != nil {
		t.Fatal(err)
	}
	var links []struct {
		Infos []struct {
			Local string
			Valid uint32 `json:"valid_life_time"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal(out, &links); err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		for _, i := range l.Infos {
			if i.Local == vip {
				return i.Valid, true
			}
		}
	}
	return 0, false
}

// leaseTables says whether a node has the tables that silence addresses.
func leaseTables(t *testing.T, n *lab.Node) bool {
	t.Helper()
	out, err := exec.Command("ip", "netns", "exec", n.Namespace, "nft", "list", "tables").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Contains(string(out), "rvrrpd-lease-")
}

// TestReloadLease: the way in which addresses are silenced follows a reload,
// on both kinds of interfaces, of virtual routers that do not change
// otherwise, and none of them loses its address.
func TestReloadLease(t *testing.T) {
	t.Parallel()
	for _, r := range []lab.Router{{Kind: lab.Rvrrpd, Priority: high}, {Kind: lab.Rvrrpd, Priority: high, OnInterface: true}, {Kind: lab.Rvrrpd, Priority: high, IPv6: true, Version: 3}} {
		t.Run(fmt.Sprintf("on the interface %v, IPv6 %v", r.OnInterface, r.IPv6), func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			if r.IPv6 {
				l.Client.IP("addr add 2001:db8:9::9/64 dev " + lab.Interface + " nodad")
				forward(l.R1)
			}
			vip := r.VIPs()[len(r.VIPs())-1]
			a := startReloaded(t, l.R1, "lease = \"nftables\"\n"+r.Configuration(""))
			a.AwaitLine(0, 10*time.Second, "backup->active")
			removal := l.R1.WatchRemoval(vip, 40*time.Second)
			const sole, second, forever = 2, 15, 1<<32 - 1
			for _, tt := range []struct {
				lease  string
				tables bool
				life   uint32
			}{{"lifetime", false, sole}, {"off", false, forever}, {"nftables", true, second}, {"lifetime", false, sole}, {"nftables", true, second}, {"auto", true, second}} {
				a.reload("lease = \""+tt.lease+"\"\n"+r.Configuration(""), "configuration loaded")
				mark := l.Tap.Len()
				var seconds uint32
				var there bool
				if !lab.Until(5*time.Second, func() bool {
					seconds, there = lifetimeOf(t, l.R1, vip.String())
					return there && seconds <= tt.life && seconds >= tt.life/2 && leaseTables(t, l.R1) == tt.tables
				}) {
					t.Errorf("%s: lifetime %d, there: %v, tables: %v", tt.lease, seconds, there, leaseTables(t, l.R1))
				}
				// Longer than any lease that is not prolonged.
				for range 4 {
					l.Tap.Await(l.Tap.Len(), 5*time.Second, "r1's next advertisement", advertisement(l.R1))
				}
				if _, there := lifetimeOf(t, l.R1, vip.String()); !there {
					t.Errorf("%s: the address is gone", tt.lease)
				}
				if !accepts(t, l, vip) {
					t.Errorf("%s: the address does not answer", tt.lease)
				}
				if got := lab.Select(l.Tap.From(mark), lab.AdvertOf(l.R1, 0)); len(got) > 0 {
					t.Errorf("%s: it said goodbye: %v", tt.lease, got)
				}
			}
			if a.Said(0, "put back what somebody.* addresses=|lease lost|lease not renewed") {
				t.Errorf("it took its own doing for another's:\n%s", a.Output())
			}
			select {
			case at := <-removal:
				if !at.IsZero() {
					t.Errorf("the address was removed at %v", at)
				}
			default:
				defer func() { <-removal }() // now it may be
			}
			a.Kill() // the last way is in force
			if accepts(t, l, vip) && !lab.Until(10*time.Second, func() bool { return !accepts(t, l, vip) }) {
				t.Error("the address of a dead daemon answers for ever")
			}
		})
	}
}

// TestReloadTop: what of the top of the file can be applied is; what cannot is
// told by name, each time, until there is a restart.
func TestReloadTop(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	b := background{t.TempDir(), l.R1}
	conf := filepath.Join(b.dir, "rvrrpd.conf")
	write := func(pid, state, log, errors, format string) {
		t.Helper()
		text := fmt.Sprintf("pid = %q\nworking_dir = %q\nmain_log = %q\nerror_log = %q\nstate_dir = %q\nlog_format = %q\n%s",
			pid, b.dir, log, errors, b.path(state), format, auditConfiguration)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("pid", "state", "main.log", "error.log", "text")
	if status, said, _ := b.start(conf); status != 0 {
		t.Fatalf("status %d: %s", status, said)
	}
	pid := b.pid()
	ended := lab.WatchExit(pid)
	t.Cleanup(func() {
		syscall.Kill(pid, syscall.SIGTERM)
		if !ended(5 * time.Second) {
			t.Error("it does not end")
		}
	})
	for _, dir := range []string{"elsewhere", "state2"} {
		if err := os.Mkdir(b.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write("pid2", "state2", "main2.log", "elsewhere/error.log", "json")
	for i := range 2 {
		syscall.Kill(pid, syscall.SIGHUP)
		b.await(t, "main2.log", fmt.Sprintf(`"msg":"configuration loaded","generation":%d`, i+2))
		said := b.read("main2.log")
		for _, key := range []string{"pid", "state_dir", "error_log"} {
			if got := strings.Count(said, `"msg":"has no effect before a restart","change":"`+key+" = "); got != i+1 {
				t.Errorf("%s: told %d times, want %d:\n%s", key, got, i+1, said)
			}
		}
		if got := strings.Count(said, "has no effect before a restart"); got != 3*(i+1) {
			t.Errorf("told %d times, want %d:\n%s", got, 3*(i+1), said)
		}
	}
	if said := b.read("error.log"); !strings.Contains(said, `"change":"pid = `) {
		t.Errorf("the log that stays has\n%s", said)
	}
	if strings.Contains(b.read("main.log"), "configuration loaded") {
		t.Error("the old log is still written")
	}
	next := filepath.Join(b.dir, "next.conf")
	if err := os.Rename(conf, next); err != nil {
		t.Fatal(err)
	}
	write("pid", "state", "main.log", "error.log", "text")
	out, err := exec.Command(lab.Binary("rvrrpd"), "--plan", next, "-c", conf).CombinedOutput()
	if err != nil || strings.Count(string(out), ": has no effect before a restart\n") != 3 {
		t.Errorf("%v: the plan:\n%s", err, out)
	}
}
