package parent

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestBrokerStandsAlone: a file that has methods of the broker, or of what it keeps, has none of
// the daemon's, and names none of the daemon's types: what the broker wants of the daemon is in
// the planner alone.
func TestBrokerStandsAlone(t *testing.T) {
	t.Parallel()
	brokers := map[string]bool{"broker": true, "page": true, "wire": true, "grant": true, "chores": true}
	daemons := map[string]bool{"daemon": true, "slot": true, "link": true, "plans": true}
	named := func(e ast.Expr, names map[string]bool) bool {
		star, is := e.(*ast.StarExpr)
		if is {
			e = star.X
		}
		name, is := e.(*ast.Ident)
		return is && names[name.Name]
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	stand := 0
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		broker := false
		for _, d := range file.Decls {
			method, is := d.(*ast.FuncDecl)
			broker = broker || is && method.Recv != nil && named(method.Recv.List[0].Type, brokers)
		}
		if !broker {
			continue
		}
		stand++
		ast.Inspect(file, func(n ast.Node) bool {
			star, is := n.(*ast.StarExpr)
			made, literal := n.(*ast.CompositeLit)
			if is && named(star, daemons) || literal && made.Type != nil && named(made.Type, daemons) {
				t.Errorf("%v: the broker knows a type of the daemon's", set.Position(n.Pos()))
			}
			return true
		})
	}
	if stand < 10 {
		t.Errorf("%d files of the broker's", stand)
	}
}
