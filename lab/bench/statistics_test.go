package main

import (
	"math"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v: %v, want %v", c.values, got, c.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("nothing has a median")
	}
}

// TestMedianLeavesTheOrder: values are written down in the order of the runs.
func TestMedianLeavesTheOrder(t *testing.T) {
	t.Parallel()
	values := []float64{3, 1, 2}
	median(values)
	if values[0] != 3 {
		t.Errorf("sorted: %v", values)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	var hundred []float64
	for i := range 1000 {
		hundred = append(hundred, float64(i+1))
	}
	for share, want := range map[float64]float64{0: 1, 0.5: 500, 0.99: 990, 0.999: 999, 1: 1000} {
		if got := quantile(hundred, share); got != want {
			t.Errorf("%v: %v, want %v", share, got, want)
		}
	}
	if !math.IsNaN(quantile(nil, 0.5)) {
		t.Error("nothing has a quantile")
	}
}

func TestProcessFiles(t *testing.T) {
	t.Parallel()
	if got := onProcessor("804044 214795 8\n"); got != 804044*time.Nanosecond {
		t.Errorf("schedstat: %v", got)
	}
	if got := onProcessor(""); got != 0 {
		t.Errorf("schedstat of a thread that is gone: %v", got)
	}
	if got := proportional("00400000-7ff ---p 00000000 00:00 0 [rollup]\nRss:    5000 kB\nPss:    1234 kB\nPss_Dirty: 7 kB\n"); got != 1234 {
		t.Errorf("smaps_rollup: %d", got)
	}
	stat := "7 (a b) c) S 1 7 7 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 1 0 9"
	if got := ended(stat); got != 770*time.Millisecond {
		t.Errorf("stat: %v", got)
	}
	dev := "Inter-| Receive\n face |bytes packets\n    lo: 10 1 0\n  r1-0: 900 42 0 0\n"
	if got := receivedPackets(dev, "r1-0"); got != 42 {
		t.Errorf("net/dev: %d", got)
	}
}
