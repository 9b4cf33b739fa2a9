//go:build lab

package lab_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestStartupDelay: it counts once, from the start of the daemon. Another
// network process, before it is over and after, does not count anew, nor does
// the daemon that takes over; so none of them keeps a takeover waiting.
func TestStartupDelay(t *testing.T) {
	t.Parallel()
	const delay = 4 * time.Second
	l := lab.New(t)
	r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
	a := l.R1.Run(r)
	a.AwaitActive(0)
	r.Priority = low
	text := strings.Replace(r.Configuration("r2"), "iftype", fmt.Sprintf("startup_delay = %v\niftype", delay.Seconds()), 1)
	b := &lab.Daemon{Node: l.R2, Router: r}
	started := startReloaded(t, l.R2, text)
	b.Process = started.Process
	begun := b.AwaitLine(0, 5*time.Second, "msg=ready").Said()

	// respawned kills the network process and waits for the next.
	respawned := func() (mark int) {
		mark = b.Len()
		lab.KillChild(b.Child())
		b.AwaitLine(mark, 5*time.Second, "crashed")
		b.AwaitLine(mark, 5*time.Second, "msg=ready")
		return mark
	}
	if !lab.Until(delay, func() bool { return time.Since(begun) > delay/2 }) {
		t.Fatal("half of the delay does not pass")
	}
	respawned()
	first := b.AwaitLine(0, 2*delay, "initialize->backup").Said()
	between(t, "the delay", begun, first, delay-100*time.Millisecond, delay+delay/4)
	b.AwaitLine(respawned(), delay/4, "initialize->backup")

	b.Signal(syscall.SIGUSR2)
	if status := b.AwaitExit(5 * time.Second); status != 0 {
		t.Fatalf("status %d; it said\n%s", status, b.Output())
	}
	b.Process = l.R2.Start(lab.Binary("rvrrpd"), "-m1", "-c", started.file)
	b.AwaitLine(0, 5*time.Second, "msg=ready")
	b.AwaitLine(0, delay/4, "initialize->backup")

	awaitAdverts(l, l.R1, r, 3)
	respawned()
	seen := l.Tap.Len()
	killed := a.Kill()
	takeover := l.Tap.Await(seen, 2*delay, "r2's advertisement", advertisement(l.R2))
	before := last(t, l.Tap.From(0), killed, "r1's last advertisement", advertisement(l.R1))
	// A fresh Backup has heard nobody yet.
	if over(before.Time, takeover.Time, 2*time.Second) {
		t.Errorf("the takeover took %v", takeover.Time.Sub(before.Time))
	}
}
