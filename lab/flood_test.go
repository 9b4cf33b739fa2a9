//go:build lab

package lab_test

import (
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// What floods are like.
const (
	floodRate = 10000 // packets per second
	floodTime = 3 * time.Second
	// reportEvery is the least time between two reports of a reason.
	reportEvery = 10 * time.Second
	// sampled is how many of the packets that do not concern it a daemon
	// leaves to the kernel, uncounted, for one that it counts.
	sampled = 16
	// perInterval is how many advertisements an Active may send in an
	// interval, its immediate answers included.
	perInterval = 15
)

// flood is a kind of packets, and why they are discarded.
type flood struct {
	name, reason string
	forgery      lab.Forgery
	sampled      bool
}

// both are what is sent of the invalid: by turns what would make the Active
// step back and what would make the Backup take over if it were heard.
func (f flood) both() []lab.Forgery {
	if f.reason == "" {
		return []lab.Forgery{f.forgery}
	}
	higher := f.forgery
	higher.Priority = 250
	return []lab.Forgery{f.forgery, higher}
}

// floods are what is sent.
var floods = []flood{
	{"bad checksum", "checksum", lab.Forgery{VRID: lab.VRID, TTL: 255, Spoil: func(m []byte) []byte { m[6]++; return m }}, false},
	{"TTL 254", "ttl", lab.Forgery{VRID: lab.VRID, TTL: 254}, true},
	{"truncated", "length", lab.Forgery{VRID: lab.VRID, TTL: 255, Spoil: func(m []byte) []byte { return m[:len(m)-2] }}, false},
	{"wrong VRID", "vrid", lab.Forgery{VRID: lab.VRID + 1, TTL: 255}, true},
	{"address count", "length", lab.Forgery{VRID: lab.VRID, TTL: 255, Extra: 1}, false},
	{"lower priority", "", lab.Forgery{VRID: lab.VRID, TTL: 255, Priority: low / 2}, false},
}

// TestFlood pours 10,000 packets a second of each kind over an Active and a
// Backup. They keep their roles and the Active its rhythm. Not beside other tests:
// the packets alone take much of a processor; one of the two waits while the other
// pours.
func TestFlood(t *testing.T) {
	var pouring sync.Mutex
	for name, r := range map[string]lab.Router{"version 3": {Version: 3, Interval: interval3}, "version 2": {Version: 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFlood(t, r, &pouring)
		})
	}
}

func eachFlood(t *testing.T, r lab.Router, pouring *sync.Mutex) {
	l := lab.New(t)
	a, b := flooded(l, r)
	marks := map[*lab.Daemon]int{a: a.Len(), b: b.Len()}

	ended, sent := make(map[string]time.Time), make(map[string]int)
	for _, f := range floods {
		t.Log(f.name)
		pouring.Lock()
		from := l.Tap.Len()
		sent[f.reason] += pour(t, l, r, f.both()...)
		ended[f.reason] = time.Now()
		pouring.Unlock()
		awaitAdverts(l, l.R1, r, 1)
		// Only version 3 asserts itself against a lower priority.
		undisturbed(t, l.Tap.From(from), l, r, f.reason == "" && r.Version == 3)
	}
	for d, mark := range marks {
		if d.Said(mark, "->|crashed|level=ERROR") {
			t.Errorf("%s: %s", d.Node.Name, d.Output())
		}
	}

	// The next report of each reason tells how many there were.
	for _, f := range floods[:len(floods)-1] {
		wait := time.Until(ended[f.reason].Add(reportEvery + time.Second))
		// So many that some of them are among those that are sampled.
		f.forgery.Version = r.Version
		l.Client.Flood(1000, max(wait, 500*time.Millisecond), r.AdverInterval(), f.forgery)
		want := sent[f.reason] * 9 / 10
		if f.sampled {
			want /= sampled
		}
		for d, mark := range marks {
			reported(t, d, mark, f.reason, want)
		}
	}
}

// flooded starts an Active and a Backup.
func flooded(l *lab.Lab, r lab.Router) (a, b *lab.Daemon) {
	l.Helper()
	r.Kind, r.Priority = lab.Rvrrpd, high
	a = l.R1.Run(r)
	a.AwaitActive(0)
	r.Priority = low
	b = l.R2.Run(r)
	b.AwaitBackup()
	awaitAdverts(l, l.R1, r, 2)
	return a, b
}

// pour sends forgeries of the router's advertisements, in turn, and checks that
// as many left as there should.
func pour(t *testing.T, l *lab.Lab, r lab.Router, forgeries ...lab.Forgery) (sent int) {
	t.Helper()
	for i := range forgeries {
		forgeries[i].Version, forgeries[i].IPv6 = r.Version, r.IPv6
	}
	sent = l.Client.Pour(floodRate, floodTime, r.AdverInterval(), forgeries...)
	if sent < floodRate*int(floodTime/time.Second)*9/10 {
		t.Errorf("only %d packets could be sent", sent)
	}
	return sent
}

