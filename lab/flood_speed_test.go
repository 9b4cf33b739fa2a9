//go:build lab

package lab_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestFloodAtFullSpeed sends as fast as two processors can. It does not matter
// what becomes of the roles; the parent stays small, and ends when it is told.
func TestFloodAtFullSpeed(t *testing.T) {
	const grows, ends = 8 << 10, time.Second // kB
	l := lab.New(t)
	a := l.R1.Run(lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high})
	a.AwaitActive(0)
	peak := func() (kb int) { // kB
		kb, err := strconv.Atoi(strings.TrimSuffix(lab.Status(a.PID)["VmHWM"], " kB"))
		if err != nil {
			t.Fatal(err)
		}
		return kb
	}
	before := peak()
	sent := make(chan int)
	for range 2 {
		go func() { sent <- l.Client.Flood(2e6, floodTime, interval3, floods[0].both()...) }()
	}
	a.AwaitLine(0, floodTime, "packets dropped.* reason=checksum")
	from := l.Tap.Len()
	for range 10 {
		l.Tap.Await(from, floodTime, "r1's advertisement", advertisement(l.R1))
		from = l.Tap.Len()
	}
	after := peak()
	began := time.Now()
	if a.Terminate(10*time.Second) != 0 || over(began, time.Now(), ends) {
		t.Errorf("ends after %v; it said\n%s", time.Since(began), a.Output())
	}
	n := <-sent + <-sent
	t.Logf("%d packets a second; peak memory %d kB, before %d kB", n/int(floodTime/time.Second), after, before)
	if after > before+grows {
		t.Errorf("the parent's peak memory grew from %d to %d kB", before, after)
	}
}
