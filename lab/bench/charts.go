package main

import (
	"regexp"
	"slices"
	"strconv"
)

// barCharts are the charts of bars: the rows of each, by their names.
var barCharts = []struct{ file, title, rows string }{
	{"cpu.svg", "processor time for 1000 advertisements", `^(active|backup)/.*/cpu$`},
	{"memory.svg", "memory of all processes", `^active/.*/memory$`},
	{"period.svg", "deviation of the period, 99.9 %", `^active/.*/(period|hogs)/p99\.9$`},
	{"takeover.svg", "takeover, after the last deadline", `^takeover/.*/(advert|arp|last)$`},
	{"flood.svg", "a flood of bogus packets", `^flood/.*/(cpu|roles|missed)$`},
}

// growthName is that of a row about so many routers at a second.
var growthName = regexp.MustCompile(`^(?:active|growth)/(\d+)x1s/(cpu-per-router|memory)$`)

// charts are the pictures of the rows, by their files.
func charts(rows []*row) map[string]string {
	all := make(map[string]string)
	for _, c := range barCharts {
		names, chosen := regexp.MustCompile(c.rows), []*row(nil)
		for _, r := range rows {
			if names.MatchString(r.Name) && r.Failed == "" {
				chosen = append(chosen, r)
			}
		}
		if len(chosen) > 0 {
			all[c.file] = bars(c.title, chosen)
		}
	}
	for what, c := range map[string]struct{ file, title, unit string }{
		"cpu-per-router": {"growth-cpu.svg", "processor time of one virtual router at 1 s", "us a second"},
		"memory":         {"growth-memory.svg", "memory of all processes, virtual routers at 1 s", "MiB"},
	} {
		if points := growth(rows, what); len(points[rvrrpd]) > 1 {
			all[c.file] = curves(c.title, "virtual routers", c.unit, points)
		}
	}
	return all
}

// growth is what rows say of numbers of routers, by the number.
func growth(rows []*row, what string) map[subject][]point {
	all := make(map[subject][]point)
	for _, r := range rows {
		m := growthName.FindStringSubmatch(r.Name)
		if m == nil || m[2] != what || r.Failed != "" {
			continue
		}
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			continue
		}
		for s, values := range r.Values {
			if len(values) > 0 {
				all[s] = append(all[s], point{n, median(values)})
			}
		}
	}
	for _, points := range all {
		slices.SortFunc(points, func(a, b point) int { return int(a.x - b.x) })
	}
	return all
}
