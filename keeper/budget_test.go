package keeper

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rvrrpd/rvrrpd/ipc"
	"github.com/rvrrpd/rvrrpd/ipc/keeping"
	"github.com/rvrrpd/rvrrpd/ipc/report"
	"github.com/rvrrpd/rvrrpd/keeper/logs"
)

// watched is a log that is written to and looked at by several.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (k *watched) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(b)
}

func (k *watched) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}

func (k *watched) Len() int { return len(k.String()) }

func (k *watched) Reset() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.text.Reset()
}

// loud is a keeper's log of many virtual routers.
type loud struct {
	*reports
	log  *slog.Logger
	text *watched
}

// noisy makes one.
func noisy(routers int) (*loud, *watched) {
	text := &watched{}
	budget := logs.NewBudget(slog.NewTextHandler(text, nil))
	r := newReports(budget)
	n := keeping.Names{Generation: 1, Links: map[ipc.Link]string{0: "eth0/ipv4"}, Slots: map[ipc.Slot]keeping.Slot{}}
	for i := range routers {
		n.Slots[ipc.Slot(i)] = keeping.Slot{Name: fmt.Sprintf("eth%d/7/ipv4", i), Interface: fmt.Sprintf("eth%d", i), Link: fmt.Sprintf("eth%d/ipv4", i)}
	}
	r.name(n)
	return &loud{r, slog.New(budget), text}, text
}

// says reports a message of a slot.
func (l *loud) says(t *testing.T, slot ipc.Slot, m ipc.Message) {
	t.Helper()
	b := keeping.AppendReport(nil, time.Now().UnixNano(), 0)[1:]
	if err := l.hear(ipc.Append(b, ipc.Header{Slot: slot, Generation: 1}, m), func(int) {}); err != nil {
		t.Fatal(err)
	}
}

// What docs/threats.md says of the log.
const (
	budgetPause = 10 * time.Second
	budgetRate  = 2 << 10
	routerLines = 32
	shareLines  = 8
)

// counted sums what the lines on what was left out tell.
func counted(log, pattern string) (n int) {
	for _, m := range regexp.MustCompile(pattern+`.* count=(\d+)`).FindAllStringSubmatch(log, -1) {
		count, _ := strconv.Atoi(m[1])
		n += count
	}
	return n
}

var (
	up   = report.StateChange{From: report.Backup, To: report.Active, Reason: report.ReasonActiveDown, Peer: netip.MustParseAddr("10.9.0.1"), Priority: 200}
	down = report.StateChange{From: report.Active, To: report.Backup, Reason: report.ReasonHigherPriority, Peer: netip.MustParseAddr("10.9.0.1"), Priority: 200}
)

// TestTransitionsCounted: every transition has a line, or is in the count of
// those that have none; one that follows a quiet time has one.
func TestTransitionsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, log := noisy(1)
		const transitions, span = 1000, 100 * time.Second
		for i := range transitions {
			d.says(t, ipc.Slot(0), []report.StateChange{up, down}[i%2])
			time.Sleep(span / transitions)
		}
		time.Sleep(2 * budgetPause)
		synctest.Wait()
		lines := strings.Count(log.String(), "->") - strings.Count(log.String(), "last=")
		if n := counted(log.String(), `transitions not logged" vr=eth0/7/ipv4`); lines+n != transitions || lines < routerLines {
			t.Errorf("%d transitions: %d lines, %d counted", transitions, lines, n)
		}
		if n := strings.Count(log.String(), "transitions not logged"); n > int(span/budgetPause)+1 {
			t.Errorf("%d lines with counts", n)
		}
		time.Sleep(time.Hour)
		log.Reset()
		d.says(t, ipc.Slot(0), up)
		if !strings.Contains(log.String(), "backup->active") {
			t.Errorf("after an hour: %q", log.String())
		}
	})
}

// TestNeighborFillsNoLog: a hundred virtual routers that a neighbor has change
// their roles ten times a second write what docs/threats.md says, and the one
// change of another is not lost among them.
func TestNeighborFillsNoLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const routers, seconds = 100, 400
		d, log := noisy(routers + 1)
		flap := func(seconds int) {
			for i := range seconds * 10 {
				for r := range routers {
					d.says(t, ipc.Slot(r), []report.StateChange{up, down}[i%2])
				}
				time.Sleep(100 * time.Millisecond)
			}
			synctest.Wait()
		}
		flap(60)
		first := log.Len()
		log.Reset()
		d.says(t, ipc.Slot(routers), up)
		if want := "vr=eth100/7/ipv4"; !strings.Contains(log.String(), "backup->active") || !strings.Contains(log.String(), want) {
			t.Errorf("a real change: %q, want %s", log.String(), want)
		}
		log.Reset()
		flap(seconds)
		t.Logf("%d bytes in the first minute, then %d a second", first, log.Len()/seconds)
		if first > 256<<10 || log.Len()/seconds > 2<<10 {
			t.Errorf("%d bytes in the first minute, then %d a second", first, log.Len()/seconds)
		}
		if n := strings.Count(log.String(), `vr=eth7/7/ipv4`); n > seconds/5+1 {
			t.Errorf("%d lines on one router in %d s", n, seconds)
		}
	})
}

