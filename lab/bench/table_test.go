package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// filled is a row with values.
func filled(limit wanted, ours, theirs []float64) *row {
	return &row{Name: "active/1x1s/cpu", Unit: "ms", Wanted: limit.String(), limit: limit, Values: map[subject][]float64{rvrrpd: ours, keepalived: theirs}}
}

func TestReached(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit        wanted
		ours, theirs []float64
		want         string
	}{
		{ratio(0.7), []float64{7}, []float64{10}, "yes"},
		{ratio(0.7), []float64{8}, []float64{10}, "no"},
		{atMost(9), []float64{9, 1, 20}, []float64{3}, "yes"},
		{atLeast(99), []float64{98.9}, []float64{90}, "no"},
		{wanted{}, []float64{1}, []float64{1}, ""},
		{ratio(1), nil, []float64{1}, ""},
		{ratio(1), []float64{1}, []float64{0}, ""},
	} {
		if got := filled(c.limit, c.ours, c.theirs).reached(); got != c.want {
			t.Errorf("%v, %v and %v: %q, want %q", c.limit, c.ours, c.theirs, got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	broken := filled(ratio(1), nil, nil)
	broken.Failed = "rvrrpd: does not | start\nsecond line"
	var b strings.Builder
	if err := writeTable(&b, []*row{filled(ratio(1), []float64{1, 2, 3}, []float64{4, 4}), broken}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines:\n%s", len(lines), b.String())
	}
	if want := []string{"active/1x1s/cpu", "ms", "2.00", "4.00", "", "0.500", "ratio <= 1", "yes", "2"}; !same(lines[2], want) {
		t.Errorf("%s, want %q", lines[2], want)
	}
	if !strings.Contains(lines[3], "| failed: rvrrpd: does not / start |") || strings.Count(lines[3], "|") != len(columns)+1 {
		t.Error(lines[3])
	}
}

// same compares the cells of a line.
func same(line string, want []string) bool {
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i, c := range cells {
		if len(cells) != len(want) || strings.TrimSpace(c) != want[i] {
			return false
		}
	}
	return true
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 1234.5: "1234", 12.34: "12.3", 1.234: "1.23", 0.1234: "0.123", 0.00012: "0.00012"} {
		if got := number(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

// TestValuesAreWritten: every single value is in the file.
func TestValuesAreWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := &report{Rows: []*row{filled(ratio(1.5), []float64{1.25, 2}, []float64{3})}}
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	table := filepath.Join(dir, "table.md")
	want, err := os.ReadFile(table)
	if err != nil || !strings.Contains(string(want), "| active/1x1s/cpu |") {
		t.Errorf("%s, %v", want, err)
	}
	if err := again(filepath.Join(dir, "results.json")); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(table)
	if err != nil || string(b) != string(want) {
		t.Errorf("written again:\n%s, %v", b, err)
	}
	b, err = json.Marshal(r)
	if err != nil || !strings.Contains(string(b), `"rvrrpd":[1.25,2]`) {
		t.Errorf("%s, %v", b, err)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	chosen, err := choose(false, `^flood/1k/cpu$`)
	if err != nil || len(chosen) != 1 || len(chosen[0].rows) != 1 {
		t.Errorf("%v, %v", chosen, err)
	}
	if _, err := choose(false, "("); err == nil {
		t.Error("no regular expression, and no error")
	}
	if _, err := choose(true, "nothing like this"); err == nil {
		t.Error("nothing to measure, and no error")
	}
}

func TestMissed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		row  *row
		want string
	}{
		{filled(ratio(0.5), []float64{4}, []float64{2}), "is 2.00 times keepalived's, wanted 0.5: 4.00 ms, not 1.00."},
		{filled(atMost(9), []float64{11.5}, []float64{2}), "is 11.5 ms, 2.50 more than wanted."},
		{filled(atLeast(99), []float64{90}, []float64{2}), "is 90.0 ms, 9.00 less than wanted."},
		{filled(atMost(9), []float64{9}, []float64{2}), "All is as wanted."},
	} {
		if got := missed([]*row{c.row}); !strings.Contains(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestRowsHaveNames: each has one of its own, in either kind of run.
func TestRowsHaveNames(t *testing.T) {
	t.Parallel()
	for _, quick := range []bool{false, true} {
		seen := map[string]bool{}
		for _, r := range rowsOf(experiments(quick)) {
			if seen[r.Name] || !regexp.MustCompile(`^[a-z0-9./-]+$`).MatchString(r.Name) {
				t.Errorf("row %q", r.Name)
			}
			seen[r.Name] = true
		}
	}
}

// TestCharts: they are well-formed, and show the values.
func TestCharts(t *testing.T) {
	t.Parallel()
	one, many := filled(ratio(1), []float64{2.5}, []float64{5}), filled(ratio(1), []float64{50}, []float64{20})
	one.Name, many.Name = "active/1x1s/memory", "growth/4000x1s/memory"
	one.Unit = "<MiB>"
	all := charts([]*row{one, many})
	for _, file := range []string{"memory.svg", "growth-memory.svg"} {
		svg := all[file]
		if err := wellFormed(svg); err != nil || svg == "" {
			t.Errorf("%s: %v\n%s", file, err, svg)
		}
	}
	if !strings.Contains(all["memory.svg"], ">2.50 &lt;MiB&gt;</text>") {
		t.Error(all["memory.svg"])
	}
	if !strings.Contains(all["growth-memory.svg"], "4000, 50.0") || strings.Contains(all["growth-memory.svg"], "NaN") {
		t.Error(all["growth-memory.svg"])
	}
}

// wellFormed reads XML to its end.
func wellFormed(text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
