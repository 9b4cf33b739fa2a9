//go:build lab

package lab_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestManyDevicesBeside: two hundred macvlans are made and removed, by a reload
// and because their interface is renamed, and the virtual router on another
// link advertises on. Not in parallel: gaps are measured to half an interval.
func TestManyDevicesBeside(t *testing.T) {
	const count = 200
	l := lab.New(t)
	l.MoreLinks(1)
	one := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}.Configuration("")
	both := one + scaled(1, count, high)
	a := startReloaded(t, l.R1, both)
	devices := func() (n int) {
		for name := range l.R1.Links() {
			if strings.HasPrefix(name, "v0-") {
				n++
			}
		}
		return n
	}
	awaitAll(t, a.Process, 0, "backup->active", count+1, 20*time.Second)
	for _, step := range []struct {
		name    string
		do      func()
		devices int
	}{
		{"removed", func() { a.reload(one, "configuration loaded") }, 0},
		{"made", func() { a.reload(both, "configuration loaded") }, count},
		{"interface renamed", func() { l.R1.IP("link set link0 down", "link set link0 name other") }, 0},
		{"and back", func() { l.R1.IP("link set other name link0", "link set link0 up") }, count},
	} {
		mark, said := l.Tap.Len(), a.Len()
		awaitAdverts(l, l.R1, lab.Router{Interval: interval3}, 3)
		began := time.Now()
		step.do()
		if !lab.Until(20*time.Second, func() bool { return devices() == step.devices }) {
			t.Fatalf("%s: %d devices, want %d", step.name, devices(), step.devices)
		}
		took := time.Since(began)
		if step.devices > 0 {
			awaitAll(t, a.Process, said, "backup->active", count, 20*time.Second)
		}
		awaitAdverts(l, l.R1, lab.Router{Interval: interval3}, 5)
		steady(t, l.Tap.From(mark), l.R1, 1)
		t.Logf("%s: %d devices after %v, longest gap %v", step.name, step.devices, took, longestGap(t, l.Tap.From(mark), l.R1))
	}
}
