//go:build lab

package lab_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestManyDevicesBeside: two hundred macvlans on four links are made and removed,
// by a reload and because their interfaces are renamed, and the virtual router on
// another link advertises on. Not in parallel: gaps are measured to half an interval.
func TestManyDevicesBeside(t *testing.T) {
	const links, count = 4, 200
	l := lab.New(t)
	l.MoreLinks(links)
	one := lab.Router{Kind: lab.Rvrrpd, Version: 3, Interval: interval3, Priority: high}.Configuration("")
	both := one + scaled(links, count/links, high)
	a := startReloaded(t, l.R1, both)
	devices := func() (n int) {
		for name := range l.R1.Links() {
			if strings.HasPrefix(name, "v") && strings.Contains(name, "-") {
				n++
			}
		}
		return n
	}
	rename := func(from, to string, up ...string) (commands []string) {
		for i := range links {
			if len(up) == 0 {
				commands = append(commands, fmt.Sprintf("link set %s%d down", from, i))
			}
			commands = append(commands, fmt.Sprintf("link set %s%d name %s%d", from, i, to, i))
			for _, u := range up {
				commands = append(commands, fmt.Sprintf("link set %s%d %s", to, i, u))
			}
		}
		return commands
	}
	awaitAll(t, a.Process, 0, "backup->active", count+1, 20*time.Second)
	for _, step := range []struct {
		name    string
		do      func()
		devices int
	}{
		{"removed", func() { a.reload(one, "configuration loaded") }, 0},
		{"made", func() { a.reload(both, "configuration loaded") }, count},
		{"interfaces renamed", func() { l.R1.IP(rename("link", "other")...) }, 0},
		{"and back", func() { l.R1.IP(rename("other", "link", "up")...) }, count},
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
		t.Logf("%s: %d devices after %v, longest gap %v", step.name, step.devices, took, gapsUpTo(t, l.Tap.From(mark), l.R1, interval3*3/2))
	}
}
