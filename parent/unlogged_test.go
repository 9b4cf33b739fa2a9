package parent

import (
	"bytes"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// TestTransitionsCounted: every transition has a line, or is in the count of
// those that have none, and a child that invents them does not fill the log.
func TestTransitionsCounted(t *testing.T) {
	t.Parallel()
	d := fuzzed()
	var log bytes.Buffer
	d.log, d.manager = slog.New(slog.NewTextHandler(&log, nil)), &manager{fd: -1}
	d.respawn, d.child.deadline, d.heart.next = never, never, never
	const transitions, span = 1000, 10 * time.Second
	report := func(slot ipc.Slot) {
		if err := d.report(ipc.Header{Slot: slot, Generation: d.generation}, ipc.StateChange{From: 1, To: 2}); err != nil {
			t.Fatal(err)
		}
	}
	for range 15 { // as many as an honest one may have at once
		report(1)
	}
	if log.Len() == 0 || strings.Count(log.String(), "\n") != 15 {
		t.Errorf("15 at once:\n%s", log.String())
	}
	for range transitions {
		d.now += int64(span / transitions)
		report(0)
		if len(d.unlogged) > 0 && d.next() > d.unloggedDue {
			t.Fatal("it does not wake to tell")
		}
		if len(d.unlogged) > 0 && d.now >= d.unloggedDue {
			d.tellUnlogged()
		}
	}
	d.tellUnlogged()
	lines, counted := 0, 0
	for line := range strings.Lines(log.String()) {
		if m := regexp.MustCompile(`msg="transitions not logged" vr=eth0/7/ipv4 count=(\d+)`).FindStringSubmatch(line); m != nil {
			n, _ := strconv.Atoi(m[1])
			counted += n
		} else if strings.Contains(line, "vr=eth0/7/ipv4") {
			lines++
		}
	}
	if lines+counted != transitions || lines < 100 || lines > 125 {
		t.Errorf("%d transitions: %d lines, %d counted", transitions, lines, counted)
	}
	if n := strings.Count(log.String(), "transitions not logged"); n > 11 {
		t.Errorf("%d lines with counts", n)
	}
}
