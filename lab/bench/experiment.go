package main

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/lab"
)

// wanted is what a row is held against. Nothing fails by it: the table shows it
// beside what is.
type wanted struct {
	// ratio is the most that rvrrpd may need of what keepalived needs; most and
	// least are for rvrrpd's own value. At most one is set.
	ratio, most, least *float64
}

func ratio(v float64) wanted   { return wanted{ratio: &v} }
func atMost(v float64) wanted  { return wanted{most: &v} }
func atLeast(v float64) wanted { return wanted{least: &v} }

// row is a line of the table.
type row struct {
	Name   string                `json:"name"`
	Unit   string                `json:"unit"`
	Wanted string                `json:"wanted,omitempty"`
	Values map[subject][]float64 `json:"values"`
	Failed string                `json:"failed,omitempty"`
	limit  wanted
}

// metric is a row of an experiment, before it has values.
type metric struct {
	name, unit string
	limit      wanted
}

// experiment measures each subject by turns, and fills its rows.
type experiment struct {
	name     string
	runs     int
	subjects []subject
	rows     []*row
	measure  func(*trial)
}

// newExperiment makes the rows; its name comes before theirs.
func newExperiment(name string, runs int, measure func(*trial), metrics ...metric) *experiment {
	e := &experiment{name: name, runs: runs, subjects: []subject{rvrrpd, keepalived}, measure: measure}
	for _, m := range metrics {
		e.rows = append(e.rows, &row{Name: name + "/" + m.name, Unit: m.unit, Wanted: m.limit.String(), Values: map[subject][]float64{}, limit: m.limit})
	}
	return e
}

// with adds a subject.
func (e *experiment) with(s subject) *experiment {
	e.subjects = append(e.subjects, s)
	return e
}

// choose leaves the rows that match, and says whether there are any.
func (e *experiment) choose(names *regexp.Regexp) bool {
	var rows []*row
	for _, r := range e.rows {
		if names.MatchString(r.Name) {
			rows = append(rows, r)
		}
	}
	e.rows = rows
	return len(rows) > 0
}

// trial is one measurement of one subject.
type trial struct {
	*lab.Stage
	*experiment
	who subject
}

// wants says whether a row whose name begins so is to be measured.
func (t *trial) wants(prefix string) bool {
	for _, r := range t.rows {
		if strings.HasPrefix(r.Name, t.name+"/"+prefix) {
			return true
		}
	}
	return false
}

// note enters a value into a row, if it was chosen.
func (t *trial) note(metric string, value float64) {
	for _, r := range t.rows {
		if r.Name == t.name+"/"+metric && !math.IsNaN(value) && !math.IsInf(value, 0) {
			r.Values[t.who] = append(r.Values[t.who], value)
		}
	}
}

// Implementation constants.
const (
	// settle is how long everything rests before a window: keepalived announces
	// all addresses once more five seconds after it has become Active.
	settle = 6 * time.Second
	// between two measurements the kernel removes what the first has left.
	rest = time.Second
)

// run measures all subjects by turns; the first failure ends it.
func (e *experiment) run(say func(format string, args ...any), current func(*lab.Stage)) {
	for i := range e.runs {
		for _, who := range e.subjects {
			hold()
			began := time.Now()
			if why := e.try(who, current); why != "" {
				say("%s: %s: %s", e.name, who, why)
				for _, r := range e.rows {
					r.Failed = fmt.Sprintf("%s: %s", who, strings.TrimSpace(why))
				}
				return
			}
			say("%s: %s, %d of %d: %.0f s", e.name, who, i+1, e.runs, time.Since(began).Seconds())
			time.Sleep(rest)
		}
	}
	e.complete()
}

// hold waits while the file is there whose name HOLD has: so others that measure on the
// same machine take turns with us.
func hold() {
	for file := os.Getenv("HOLD"); file != ""; time.Sleep(time.Second) {
		if _, err := os.Stat(file); err != nil {
			return
		}
	}
}

// complete tells of rows that nobody has filled.
func (e *experiment) complete() {
	for _, r := range e.rows {
		for _, who := range []subject{rvrrpd, keepalived} {
			if len(r.Values[who]) == 0 {
				r.Failed = fmt.Sprintf("no value of %s", who)
			}
		}
	}
}

// try measures one subject once, and says why it did not succeed.
func (e *experiment) try(who subject, current func(*lab.Stage)) (why string) {
	s := lab.NewStage("bench")
	current(s)
	defer func() {
		r := recover()
		s.Clean()
		if _, ours := r.(lab.Stopped); r != nil && !ours {
			panic(r)
		}
		if failures := s.Failures(); len(failures) > 0 {
			why = failures[0]
		}
	}()
	e.measure(&trial{Stage: s, experiment: e, who: who})
	return ""
}
