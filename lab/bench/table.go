package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// String is the wanted column.
func (w wanted) String() string {
	switch {
	case w.ratio != nil:
		return fmt.Sprintf("ratio <= %v", *w.ratio)
	case w.most != nil:
		return fmt.Sprintf("<= %v", *w.most)
	case w.least != nil:
		return fmt.Sprintf(">= %v", *w.least)
	}
	return ""
}

// ratio is what part of keepalived's median rvrrpd's is; not a number where
// that means nothing.
func (r *row) ratio() float64 {
	theirs := median(r.Values[keepalived])
	if theirs == 0 {
		return math.NaN()
	}
	return median(r.Values[rvrrpd]) / theirs
}

// reached is "yes", "no", or "" where nothing is wanted or known.
func (r *row) reached() string {
	value, met := median(r.Values[rvrrpd]), false
	switch {
	case r.limit.ratio != nil:
		value = r.ratio()
		met = value <= *r.limit.ratio
	case r.limit.most != nil:
		met = value <= *r.limit.most
	case r.limit.least != nil:
		met = value >= *r.limit.least
	default:
		return ""
	}
	if math.IsNaN(value) {
		return ""
	}
	if met {
		return "yes"
	}
	return "no"
}

// runs is how many values there are of whoever has fewest.
func (r *row) runs() int {
	return min(len(r.Values[rvrrpd]), len(r.Values[keepalived]))
}

// number writes three significant digits.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "-"
	case a == 0:
		return "0"
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a >= 0.0005:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// columns are the heads of the table.
var columns = []string{"row", "unit", "rvrrpd", "keepalived", "floor", "ratio", "wanted", "reached", "runs"}

// cells are a row's.
func (r *row) cells() []string {
	if r.Failed != "" {
		return []string{r.Name, r.Unit, "failed: " + strings.ReplaceAll(firstLine(r.Failed), "|", "/"), "", "", "", r.Wanted, "", strconv.Itoa(r.runs())}
	}
	least := ""
	if v := r.Values[floor]; len(v) > 0 {
		least = number(median(v))
	}
	return []string{r.Name, r.Unit, number(median(r.Values[rvrrpd])), number(median(r.Values[keepalived])), least,
		number(r.ratio()), r.Wanted, r.reached(), strconv.Itoa(r.runs())}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// writeTable writes rows in Markdown that can be read as it is, too.
func writeTable(w io.Writer, rows []*row) error {
	all := [][]string{columns}
	for _, r := range rows {
		all = append(all, r.cells())
	}
	widths := make([]int, len(columns))
	for _, cells := range all {
		for i, c := range cells {
			if !strings.HasPrefix(c, "failed: ") {
				widths[i] = max(widths[i], len(c))
			}
		}
	}
	var b strings.Builder
	for n, cells := range all {
		for i, c := range cells {
			fmt.Fprintf(&b, "| %-*s ", widths[i], c)
		}
		b.WriteString("|\n")
		if n == 0 {
			for _, width := range widths {
				b.WriteString("|" + strings.Repeat("-", width+2))
			}
			b.WriteString("|\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
