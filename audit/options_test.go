package audit

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

// TestOptions: the options of rvrrpd's command line are those that rvrrpd declares,
// with a value or without. The audit shares no code with it, so that nothing else
// holds the two together.
func TestOptions(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../cmd/rvrrpd/options.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var valued, bare []string
	pattern := ""
	ast.Inspect(file, func(n ast.Node) bool {
		call, is := n.(*ast.CallExpr)
		if !is {
			return true
		}
		if f, is := call.Fun.(*ast.SelectorExpr); is && f.Sel.Name == "MustCompile" {
			pattern, _ = strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
		}
		declares, is := call.Fun.(*ast.Ident)
		first := map[string]int{"number": 2, "text": 2, "truth": 1}
		if !is || first[declares.Name] == 0 {
			return true
		}
		for _, arg := range call.Args[first[declares.Name]:] {
			name, err := strconv.Unquote(arg.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			if declares.Name == "truth" {
				bare = append(bare, name)
			} else {
				valued = append(valued, name)
			}
		}
		return true
	})
	for _, tt := range []struct{ theirs, ours []string }{{valued, append([]string{"m", "mode"}, withValue...)}, {bare, slices.Clone(alone)}} {
		slices.Sort(tt.theirs)
		slices.Sort(tt.ours)
		if len(tt.theirs) == 0 || !slices.Equal(tt.theirs, tt.ours) {
			t.Errorf("rvrrpd has %q, the audit knows %q", tt.theirs, tt.ours)
		}
	}
	if pattern == "" || pattern != attached.String() {
		t.Errorf("attached values: rvrrpd's are %q, the audit's %q", pattern, attached)
	}
}
