package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// settle is how long an event waits before it is printed, so that those which
// are noticed late still stand in their place: a lost probe is known to be
// lost after lab.PingTimeout.
const settle = lab.PingTimeout + 50*time.Millisecond

// Colours, on a terminal only.
const (
	plain  = ""
	bold   = "1"
	dim    = "2"
	red    = "1;31"
	green  = "1;32"
	yellow = "33"
	cyan   = "1;36"
)

// paint wraps text in a colour when the output is a terminal.
var paint = func() func(colour, text string) string {
	info, err := os.Stdout.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || os.Getenv("NO_COLOR") != "" {
		return func(_, text string) string { return text }
	}
	return func(colour, text string) string {
		if colour == plain {
			return text
		}
		return "\x1b[" + colour + "m" + text + "\x1b[0m"
	}
}()

// event is a line of the timeline.
type event struct {
	at                time.Time
	who, what, colour string
	wire              bool // a frame, which is indented
	count             int  // of equal things in a row
}

// timeline prints events in their order, as they happen.
type timeline struct {
	start time.Time
	mu    sync.Mutex
	queue []*event
}

func newTimeline() *timeline {
	t := &timeline{start: time.Now()}
	go func() {
		for range time.Tick(20 * time.Millisecond) {
			t.print(time.Now().Add(-settle))
		}
	}()
	return t
}

// add enters an event.
func (t *timeline) add(at time.Time, who, colour, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.insert(&event{at: at, who: who, what: fmt.Sprintf(format, args...), colour: colour, count: 1})
}

// frame enters an event on the wire.
func (t *timeline) frame(f lab.Frame, colour, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.insert(&event{at: f.Time, who: f.Port, what: fmt.Sprintf(format, args...), colour: colour, wire: true, count: 1})
}

// insert keeps the queue in order, and counts what repeats itself.
func (t *timeline) insert(e *event) {
	for _, q := range t.queue {
		if q.who == e.who && q.what == e.what && e.at.Sub(q.at) < settle {
			q.count++
			return
		}
	}
	t.queue = append(t.queue, e)
	slices.SortStableFunc(t.queue, func(a, b *event) int { return a.at.Compare(b.at) })
}

// print prints what happened before a time.
func (t *timeline) print(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.queue) > 0 && t.queue[0].at.Before(until) {
		e := t.queue[0]
		t.queue = t.queue[1:]
		what := e.what
		if e.count > 1 {
			what = fmt.Sprintf("%d x %s", e.count, what)
		}
		if e.wire {
			what = "  " + what
		}
		fmt.Printf("%8.3f  %-7s %s\n", e.at.Sub(t.start).Seconds(), e.who, paint(e.colour, what))
	}
}

// flush prints all that has happened so far, and leaves a heading.
func (t *timeline) flush() {
	time.Sleep(settle) // for what is noticed late
	t.print(time.Now())
}

// heading begins a chapter.
func (t *timeline) heading(format string, args ...any) {
	t.flush()
	fmt.Printf("\n%s\n", paint(bold, "== "+fmt.Sprintf(format, args...)))
}

// follow calls f for every item of a record, for as long as the demo runs.
func follow[T any](r *lab.Record[T], f func(T)) {
	go func() {
		for mark := 0; ; {
			r.Wait(mark, time.Second, func(T) bool { return true })
			for _, item := range r.From(mark) {
				f(item)
				mark++
			}
		}
	}()
}

// wire shows what crosses the switch: advertisements and announcements.
func (t *timeline) wire(l *lab.Lab) {
	follow(&l.Tap.Record, func(f lab.Frame) {
		switch {
		case f.VRRP != nil && f.VRRP.Priority == 0:
			t.frame(f, yellow, "advertisement, priority 0: I am leaving")
		case f.VRRP != nil:
			t.frame(f, dim, "advertisement, priority %d", f.VRRP.Priority)
		case lab.GratuitousARP(lab.VIP)(f):
			t.frame(f, dim, "gratuitous ARP: %v is at %s", lab.VIP, f.ARP.SenderMAC)
		}
	})
}

var (
	transition = regexp.MustCompile(`msg="?(\w+)->(\w+)"? .*reason=(\S+)`)
	notable    = regexp.MustCompile(`level=(WARN|ERROR) msg=("[^"]*"|\S+)`)
)

// daemon shows what a daemon's log says.
func (t *timeline) daemon(d *lab.Daemon) {
	colours := map[string]string{"active": green, "backup": cyan, "initialize": yellow}
	follow(&d.Record, func(line lab.Line) {
		if m := transition.FindStringSubmatch(line.Text); m != nil {
			t.add(line.Time, d.Node.Name, colours[m[2]], "%s -> %s (%s)", title(m[1]), title(m[2]), m[3])
		} else if m := notable.FindStringSubmatch(line.Text); m != nil {
			t.add(line.Time, d.Node.Name, yellow, "%s", strings.Trim(m[2], `"`))
		}
	})
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// client shows what the client notices.
func (t *timeline) client(o lab.Outage, ended bool) {
	if ended {
		t.add(o.End, "client", green, "%v answers again after %s: %d probes lost", lab.VIP, ms(o.Duration()), o.Lost)
	} else {
		t.add(o.Start, "client", red, "%v does not answer", lab.VIP)
	}
}

// ms writes a time in milliseconds.
func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
