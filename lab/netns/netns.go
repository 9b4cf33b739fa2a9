// Package netns runs single tests in network namespaces of their own.
package netns

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Inside runs a test in a network namespace with a cable: one end is eth0, with the
// address 10.9.0.1/24, the other peer. What fails in it must not end the test.
func Inside(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("needs root")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends, and the namespace with it
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		for _, args := range []string{
			"link add eth0 type veth peer name peer", "link set lo up", "link set eth0 up", "link set peer up",
			"addr add 10.9.0.1/24 dev eth0",
		} {
			if err := IP(args); err != nil {
				t.Error(err)
				return
			}
		}
		test(t)
	}()
	<-done
}

// IP runs ip(8); a child process is in the namespace of the thread that starts it.
func IP(args string) error {
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, out)
	}
	return nil
}
