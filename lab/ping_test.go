//go:build lab

package lab_test

import (
	"sync"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestPingBusy: what has been answered in time is not lost because this process
// did not come to read it. It runs alone: it keeps itself busy.
func TestPingBusy(t *testing.T) {
	l := lab.New(t)
	ping := l.Ping(l.R1.Addr, nil)
	if !lab.Until(5*time.Second, ping.Answering) {
		t.Fatalf("%v does not answer", l.R1.Addr)
	}
	end := time.Now().Add(3 * time.Second)
	var spinning sync.WaitGroup
	for range 150 { // ten milliseconds each, by turns
		spinning.Go(func() {
			for time.Now().Before(end) {
			}
		})
	}
	spinning.Wait()
	sent, _ := ping.Counts()
	if !lab.Until(5*time.Second, func() bool { now, _ := ping.Counts(); return now > sent+50 }) {
		t.Fatalf("no more probes")
	}
	if sent, lost := ping.Counts(); lost > 0 {
		t.Errorf("%d of %d probes lost", lost, sent)
	}
}
