package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc/report"
)

// wordsOf are the string literals of the programs' sources.
func wordsOf(t *testing.T, dirs ...string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if sum, is := n.(*ast.BinaryExpr); is {
					found[joined(sum)] = true
				}
				if lit, is := n.(*ast.BasicLit); is {
					if text, is := stringOf(lit); is {
						found[text] = true
					}
				}
				return true
			})
		}
	}
	return found
}

// joined is the string that literals make which stand in a sum.
func joined(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		return joined(e.X) + joined(e.Y)
	case *ast.BasicLit:
		text, _ := stringOf(e)
		return text
	}
	return ""
}

// named are the names that an attribute of the log can have.
func named() map[string]map[string]bool {
	reasons, drops, verdicts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for r := report.ReasonStartup; r <= report.ReasonLeaseLost; r++ {
		reasons[r.String()] = true
	}
	for d := report.DropIPHeader; d < report.NumDrops; d++ {
		drops[d.String()] = true
	}
	for v := report.VerdictNone; v <= report.VerdictLower; v++ {
		verdicts[v.String()] = true
	}
	notices := maps.Clone(drops)
	for n := report.NoticeInterval; n < report.NumNotices; n++ {
		notices[n.String()] = true
	}
	maps.Copy(reasons, notices)
	return map[string]map[string]bool{"reason": reasons, "drop": drops, "verdict": verdicts}
}

// logAttribute is an attribute of a line of the log.
var logAttribute = regexp.MustCompile(`(\S+?)=("(?:[^"\\]|\\.)*"|\S+)`)

// transition is the message of a change of state.
var transition = regexp.MustCompile(`^(initialize|backup|active)->(initialize|backup|active)$`)

// TestTroubleshooting: every line of the log that the page quotes is one that
// the programs write: its message, the names of its attributes, and reasons.
func TestTroubleshooting(t *testing.T) {
	t.Parallel()
	page := root + "/docs/troubleshooting.md"
	known, names, lines := wordsOf(t, "parent", "parent/frames", "parent/logger", "keeper", "keeper/logs", "keeper/routes", "cmd/rvrrpd-parent"), named(), 0
	var made []*regexp.Regexp // from parts
	for format := range wordsOf(t, "netproc") {
		if strings.Count(format, " ") > 3 && strings.Contains(format, "%") {
			made = append(made, regexp.MustCompile("^"+regexp.MustCompile("%[a-z]").ReplaceAllString(regexp.QuoteMeta(format), ".+")+"$"))
		}
	}
	for _, text := range blocks(t, page, "log") {
		for line := range strings.Lines(text) {
			lines++
			for _, m := range logAttribute.FindAllStringSubmatch(line, -1) {
				key, value := m[1], strings.Trim(m[2], `"`)
				switch {
				case key == "level":
				case key == "msg":
					if !known[value] && !transition.MatchString(value) {
						t.Errorf("%s: no line of the log is %q", page, value)
					}
				case !known[key]:
					t.Errorf("%s: no line of the log has %s: %s", page, key, line)
				case (key == "cause" || key == "because" || key == "hint") && !known[value] && !slices.ContainsFunc(made, func(r *regexp.Regexp) bool { return r.MatchString(value) }):
					t.Errorf("%s: %s=%q is not in the log", page, key, value)
				case names[key] != nil && !names[key][value]:
					t.Errorf("%s: %s=%s is not in the log", page, key, value)
				}
			}
		}
	}
	if lines < 30 {
		t.Errorf("%s: only %d lines of the log", page, lines)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| ((?:`[a-z-]+`(?:, )?)+) \\|").FindAllStringSubmatch(read(t, page), -1) {
		for _, name := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(m[1], -1) {
			if name[1] != "reason" && !names["drop"][name[1]] {
				t.Errorf("%s: %s is no reason to drop a packet", page, name[1])
			}
		}
	}
}

// TestDocumentLinks: every link of a document leads to a file that is there,
// and to a heading or an anchor in it.
func TestDocumentLinks(t *testing.T) {
	t.Parallel()
	var documents []string
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, found...)
	}
	links := 0
	for _, path := range documents {
		for _, m := range regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`).FindAllStringSubmatch(read(t, path), -1) {
			links++
			target := path
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(path), m[1])
			}
			if text := read(t, target); m[2] != "" && !anchors(text)[m[2]] {
				t.Errorf("%s: %s has no %s", path, target, m[2])
			}
		}
	}
	if links < 40 {
		t.Errorf("only %d links found", links)
	}
}

// anchors are the places in a document that a link can lead to.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`<a id="([^"]+)">`).FindAllStringSubmatch(text, -1) {
		found[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(plain, " ", "-")] = true
	}
	return found
}
