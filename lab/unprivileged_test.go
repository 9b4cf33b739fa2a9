//go:build lab

package lab_test

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestUnprivileged: a daemon that is not root takes over, reloads, survives a
// crash of its network process unnoticed, and gives everything back.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	for _, ipv6 := range []bool{false, true} {
		for _, onInterface := range []bool{false, true} {
			t.Run(map[bool]string{false: "IPv4", true: "IPv6"}[ipv6]+map[bool]string{false: " macvlan", true: " interface"}[onInterface], func(t *testing.T) {
				t.Parallel()
				l := lab.New(t)
				before := l.R1.AtRest()
				r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: low, IPv6: ipv6, OnInterface: onInterface, Unprivileged: true}
				peer := r
				peer.Priority, peer.Unprivileged = high, false
				b := l.R2.Run(peer)
				b.AwaitActive(0)
				a := l.R1.Run(r)
				a.AwaitBackup()
				if uid := lab.Status(a.PID)["Uid"]; uid == lab.Status("self")["Uid"] {
					t.Fatalf("it runs as %s", uid)
				}
				// The parent's Landlock rules outlive the kernel's memory of paths.
				if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0); err != nil {
					t.Fatal(err)
				}
				b.Kill()
				a.AwaitActive(0)
				mark := a.Len()
				old := a.Child()
				lab.KillChild(old)
				a.AwaitLine(mark, 5*time.Second, "msg=ready")
				a.Signal(syscall.SIGHUP)
				a.AwaitLine(mark, 5*time.Second, "configuration loaded")
				if a.SteppedBack(mark) {
					t.Errorf("it stepped back; it said\n%s", a.Output())
				}
				if status := a.Terminate(5 * time.Second); status != 0 {
					t.Errorf("status %d; it said\n%s", status, a.Output())
				}
				if diff := before.Diff(l.R1.Snapshot()); diff != "" {
					t.Errorf("left behind (-before +after):\n%s", diff)
				}
			})
		}
	}
}
