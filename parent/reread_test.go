package parent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/ipc"
	"golang.org/x/sys/unix"
)

// rereading is a parent whose configuration is read by this test.
func rereading(t *testing.T) (d *daemon, said *strings.Builder, asks <-chan func() reread, answer func(r reread)) {
	t.Helper()
	d, _ = talking(t)
	said = &strings.Builder{}
	d.log = slog.New(slog.NewTextHandler(said, nil))
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pipe[0]); unix.Close(pipe[1]) })
	asked, results := make(chan func() reread, 1), make(chan reread, 1)
	d.rereader = &rereader{worker: worker[reread]{fd: pipe[0], asks: asked, results: results}}
	return d, said, asked, func(r reread) {
		t.Helper()
		results <- r
		if _, err := unix.Write(pipe[1], []byte{0}); err != nil {
			t.Fatal(err)
		}
		if err := d.heardAgain(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReloadDoesNotWait: the configuration is read beside the loop; what is asked for
// meanwhile is done afterwards, once.
func TestReloadDoesNotWait(t *testing.T) {
	t.Parallel()
	d, said, asks, answer := rereading(t)
	d.reload()
	for range 3 {
		d.reload()
	}
	if len(asks) != 1 || !d.rereader.busy || !d.pending {
		t.Fatalf("asked %d times, busy %t, pending %t", len(asks), d.rereader.busy, d.pending)
	}
	<-asks
	answer(reread{err: errors.New("a: no\nb: neither")})
	if n := strings.Count(said.String(), "reload refused, nothing has changed"); n != 2 || !strings.Contains(said.String(), "b: neither") {
		t.Errorf("%d lines: %s", n, said)
	}
	if len(asks) != 1 || d.pending {
		t.Fatalf("asked %d times, pending %t", len(asks), d.pending)
	}
	<-asks
	answer(reread{err: fmt.Errorf("x: %w", fs.ErrPermission)})
	if len(asks) != 0 || d.rereader.busy || !strings.Contains(said.String(), "the daemon reads its files only where they were at the start") {
		t.Errorf("asked %d times, busy %t: %s", len(asks), d.rereader.busy, said)
	}
}

// TestRereadForNobody: a configuration that comes when the network process is gone waits for
// the next one, and its secrets are wiped.
func TestRereadForNobody(t *testing.T) {
	t.Parallel()
	d, _, asks, answer := rereading(t)
	d.reload()
	<-asks
	d.child.phase = ipc.PhaseConfigure
	secret := []byte("hunter2")
	answer(reread{config: &conf.Config{Routers: []conf.Router{{Secret: secret}}}})
	if !d.pending || len(asks) != 0 || strings.Trim(string(secret), "\x00") != "" {
		t.Errorf("pending %t, asked %d times, secret %q", d.pending, len(asks), secret)
	}
	d.child.phase = ipc.PhaseRun
	d.reload()
	if d.pending || len(asks) != 1 {
		t.Errorf("pending %t, asked %d times", d.pending, len(asks))
	}
}

// TestLeavesOnceRead: a daemon hands over once it knows that the next one can start; where
// that cannot, it stops.
func TestLeavesOnceRead(t *testing.T) {
	t.Parallel()
	d, said, asks, answer := rereading(t)
	d.reload()
	if err := d.toLeave(); err != nil || d.stopping || len(asks) != 1 {
		t.Fatalf("%v, stopping %t, asked %d times", err, d.stopping, len(asks))
	}
	<-asks
	answer(reread{}) // which is older than the signal
	if d.stopping || len(asks) != 1 {
		t.Fatalf("stopping %t, asked %d times", d.stopping, len(asks))
	}
	<-asks
	answer(reread{err: errors.New("a: no")})
	if !d.stopping || !strings.Contains(said.String(), "cannot hand over to the next daemon: stopping instead") {
		t.Errorf("stopping %t: %s", d.stopping, said)
	}
	secret := []byte("hunter2")
	d.rereader.read() // as has been done before the signal
	<-asks
	answer(reread{config: &conf.Config{Routers: []conf.Router{{Secret: secret}}}})
	if strings.Trim(string(secret), "\x00") != "" || strings.Contains(said.String(), "reload") {
		t.Errorf("secret %q; %s", secret, said)
	}
}

// TestLeavesInTime: who is to hand over does not wait for a configuration for ever.
func TestLeavesInTime(t *testing.T) {
	t.Parallel()
	d, said, asks, _ := rereading(t)
	d.respawn, d.leaseCheck, d.settingsNext, d.child.deadline, d.heart.next = never, never, never, never, never
	if err := d.toLeave(); err != nil || len(asks) != 1 || d.next() != d.leaveBy {
		t.Fatalf("%v, asked %d times, next %d, not %d", err, len(asks), d.next(), d.leaveBy)
	}
	for _, at := range []int64{d.leaveBy - 1, d.leaveBy} {
		d.now = at
		if err := d.leavesLate(); err != nil || d.stopping != (at == d.leaveBy) {
			t.Errorf("%v, stopping %t", err, d.stopping)
		}
	}
	if !strings.Contains(said.String(), "takes too long") {
		t.Error(said)
	}
}
