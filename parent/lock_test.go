package parent

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"

	"golang.org/x/sys/unix"
)

// TestLocks: a lock is told from one that its holder's death has left, and a
// look at it neither keeps anybody from taking it nor loses what it says.
func TestLocks(t *testing.T) {
	old := runDir
	runDir = t.TempDir()
	defer func() { runDir = old }()
	f, err := new(daemon).lockInterface("eth0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := new(daemon).lockInterface("eth0"); !errors.Is(err, ErrLocked) {
		t.Errorf("locked twice: %v", err)
	}
	other, ours := &daemon{}, &daemon{keeper: unread(), broker: broker{ledger: ledger{locks: map[string]*os.File{"eth0": f}}}}
	if other.orphaned("eth0") || other.alone() || !ours.orphaned("eth0") || !ours.alone() || !other.orphaned("eth1") {
		t.Error("held: not told whose it is")
	}
	ours.links = []*link{{wire: wire{linkName: linkName{"eth0", ipc.IPv4}, worn: net.HardwareAddr{2, 0, 0, 0, 0, 1}}}, {wire: wire{linkName: linkName{"eth1", ipc.IPv4}, worn: net.HardwareAddr{2, 0, 0, 0, 0, 2}}}}
	ours.show()
	if err := ours.record("eth0"); err != nil {
		t.Error(err)
	}
	f.Close() // as a death does
	if !other.orphaned("eth0") || !other.alone() {
		t.Error("left behind: taken for held")
	}
	if b, err := os.ReadFile(new(daemon).lockFile("eth0")); err != nil || string(b) != macLine+"02:00:00:00:00:01\n" {
		t.Errorf("it says %q, %v", b, err)
	}
	// Somebody has a look when we come, and another one after that.
	pauses := 0
	look := func() *os.File {
		f, err := os.Open(new(daemon).lockFile("eth0"))
		if err := errors.Join(err, unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)); err != nil {
			t.Fatal(err)
		}
		return f
	}
	looking := look()
	lockPause = func(time.Duration) {
		if looking.Close(); pauses == 0 {
			looking = look()
		}
		pauses++
	}
	defer func() { lockPause = time.Sleep }()
	f, err = new(daemon).lockInterface("eth0")
	if err != nil || pauses != 2 {
		t.Fatalf("after %d looks: %v", pauses, err)
	}
	unlock(f)
}