// TestFloodIPv6 does so over IPv6, with all kinds at once.
func TestFloodIPv6(t *testing.T) {
	l := lab.New(t)
	r := lab.Router{Version: 3, Interval: interval3, IPv6: true}
	a, b := flooded(l, r)
	var forgeries []lab.Forgery
	kinds := make(map[string]int) // of a reason, among the forgeries
	for _, f := range floods {
		forgeries = append(forgeries, f.both()...)
		kinds[f.reason] += len(f.both())
	}
	from, marks := l.Tap.Len(), map[*lab.Daemon]int{a: a.Len(), b: b.Len()}
	sent := pour(t, l, r, forgeries...)
	ended := time.Now()
	awaitAdverts(l, l.R1, r, 1)
	undisturbed(t, l.Tap.From(from), l, r, true)
	for d, mark := range marks {
		if d.Said(mark, "->|crashed|level=ERROR") {
			t.Errorf("%s: %s", d.Node.Name, d.Output())
		}
	}
	// The next reports tell that each kind had its share.
	l.Client.Flood(1000, time.Until(ended.Add(reportEvery+time.Second)), interval3, forgeries...)
	for _, f := range floods[:len(floods)-1] {
		want := sent * 9 / 10 * kinds[f.reason] / len(forgeries)
		if f.sampled {
			want /= sampled
		}
		for d, mark := range marks {
			reported(t, d, mark, f.reason, want)
		}
	}
}

// TestTakeoverInFlood kills the Active in a flood: the Backup takes over in
// time although it never has read all there is.
func TestTakeoverInFlood(t *testing.T) {
	for _, f := range floods {
		if f.sampled {
			continue // hardly anything of it is read
		}
		t.Run(f.name, func(t *testing.T) {
			l := lab.New(t)
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}
			a := l.R1.Run(r)
			a.AwaitActive(0)
			r.Priority = low
			l.R2.Run(r).AwaitBackup()
			awaitAdverts(l, l.R1, r, 2)
			over := make(chan int)
			go func() { over <- l.Client.Flood(floodRate, floodTime/2, interval3, f.forgery) }()
			awaitAdverts(l, l.R1, r, 2)
			seen := l.Tap.Len()
			killed := a.Kill()
			takeover := l.Tap.Await(seen, r.ActiveDown()+time.Second, "r2's advertisement", advertisement(l.R2))
			before := last(t, l.Tap.From(0), killed, "r1's last advertisement", advertisement(l.R1))
			within(t, "the takeover", before.Time, takeover.Time, r.ActiveDown())
			<-over
		})
	}
}

// undisturbed checks what the routers sent: the Active goes on with its
// rhythm, and the Backup is silent.
func undisturbed(t *testing.T, frames []lab.Frame, l *lab.Lab, r lab.Router, answered bool) {
	t.Helper()
	interval := r.AdverInterval()
	isAdvert := func(f lab.Frame) bool { return f.VRRP != nil }
	if said := lab.Select(frames, lab.From(l.R2, isAdvert)); len(said) > 0 {
		t.Errorf("the Backup says %s", said[0])
	}
	adverts := lab.Select(frames, lab.From(l.R1, isAdvert))
	if len(adverts) < int(floodTime/interval)*9/10 { // gaps are looked at below
		t.Fatalf("%d advertisements of the Active", len(adverts))
	}
	most := 0
	for i, f := range adverts {
		if i > 0 && over(adverts[i-1].Time, f.Time, interval*3/2) {
			t.Errorf("no advertisement for %v", f.Time.Sub(adverts[i-1].Time))
		}
		n := 0
		for _, g := range adverts[i:] {
			if g.Time.Sub(f.Time) < interval-lab.Slack(f.Time, g.Time) {
				n++
			}
		}
		most = max(most, n)
		if f.VRRP.Priority != high {
			t.Errorf("the Active says %s", f)
		}
	}
	if limit := perInterval; most >= limit || !answered && most > 2 {
		t.Errorf("%d advertisements in an interval", most)
	}
	t.Logf("%d advertisements, at most %d in an interval", len(adverts), most)
}

// reported checks that a daemon has told of a reason seldom, and how many
// packets there were.
func reported(t *testing.T, d *lab.Daemon, mark int, reason string, want int) {
	t.Helper()
	re := regexp.MustCompile(`packets dropped.* reason=` + reason + ` .*count=(\d+)`)
	var reports, count int
	lab.Until(time.Second, func() bool {
		reports, count = 0, 0
		for _, line := range d.From(mark) {
			if m := re.FindStringSubmatch(line.Text); m != nil {
				n, _ := strconv.Atoi(m[1])
				reports, count = reports+1, count+n
			}
		}
		return reports >= 2 && count >= want
	})
	if reports < 2 || reports > 4 || count < want {
		t.Errorf("%s reports %s %d times, %d packets, want at least %d", d.Node.Name, reason, reports, count, want)
	}
}
