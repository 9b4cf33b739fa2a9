package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const document = root + "/docs/conformance.md"

// row is a row of the document.
type row struct {
	line                             int
	id, clause, level, where, ok, no string
}

// exempt says that no test has to show the row; the document gives the reason.
func (r row) exempt() bool {
	return slices.ContainsFunc([]string{"Not applicable: ", "With a later release; ", "Deviation: "}, func(p string) bool {
		return strings.HasPrefix(r.where, p)
	})
}

// strict says that the row needs both tests.
func (r row) strict() bool {
	return slices.Contains([]string{"MUST", "MUST NOT", "rule", "step", "fact"}, r.level)
}

// readRows reads the tables of the document: six columns each.
func readRows(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for i, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| rule |") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 6 {
			t.Fatalf("%s:%d: %d columns, want 6", document, i+1, len(cells))
		}
		rows = append(rows, row{i + 1, cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]})
	}
	return rows
}

// TestEveryRule: each rule has one row, at its level, and no row is of no rule.
func TestEveryRule(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(rules), "\n") {
		id, level, _ := strings.Cut(line, ": ")
		if want[id] != "" {
			t.Errorf("rule %s is listed twice", id)
		}
		want[id] = level
	}
	seen := map[string]bool{}
	for _, r := range readRows(t) {
		level := r.level
		if r.exempt() {
			level += " exempt"
		}
		switch {
		case seen[r.id]:
			t.Errorf("%s:%d: a second row of %s", document, r.line, r.id)
		case want[r.id] == "":
			t.Errorf("%s:%d: %q is not in the list of rules", document, r.line, r.id)
		case want[r.id] != level:
			t.Errorf("%s:%d: %s is %q, says the list, not %q", document, r.line, r.id, want[r.id], level)
		}
		seen[r.id] = true
	}
	for id := range want {
		if !seen[id] {
			t.Errorf("%s: no row of %s", document, id)
		}
	}
}

var (
	code  = regexp.MustCompile("`([^`]*)`")
	alike = regexp.MustCompile(`^as ([A-Za-z0-9.-]+(?:, [A-Za-z0-9.-]+)*)$`)
	words = regexp.MustCompile(`(?i)\bopen\b|\bpending\b|\btodo\b|\btbd\b|\?\?`)
)

// TestRows: what a row names is in the source, and a strict one has both tests.
func TestRows(t *testing.T) {
	t.Parallel()
	c := checker{sources: mustReadSource(t), rows: map[string]row{}}
	rows := readRows(t)
	for _, r := range rows {
		c.rows[r.id] = r
	}
	for _, r := range rows {
		for _, err := range c.check(r) {
			t.Errorf("%s:%d: %s: %v", document, r.line, r.id, err)
		}
	}
}

// checker holds rows against the source and against each other.
type checker struct {
	sources
	rows map[string]row
}

func (c checker) check(r row) (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.clause == "" || words.MatchString(r.clause+r.where+r.ok+r.no) {
		bad("says too little, or that it is unfinished")
	}
	declared := code.FindAllStringSubmatch(r.where, -1)
	for _, m := range declared {
		if !c.declared[m[1]] {
			bad("no %s in the source", m[1])
		}
	}
	if r.exempt() {
		if r.ok != "" || r.no != "" {
			bad("is exempt, and yet has tests")
		}
		return errs
	}
	if len(declared) == 0 {
		bad("names no function")
	}
	for i, cell := range []string{r.ok, r.no} {
		if cell == "" && i == 1 && !r.strict() {
			continue
		}
		if err := c.checkTests(cell, func(r row) string { return []string{r.ok, r.no}[i] }); err != nil {
			bad("column %d: %w", i+5, err)
		}
	}
	if r.strict() && r.ok == r.no && !alike.MatchString(r.ok) {
		bad("one test stands for both")
	}
	return errs
}

// checkTests checks a cell: tests, or "as R2, R7", whose own cells, as same
// returns them, name tests themselves.
func (c checker) checkTests(cell string, same func(row) string) error {
	if m := alike.FindStringSubmatch(cell); m != nil {
		for _, id := range strings.Split(m[1], ", ") {
			r, there := c.rows[id]
			if !there || r.exempt() {
				return fmt.Errorf("no rule %s with tests", id)
			}
			if alike.MatchString(same(r)) {
				return fmt.Errorf("%s itself refers to another", id)
			}
			if same(r) == "" {
				return fmt.Errorf("%s has no test", id)
			}
		}
		return nil
	}
	named := code.FindAllStringSubmatch(cell, -1)
	if rest := strings.TrimSpace(code.ReplaceAllString(cell, "")); rest != "" || len(named) == 0 {
		return fmt.Errorf("%q is no list of tests", cell)
	}
	for _, m := range named {
		if err := c.hasTest(m[1]); err != nil {
			return err
		}
	}
	return nil
}

