package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// TestConfigurations: both have each virtual router, with the same address.
func TestConfigurations(t *testing.T) {
	t.Parallel()
	v := virtualRouters{links: []link{{"link0", "10.100.1."}, {"link1", "10.101.1."}}, count: 3, first: 1, interval: 100 * time.Millisecond, priority: high}
	for name, text := range map[string]string{"rvrrpd": v.rvrrpd("/run/x"), "keepalived": v.keepalived()} {
		for _, address := range []string{"10.100.1.1/32", "10.100.1.3/32", "10.101.1.2/32"} {
			if strings.Count(text, address) != 1 {
				t.Errorf("%s: %s is not there once:\n%s", name, address, text)
			}
		}
		if strings.Count(text, "0.1") < v.total() {
			t.Errorf("%s: no interval:\n%s", name, text)
		}
	}
	v.ipv6 = true
	for name, text := range map[string]string{"rvrrpd": v.rvrrpd("/run/x"), "keepalived": v.keepalived()} {
		if !strings.Contains(text, "fe80::9:2/64") || !strings.Contains(text, "2001:db8:9::2/64") {
			t.Errorf("%s: no IPv6:\n%s", name, text)
		}
	}
	if got := v.activeDown(); got != 300*time.Millisecond+100*time.Millisecond*56/256 {
		t.Errorf("Active_Down_Interval %v", got)
	}
}

// TestFrames: what is written for the sender is what it reads.
func TestFrames(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/frames"
	if err := writeFrames(file, [][]byte{sample.good(), {1, 2, 3}}); err != nil {
		t.Fatal(err)
	}
	messages, err := readFrames(file)
	if err != nil || len(messages) != 2 || messages[1].header.Iov.Len != 3 {
		t.Errorf("%v, %v", messages, err)
	}
	if err := writeFrames(file, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := readFrames(file); err == nil {
		t.Error("no frames, and no error")
	}
}

// TestFailureEndsOneExperiment: its rows say why, and what was to be undone is.
func TestFailureEndsOneExperiment(t *testing.T) {
	t.Parallel()
	undone := 0
	e := newExperiment("x", 1, func(t *trial) {
		t.Cleanup(func() { undone++ })
		t.note("a", 1)
		t.Fatalf("no %s today", t.who)
	}, metric{"a", ms, wanted{}}, metric{"b", ms, wanted{}})
	e.run(func(string, ...any) {}, func(*lab.Stage) {})
	if undone != 1 || e.rows[1].Failed != "rvrrpd: no rvrrpd today" {
		t.Errorf("undone %d times; failed: %q", undone, e.rows[1].Failed)
	}
}

// TestTurns: subjects are measured by turns, and a value that is missing is told.
func TestTurns(t *testing.T) {
	t.Parallel()
	var order []subject
	e := newExperiment("x", 2, func(t *trial) {
		order = append(order, t.who)
		t.note("a", 1)
		if t.who == rvrrpd {
			t.note("b", 1)
		}
	}, metric{"a", ms, wanted{}}, metric{"b", ms, wanted{}})
	e.run(func(string, ...any) {}, func(*lab.Stage) {})
	if !slices.Equal(order, []subject{rvrrpd, keepalived, rvrrpd, keepalived}) {
		t.Errorf("order %v", order)
	}
	if e.rows[0].Failed != "" || e.rows[0].runs() != 2 || e.rows[1].Failed != "no value of keepalived" {
		t.Errorf("%+v, %+v", e.rows[0], e.rows[1])
	}
}
