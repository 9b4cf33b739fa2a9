package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/ipc/report"
)

const manual = root + "/docs/man/rvrrpd.8"

func readManual(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section is the part of the page below a heading, up to the next one.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s: no %s", manual, heading)
	}
	end := regexp.MustCompile(`(?m)^\.S[hs] `).FindStringIndex(rest)
	if end == nil {
		return rest
	}
	return rest[:end[0]]
}

// usageOptions are the options of the usage text, without their first dash.
func usageOptions(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), root+"/cmd/rvrrpd/options.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	usage := ""
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && spec.Names[0].Name == "usage" && len(spec.Values) == 1 {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
				usage, _ = strconv.Unquote(lit.Value)
			}
		}
		return true
	})
	want := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)[ ,\[]-(-?[a-z][a-z-]*)`).FindAllStringSubmatch(usage, -1) {
		want[m[1]] = true
	}
	if len(want) < 9 {
		t.Fatalf("usage of cmd/rvrrpd: only the options %v", want)
	}
	return want
}

// TestCompletion: the shell completes every option of the usage text and no
// other.
func TestCompletion(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(root + "/packaging/completion/rvrrpd.bash")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	_, list, _ := strings.Cut(string(text), `local options="`)
	list, _, _ = strings.Cut(list, `"`)
	for _, o := range strings.Fields(list) {
		got[strings.TrimPrefix(o, "-")] = true
	}
	if diff := cmp.Diff(usageOptions(t), got); diff != "" {
		t.Errorf("options (-usage +completion):\n%s", diff)
	}
}

// TestManualOptions: the page has every option of the usage text, and none
// that is not in it.
func TestManualOptions(t *testing.T) {
	t.Parallel()
	want, got := usageOptions(t), map[string]bool{}
	description := section(t, readManual(t), ".Sh DESCRIPTION")
	for _, m := range regexp.MustCompile(`(?m)^\.It (Fl .*)$`).FindAllStringSubmatch(description, -1) {
		for _, f := range regexp.MustCompile(`Fl (\S+)`).FindAllStringSubmatch(m[1], -1) {
			got[f[1]] = true
		}
	}
	for o := range want {
		if !got[o] {
			t.Errorf("%s: does not explain -%s", manual, o)
		}
	}
	for o := range got {
		if !want[o] {
			t.Errorf("%s: -%s is no option", manual, o)
		}
	}
}

// TestManualNames: every name that stands in the log has an entry of its own.
func TestManualNames(t *testing.T) {
	t.Parallel()
	page := readManual(t)
	explained := func(heading string, count int, name func(i uint8) string) {
		text := section(t, page, heading)
		for i := 1; i < count; i++ {
			if n := name(uint8(i)); !strings.Contains(text, "\n.It Li "+n+"\n") {
				t.Errorf("%s: %s: no %s", manual, heading, n)
			}
		}
		if n := strings.Count(text, "\n.It Li "); n != count-1 {
			t.Errorf("%s: %s: %d entries, want %d", manual, heading, n, count-1)
		}
	}
	explained(".Ss Packets dropped", int(report.NumDrops), func(i uint8) string { return report.Drop(i).String() })
	explained(".Ss Notices", int(report.NumNotices), func(i uint8) string { return report.Notice(i).String() })
	explained(".Ss States", int(report.ReasonLeaseLost)+1, func(i uint8) string { return report.Reason(i).String() })
}

// TestManualMessages: every line that the daemon logs is explained, by its
// words up to a colon, and no other.
func TestManualMessages(t *testing.T) {
	t.Parallel()
	page := readManual(t)
	diagnostics := page[strings.Index(page, ".Sh DIAGNOSTICS"):]
	found := map[string]bool{}
	for _, dir := range []string{"parent", "parent/frames", "parent/logger", "keeper", "keeper/logs", "keeper/routes", "cmd/rvrrpd-parent"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			for _, message := range logged(t, path) {
				words, _, _ := strings.Cut(message, ":")
				found[words] = true
				if !strings.Contains(diagnostics, "\n.It Sy "+words+"\n") && !strings.Contains(diagnostics, "\n.Ql "+words+"\n") {
					t.Errorf("%s: %q of %s is not explained", manual, words, path)
				}
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\.It Sy (.*)$`).FindAllStringSubmatch(diagnostics, -1) {
		if !found[m[1]] {
			t.Errorf("%s: explains %q, which is not logged", manual, m[1])
		}
	}
}

// logged returns the constant messages of a file's log calls.
func logged(t *testing.T, path string) (messages []string) {
	t.Helper()
	if strings.HasSuffix(path, "_test.go") {
		return nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		logger := ""
		switch x := sel.X.(type) {
		case *ast.Ident:
			logger = x.Name
		case *ast.SelectorExpr:
			logger = x.Sel.Name
		}
		message := call.Args[0]
		if sel.Sel.Name == "Log" && len(call.Args) > 2 { // context, level, message
			message = call.Args[2]
		}
		if strings.HasSuffix(sel.Sel.Name, "Context") && len(call.Args) > 1 { // context, message
			message = call.Args[1]
		}
		lit, ok := message.(*ast.BasicLit)
		if logger == "log" && ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				messages = append(messages, text)
			}
		}
		return true
	})
	return messages
}