// hasTest looks for a test: "engine TestMatrix", with a subtest "netproc
// TestDrops/TTL 254", or with a place in a script, which is a part of one of
// its comments: "engine TestScripts/rfc3768_6.4.2_backup: Priority 0".
func (s sources) hasTest(name string) error {
	function, sub, _ := strings.Cut(name, "/")
	if dir, rest, _ := strings.Cut(name, " "); strings.Contains(dir, "/") {
		function, sub, _ = strings.Cut(rest, "/") // the slash is the package's
		function = dir + " " + function
	}
	f, there := s.tests[function]
	switch {
	case !there:
		return fmt.Errorf("no test %s", function)
	case sub == "" || f.joined(sub):
		return nil
	}
	script, place, _ := strings.Cut(sub, ": ")
	text, err := os.ReadFile(filepath.Join(filepath.Dir(f.file), "testdata", script+".txt"))
	if err != nil || !f.strings["testdata/*.txt"] {
		return fmt.Errorf("no subtest %q of %s", sub, function)
	}
	var comments []string
	for line := range strings.Lines(string(text)) {
		if comment, is := strings.CutPrefix(line, "#"); is {
			comments = append(comments, strings.TrimSpace(comment))
		}
	}
	if !strings.Contains(strings.Join(comments, " "), place) {
		return fmt.Errorf("no %q in a comment of %s.txt", place, script)
	}
	return nil
}

// joined says whether a name is a string of the test, or one with an ending.
func (f testFunction) joined(name string) bool {
	if f.strings[name] {
		return true
	}
	for i := range len(name) {
		if f.strings[name[:i]] && f.endings[name[i:]] {
			return true
		}
	}
	return false
}

// TestNothingIsLeftOut: each script and each reason stands for a rule.
func TestNothingIsLeftOut(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob(root + "/engine/testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("engine/testdata: no scripts: %v", err)
	}
	for _, path := range scripts {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		if !regexp.MustCompile("TestScripts/" + regexp.QuoteMeta(name) + "[:`]").Match(text) {
			t.Errorf("%s: no row refers to %s", document, path)
		}
	}
	for _, name := range mustReadSource(t).constants {
		if !strings.HasPrefix(name, "Drop") && !strings.HasPrefix(name, "Notice") {
			continue
		}
		if !strings.Contains(string(text), "`ipc/report."+name+"`") {
			t.Errorf("%s: no row refers to ipc/report.%s", document, name)
		}
	}
}

// TestHasTest: the check itself finds what is missing.
func TestHasTest(t *testing.T) {
	t.Parallel()
	s := mustReadSource(t)
	for name, want := range map[string]bool{
		"conformance TestHasTest":                    true,
		"conformance TestHas":                        false,
		"conformance readSource":                     false,
		"engine TestHasTest":                         false,
		"netproc TestTimeout/takeover, far":          true,
		"netproc TestTimeout/takeover, further":      false,
		"netproc TestDrops/TTL 254":                  true,
		"netproc TestAccepted/TTL 254":               false, // a case of TestDrops, in the same file
		"netproc TestDrops/unicast, IPv6":            true,
		"netproc TestDrops/unicastunicast":           false,
		"netproc TestAccepted/unicast, IPv6":         false,
		"lab TestAlteredLink/MTU":                    true, // in a table of its file
		"lab TestOverrunWhileAway/MTU":               false,
		"netproc/wire TestAppend":                    true,
		"netproc/wire TestAppend/no such":            false,
		"engine TestScripts/schedule":                true,
		"engine TestScripts/schedule: the grid":      true,
		"engine TestScripts/schedule: run for cover": false,
		"engine TestScripts/no such":                 false,
		"engine TestMatrix/schedule":                 false,
	} {
		if err := s.hasTest(name); (err == nil) != want {
			t.Errorf("%s: %v, want found %v", name, err, want)
		}
	}
	if s.declared["engine.NoSuch"] || !s.declared["engine.(*VirtualRouter).Step"] || !s.declared["ipc/report.DropTTL"] || !s.declared["ipc/report.Drop.String"] {
		t.Error("the list of declarations is wrong")
	}
}
