//go:build lab

package lab_test

import (
	"slices"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// What the benchmark of takeovers does.
const (
	kills         = 5
	benchInterval = 10 * time.Millisecond
	// benchTarget is how much later than Active_Down_Interval the median may be.
	benchTarget = 5 * time.Millisecond
)

// BenchmarkTakeover kills the Active again and again at an interval of 10 ms,
// rvrrpd's and keepalived's by turns, and reports how much later than
// Active_Down_Interval the Backup's first advertisement is on the wire: the
// medians, and what part of keepalived's ours is.
func BenchmarkTakeover(b *testing.B) {
	for _, family := range []struct {
		name string
		ipv6 bool
	}{{"IPv4", false}, {"IPv6", true}} {
		b.Run(family.name, func(b *testing.B) {
			r := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: benchInterval, IPv6: family.ipv6}
			ours := newVictims(b, r)
			r.Kind = lab.Keepalived
			theirs := newVictims(b, r)
			for b.Loop() {
				var late, theirLate []time.Duration
				for range kills {
					late = append(late, ours.kill(b))
					theirLate = append(theirLate, theirs.kill(b))
				}
				b.Logf("rvrrpd %v, keepalived %v", late, theirLate)
				m, theirM := median(late), median(theirLate)
				b.ReportMetric(milliseconds(m), "rvrrpd-ms")
				b.ReportMetric(milliseconds(theirM), "keepalived-ms")
				b.ReportMetric(float64(m)/float64(theirM), "ratio")
				b.ReportMetric(0, "ns/op") // means nothing here
				if m > benchTarget {
					b.Errorf("rvrrpd takes over %v after Active_Down_Interval, want at most %v", m, benchTarget)
				}
			}
		})
	}
}

// victims are a pair whose Active is killed.
type victims struct {
	lab    *lab.Lab
	a      *lab.Daemon
	backup lab.Router
}

func newVictims(b *testing.B, r lab.Router) *victims {
	b.Helper()
	v := &victims{lab: lab.New(b), backup: r}
	r.Priority, v.backup.Priority = high, low
	v.a = v.lab.R1.Run(r)
	v.lab.Tap.Await(0, 10*time.Second, "r1's advertisement", advertisement(v.lab.R1))
	v.lab.R2.Run(v.backup).AwaitBackup()
	return v
}

// kill returns how late the takeover was, and brings the Active back.
func (v *victims) kill(b *testing.B) time.Duration {
	b.Helper()
	awaitAdverts(v.lab, v.lab.R1, lab.Router{Interval: time.Second}, 20)
	from := v.lab.Tap.Len()
	killed := v.a.Kill()
	takeover := v.lab.Tap.Await(from, time.Second, "r2's advertisement", advertisement(v.lab.R2))
	before, ok := lab.Last(v.lab.Tap.From(0), killed, advertisement(v.lab.R1))
	if !ok {
		b.Fatal("r1 has not advertised")
	}
	v.a = v.a.Again()
	v.lab.Tap.Await(mark(v.lab, takeover), 10*time.Second, "r1's return", advertisement(v.lab.R1))
	return takeover.Time.Sub(before.Time) - v.backup.ActiveDown()
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
