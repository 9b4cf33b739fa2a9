package conformance

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestThreatsNamesTests: every test that docs/threats.md names exists, and
// every row that says what cannot be done names one, and a mechanism.
func TestThreatsNamesTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs/threats.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(source, -1) {
			there[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)
	for _, name := range named.FindAllString(string(text), -1) {
		if !there[name] {
			t.Errorf("docs/threats.md names %s, which is no test", name)
		}
	}
	claims, err := claims(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(claims) < 40 {
		t.Errorf("only %d claims are found", len(claims))
	}
	for _, c := range claims {
		if !named.MatchString(c.shownBy) {
			t.Errorf("no test shows it: %s", c)
		}
		if len(strings.Trim(c.mechanism, "- ")) == 0 {
			t.Errorf("no mechanism stops it: %s", c)
		}
	}
	// A "cannot" outside the tables would have neither.
	for _, p := range strings.Split(string(text), "\n\n") {
		if says := strings.Contains(p, "**cannot**"); says && !strings.HasSuffix(head(p), "**cannot**") {
			t.Errorf("a \"cannot\" without a table: %s", p)
		}
	}
}

// claim is a row of docs/threats.md that says what cannot be done or what a process
// may not do, how that is, and what shows it.
type claim struct{ what, mechanism, shownBy string }

func (c claim) String() string { return c.what + " | " + c.mechanism + " | " + c.shownBy }

// claims reads the tables: those whose last column is "shown by", of three columns,
// and those whose last is "may not", of four, which has mechanism and test in it. A
// row with another number of cells is an error, for it would be left out unseen.
func claims(text string) (all []claim, err error) {
	var header []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			header = nil
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case header == nil:
			header = cells
			continue
		case len(cells) != len(header):
			return nil, fmt.Errorf("%d cells below %d: %s", len(cells), len(header), line)
		case strings.Trim(line, "|-: ") == "":
			continue
		}
		switch last := len(cells) - 1; header[last] {
		case "shown by":
			all = append(all, claim{cells[0], cells[1], cells[last]})
		case "may not":
			all = append(all, claim{cells[0], cells[last], cells[last]})
		default:
			return nil, fmt.Errorf("a table that shows nothing: %s", strings.Join(header, " | "))
		}
	}
	return all, nil
}

// head is the text of a paragraph before its table.
func head(paragraph string) string {
	text, _, found := strings.Cut(paragraph, "\n|")
	if !found {
		return ""
	}
	return strings.TrimSpace(text)
}

// TestClaims: no row escapes, whatever its form.
func TestClaims(t *testing.T) {
	t.Parallel()
	const table = "It **cannot**\n| attempt | stopped by | shown by |\n|---|---|---|\n"
	for _, tt := range []struct {
		text string
		want []claim
		bad  bool
	}{
		{table + "| a | b | TestC |\n| d | - | - |\n", []claim{{"a", "b", "TestC"}, {"d", "-", "-"}}, false},
		{"| process | runs as | may | may not |\n|---|---|---|---|\n| a | b | c | d (TestE) |\n", []claim{{"a", "d (TestE)", "d (TestE)"}}, false},
		{table + "| a | b |\n", nil, true},
		{table + "| a | b | c | TestD |\n", nil, true},
		{"| a | b |\n|---|---|\n| c | d |\n", nil, true},
	} {
		if got, err := claims(tt.text); !slices.Equal(got, tt.want) || (err != nil) != tt.bad {
			t.Errorf("%q: %v, %v", tt.text, got, err)
		}
	}
}
