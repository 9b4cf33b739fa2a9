package main

import (
	"math"
	"slices"
	"time"
)

// median is the middle of the values, or the mean of the two in the middle;
// not a number without any.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	switch n := len(v); {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return v[n/2]
	default:
		return (v[n/2-1] + v[n/2]) / 2
	}
}

// quantile is the smallest value that a share of all does not exceed.
func quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	i := int(math.Ceil(share*float64(len(sorted)))) - 1
	return sorted[max(0, min(i, len(sorted)-1))]
}

// milliseconds is a time as the tables have it.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
