//go:build lab && vm

package lab_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestNetem: over a network that loses one frame of a hundred, has the others
// arrive up to 60 ms late, and every fifth before its turn, no role changes at
// one second. What becomes of 100 ms it tells, and
// demands only that one is Active.
func TestNetem(t *testing.T) {
	for _, tt := range []struct {
		interval, lasting time.Duration
		bears             bool
	}{
		{time.Second, 30 * time.Second, true},
		{100 * time.Millisecond, 30 * time.Second, false},
	} {
		t.Run(tt.interval.String(), func(t *testing.T) {
			l := lab.New(t)
			for _, port := range []string{"r1", "r2"} {
				out, err := exec.Command("tc", "-n", l.Switch.Namespace, "qdisc", "add", "dev", port, "root", "netem", "loss", "1%", "delay", "30ms", "30ms", "reorder", "20%").CombinedOutput()
				if err != nil {
					t.Fatalf("tc: %v: %s", err, out)
				}
			}
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: tt.interval, Priority: high}
			a := l.R1.Run(r)
			a.AwaitActive(0)
			r.Priority = low
			b := l.R2.Run(r)
			b.AwaitBackup()
			for since := time.Now(); time.Since(since) < tt.lasting; {
				l.Tap.Await(l.Tap.Len(), 3*time.Second, "an advertisement of r1", advertisement(l.R1))
			}
			changes := len(linesOf(b.Process, "backup->active"))
			t.Logf("at %v r2 became Active %d times in %v", tt.interval, changes, tt.lasting)
			if tt.bears && (changes > 0 || a.SteppedBack(0)) {
				t.Errorf("a role changed; r1 said\n%sr2 said\n%s", a.Output(), b.Output())
			}
			l.Tap.Await(l.Tap.Len(), 5*time.Second, "an advertisement of r1", advertisement(l.R1))
		})
	}
}