// TestErrorsHaveRoom: what fails has lines of its own beside a router that flaps and
// beside others that flap, and beside reports; the rest of it is counted, and bounded.
func TestErrorsHaveRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const routers = 200
		d, log := noisy(routers)
		for i := range 600 {
			for r := range routers {
				d.says(t, ipc.Slot(r), []report.StateChange{up, down}[i%2])
			}
			d.says(t, ipc.NoSlot, report.Dropped{Reason: report.DropTTL, VRID: 1, Count: 1, Total: 1, Hint: strings.Repeat("x", ipc.MaxHint)})
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		log.Reset()
		d.log.ErrorContext(keeping.Hearsay, "lease lost", "vr", d.slot(ipc.Header{Slot: ipc.Slot(3), Generation: 1}).Name, "because", "test")
		d.log.ErrorContext(keeping.Hearsay, "release failed", "vr", d.slot(ipc.Header{Slot: ipc.Slot(3), Generation: 1}).Name, "error", "test")
		d.log.ErrorContext(keeping.Hearsay, "send failed", "link", "eth7/ipv4", "error", "test")
		for _, want := range []string{`"lease lost" vr=eth3/7/ipv4`, `"release failed" vr=eth3/7/ipv4`, `"send failed" link=eth7/ipv4`} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("no %s in\n%s", want, log.String())
			}
		}
		log.Reset()
		const errors, seconds = 1000, 100
		for range errors {
			d.log.ErrorContext(keeping.Hearsay, "release failed", "vr", d.slot(ipc.Header{Slot: ipc.Slot(5), Generation: 1}).Name, "error", "test")
			time.Sleep(seconds * time.Second / errors)
		}
		time.Sleep(2 * budgetPause)
		synctest.Wait()
		lines, left := strings.Count(log.String(), `msg="release failed"`), counted(log.String(), `errors not logged" of=eth5/7/ipv4`)
		if lines+left != errors || lines > routerLines+seconds/10 || lines < shareLines {
			t.Errorf("%d lines and %d counted of %d", lines, left, errors)
		}
	})
}

// TestChildFillsNoLog: a child that says as much as it can, in the longest
// words, of two hundred virtual routers writes what docs/threats.md says, and
// what the parent itself has to say is not lost.
func TestChildFillsNoLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const routers, seconds = 200, 150
		d, log := noisy(routers)
		hint := strings.Repeat(`"`, ipc.MaxHint)
		m := up
		m.Verdict, m.Hint = report.Verdict(1), hint
		said, all := 0, ""
		storm := func(seconds int) {
			for range seconds * 2 {
				for r := range routers {
					d.says(t, ipc.Slot(r), m)
					d.log.ErrorContext(keeping.Hearsay, "lease lost", "vr", d.slot(ipc.Header{Slot: ipc.Slot(r), Generation: 1}).Name, "because", "test")
					d.says(t, ipc.Slot(r), report.Looked{Hint: hint})
					d.says(t, ipc.NoSlot, report.Dropped{Reason: report.DropTTL, VRID: 1, Count: 1, Total: 1, Hint: hint})
					said += 4
				}
				time.Sleep(500 * time.Millisecond)
			}
			synctest.Wait()
		}
		storm(22)
		first := log.Len()
		all += log.String()
		log.Reset()
		d.log.Error("network process hangs")
		if !strings.Contains(log.String(), "hangs") {
			t.Error("the parent's own line is lost")
		}
		log.Reset()
		storm(seconds)
		t.Logf("%d bytes in 22 s, then %d a second", first, log.Len()/seconds)
		// Both budgets, and for each router two lines of 120 bytes in ten seconds, one
		// of them on errors.
		if most := 2*budgetRate + 2*routers*120/10; first > 704<<10 || log.Len()/seconds > most {
			t.Errorf("%d bytes in 22 s, then %d a second", first, log.Len()/seconds)
		}
		time.Sleep(2 * budgetPause)
		synctest.Wait()
		all += log.String()
		left, lines := counted(all, "(?:transitions|reports|errors) not logged"), 0
		for line := range strings.Lines(all) {
			if !strings.Contains(line, "not logged") {
				lines++
			}
		}
		if left+lines != said {
			t.Errorf("%d said, %d logged and %d counted", said, lines, left)
		}
	})
}
