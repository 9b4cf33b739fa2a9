//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// What takeovers of many are held to, from the first advertisement of each
// virtual router to the announcement of its address, and the deletion of all
// their devices.
const (
	manyRuns     = 3
	manyMedian   = 20 * time.Millisecond
	manyLast     = 60 * time.Millisecond
	manyDeletion = time.Second
)

// BenchmarkTakeoverMany kills the Active of 1, 250 and 1000 virtual routers,
// rvrrpd's and keepalived's by turns, and reports how long after its first
// advertisement each address is announced on the wire: median and last, the
// middle of the runs, and what part of keepalived's ours is.
func BenchmarkTakeoverMany(b *testing.B) {
	for _, size := range []struct{ links, routers int }{{1, 1}, {1, scaleRouters}, {scaleLinks, scaleRouters}} {
		count := size.links * size.routers
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			for b.Loop() {
				var medians, lasts, theirMedians, theirLasts, deletions []time.Duration
				for range manyRuns {
					m, last, deletion := takeoverOf(b, size.links, size.routers, scaledRvrrpd)
					medians, lasts, deletions = append(medians, m), append(lasts, last), append(deletions, deletion)
					m, last, _ = takeoverOf(b, size.links, size.routers, scaledKeepalived)
					theirMedians, theirLasts = append(theirMedians, m), append(theirLasts, last)
				}
				b.Logf("rvrrpd: median %v, last %v, deletion %v; keepalived: median %v, last %v", medians, lasts, deletions, theirMedians, theirLasts)
				m, last, deletion := median(medians), median(lasts), median(deletions)
				b.ReportMetric(milliseconds(m), "median-ms")
				b.ReportMetric(milliseconds(last), "last-ms")
				b.ReportMetric(milliseconds(median(theirMedians)), "keepalived-median-ms")
				b.ReportMetric(milliseconds(median(theirLasts)), "keepalived-last-ms")
				b.ReportMetric(float64(m)/float64(median(theirMedians)), "median-ratio")
				b.ReportMetric(float64(last)/float64(median(theirLasts)), "last-ratio")
				b.ReportMetric(milliseconds(deletion), "deletion-ms")
				b.ReportMetric(0, "ns/op")
				if m > manyMedian || last > manyLast || deletion > manyDeletion {
					b.Errorf("announced after %v, the last after %v, deleted in %v; want at most %v, %v and %v", m, last, deletion, manyMedian, manyLast, manyDeletion)
				}
			}
		})
	}
}

// scaledRvrrpd and scaledKeepalived start many virtual routers on a node.
func scaledRvrrpd(b *testing.B, n *lab.Node, links, routers, priority int) *lab.Process {
	return runText(b, n, scaled(links, routers, priority))
}

func scaledKeepalived(b *testing.B, n *lab.Node, links, routers, priority int) *lab.Process {
	var s strings.Builder
	fmt.Fprintf(&s, "global_defs {\n    router_id %s\n}\n", n.Name)
	for i := range links {
		for v := range routers {
			fmt.Fprintf(&s, "vrrp_instance v%d-%d {\n state BACKUP\n interface link%d\n virtual_router_id %d\n priority %d\n version 3\n advert_int 1\n use_vmac v%d-%d\n virtual_ipaddress {\n 10.%d.1.%d/32\n }\n}\n",
				i, v+1, i, v+1, priority, i, v+1, 100+i, v+1)
		}
	}
	dir := b.TempDir()
	file := filepath.Join(dir, "conf")
	if err := os.WriteFile(file, []byte(s.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return n.Start("keepalived", "-n", "-l", "-D", "-G", "-P", "-f", file, "-p", filepath.Join(dir, "pid"), "-r", filepath.Join(dir, "vrrp.pid"), "-c", filepath.Join(dir, "check.pid"))
}

// takeoverOf has a Backup take over from an Active that dies: median and last
// of the times from advertisement to announcement; and how long it takes, at
// the Backup's end, from the first device that is deleted to the last.
func takeoverOf(b *testing.B, links, routers int, start func(*testing.B, *lab.Node, int, int, int) *lab.Process) (m, last, deletion time.Duration) {
	count := links * routers
	l := lab.New(b)
	tap := l.Switch.TapOn(l.MoreLinks(links)...)
	device := fmt.Sprintf("link%d", links-1)
	if !lab.Until(5*time.Second, func() bool { return len(l.R1.Addresses(device)) == 2 && len(l.R2.Addresses(device)) == 2 }) {
		b.Fatal("the links do not come up")
	}
	// Looking costs the daemons the processor, so seldom.
	all := func(mark int, node string) bool {
		time.Sleep(100 * time.Millisecond)
		return spoken(tap, mark, node) == count
	}
	devices := func() (n int) {
		for name := range l.R2.Indexes() {
			if strings.HasPrefix(name, "v") {
				n++
			}
		}
		return n
	}
	a := start(b, l.R1, links, routers, high)
	if !lab.Until(30*time.Second, func() bool { return all(0, "r1") }) {
		b.Fatalf("r1 advertises %d of %d", spoken(tap, 0, "r1"), count)
	}
	c := start(b, l.R2, links, routers, low)
	if !lab.Until(30*time.Second, func() bool { time.Sleep(100 * time.Millisecond); return devices() == count }) {
		b.Fatalf("r2 has %d devices of %d", devices(), count)
	}
	mark := tap.Len()
	if !lab.Until(10*time.Second, func() bool { return all(mark, "r1") }) { // and each has heard its Active
		b.Fatalf("r1 advertises %d of %d", spoken(tap, mark, "r1"), count)
	}
	mark = tap.Len()
	var off []string
	for i := range links {
		off = append(off, fmt.Sprintf("link set r1-%d nomaster", i))
	}
	l.Switch.IP(off...)
	a.Kill()
	if !lab.Until(30*time.Second, func() bool { return all(mark, "r2") }) {
		b.Fatalf("r2 advertises %d of %d", spoken(tap, mark, "r2"), count)
	}
	var latencies []time.Duration
	missing := 0
	if !lab.Until(5*time.Second, func() bool { latencies, missing = takeovers(tap.From(mark), "r2"); return missing == 0 }) {
		b.Fatalf("%d of %d not announced", missing, count)
	}
	slices.Sort(latencies)
	monitor := l.R2.Start("stdbuf", "-oL", "ip", "monitor", "link")
	if !lab.Until(5*time.Second, func() bool { // until it listens
		l.R2.IP("link add probe type bridge", "link del probe")
		return monitor.Said(0, "probe")
	}) {
		b.Fatal("ip monitor says nothing")
	}
	c.Terminate(30 * time.Second)
	gone := func() []lab.Line {
		return slices.DeleteFunc(slices.Clone(monitor.From(0)), func(l lab.Line) bool {
			return !strings.Contains(l.Text, "Deleted") || strings.Contains(l.Text, "probe")
		})
	}
	lab.Until(5*time.Second, func() bool { return len(gone()) >= count })
	if lines := gone(); len(lines) > 0 {
		deletion = lines[len(lines)-1].Time.Sub(lines[0].Time)
	}
	return latencies[len(latencies)/2], latencies[len(latencies)-1], deletion
}
