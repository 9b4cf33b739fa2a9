package cmd_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checked is a package with the types of its expressions.
type checked struct {
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
	pkg   *types.Package
	// hands are the methods whose last arguments become attributes of a line.
	hands map[*types.Func]bool
}

// check finds the types of a package's expressions. What it imports comes from
// the compiler.
func check(t *testing.T, dir string) checked {
	t.Helper()
	exports := map[string]string{}
	for _, line := range list(t, "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", "./"+dir) {
		path, file, _ := strings.Cut(line, "=")
		exports[path] = file
	}
	c := checked{fset: token.NewFileSet(), info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Selections: map[*ast.SelectorExpr]*types.Selection{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}, hands: map[*types.Func]bool{}}
	for _, name := range list(t, "-f", `{{join .GoFiles "\n"}}`, "./"+dir) {
		f, err := parser.ParseFile(c.fset, filepath.Join("..", dir, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		c.files = append(c.files, f)
	}
	lookup := func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("%s: no export data", path)
		}
		return os.Open(exports[path])
	}
	config := types.Config{Importer: importer.ForCompiler(c.fset, "gc", lookup)}
	var err error
	if c.pkg, err = config.Check(module+dir, c.fset, c.files, c.info); err != nil {
		t.Fatal(err)
	}
	return c
}

// logCall says how many arguments of a call of a method of slog, or of one of
// ours that hands its last arguments on to it, stand before the attributes, -1
// for another call.
func (c checked) logCall(call *ast.CallExpr) int {
	selector, is := call.Fun.(*ast.SelectorExpr)
	if !is || c.info.Selections[selector] == nil {
		return -1
	}
	method, is := c.info.Selections[selector].Obj().(*types.Func)
	if is && method.Name() == "AddAttrs" { // moves what was logged
		return -1
	}
	if !is || method.Pkg() == nil || method.Pkg().Path() != "log/slog" && !c.hands[method] {
		return -1
	}
	signature := method.Signature()
	if !signature.Variadic() {
		return -1
	}
	return signature.Params().Len() - 1
}

// attributes lists what is logged with a call: keys and values in turn; of a
// list that is built in the same function, what goes into it.
func (c checked) attributes(in *ast.FuncDecl, call *ast.CallExpr, from int) (values []ast.Expr) {
	args := call.Args[from:]
	if !call.Ellipsis.IsValid() {
		return args
	}
	if made, is := args[0].(*ast.CallExpr); is {
		return c.returned(made)
	}
	name, is := args[0].(*ast.Ident)
	if !is {
		return args
	}
	ast.Inspect(in, func(n ast.Node) bool {
		assign, is := n.(*ast.AssignStmt)
		if !is || len(assign.Lhs) != 1 || len(assign.Rhs) != 1 {
			return true
		}
		if left, is := assign.Lhs[0].(*ast.Ident); !is || left.Name != name.Name {
			return true
		}
		switch right := assign.Rhs[0].(type) {
		case *ast.CompositeLit:
			values = append(values, right.Elts...)
		case *ast.CallExpr: // append
			if right.Ellipsis.IsValid() { // of the function's own arguments: its callers' values
				c.hands[c.info.Defs[in.Name].(*types.Func)] = true
				return true
			}
			values = append(values, right.Args[1:]...)
		}
		return true
	})
	return values
}

// leadsPast says whether a call gives a logger attributes or groups of its own.
func (c checked) leadsPast(call *ast.CallExpr) bool {
	selector, is := call.Fun.(*ast.SelectorExpr)
	if !is || c.info.Selections[selector] == nil {
		return false
	}
	return strings.HasSuffix(c.info.Selections[selector].Recv().String(), "log/slog.Logger") && strings.HasPrefix(selector.Sel.Name, "With")
}

// returned lists what stands in the lists that a function of ours returns.
func (c checked) returned(call *ast.CallExpr) (values []ast.Expr) {
	name, is := call.Fun.(*ast.Ident)
	if !is {
		return nil
	}
	for _, f := range c.files {
		for _, d := range f.Decls {
			function, is := d.(*ast.FuncDecl)
			if !is || c.info.Defs[function.Name] != c.info.Uses[name] {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				if list, is := n.(*ast.CompositeLit); is {
					values = append(values, list.Elts...)
				}
				return true
			})
		}
	}
	return values
}

// printer says whether values of a type print in text and in JSON alike, by
// the handlers of slog and what cmd/rvrrpd puts in front of them.
type printer struct{ interfaces []*types.Interface }

func newPrinter(t *testing.T) printer {
	t.Helper()
	const text = `package p
type stringer interface { String() string }
type text interface { MarshalText() ([]byte, error) }
type json interface { MarshalJSON() ([]byte, error) }
type failure interface { Error() string }`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := (&types.Config{}).Check("p", fset, []*ast.File{f}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var p printer
	for _, name := range pkg.Scope().Names() {
		p.interfaces = append(p.interfaces, pkg.Scope().Lookup(name).Type().Underlying().(*types.Interface))
	}
	return p
}

func (p printer) prints(t types.Type) bool {
	for _, i := range p.interfaces {
		if types.Implements(t, i) {
			return true
		}
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Info()&(types.IsBoolean|types.IsNumeric|types.IsString) != 0 && u.Info()&types.IsComplex == 0
	case *types.Slice:
		element, basic := u.Elem().Underlying().(*types.Basic)
		return p.prints(u.Elem()) && !(basic && element.Kind() == types.Byte)
	}
	return false
}

// eachValue hands every value that is logged to a function.
func (c checked) eachValue(t *testing.T, see func(ast.Expr)) (calls int) {
	for _, f := range c.files {
		for _, d := range f.Decls {
			function, is := d.(*ast.FuncDecl)
			if !is {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				call, is := n.(*ast.CallExpr)
				if !is {
					return true
				}
				if c.leadsPast(call) {
					t.Errorf("%s: leads past the budget of the log", c.fset.Position(call.Pos()))
				}
				from := c.logCall(call)
				if from < 0 || len(call.Args) <= from {
					return true
				}
				calls++
				list := c.attributes(function, call, from)
				if len(list)%2 != 0 || len(list) == 0 {
					t.Errorf("%s: keys and values cannot be told apart", c.fset.Position(call.Pos()))
					return true
				}
				for i := 1; i < len(list); i += 2 {
					see(list[i])
				}
				return true
			})
		}
	}
	return calls
}

// TestLoggedValues: whatever the root process logs prints in both formats of
// the log: no attribute is of a type in which JSON sees nothing.
func TestLoggedValues(t *testing.T) {
	t.Parallel()
	p, calls, values := newPrinter(t), 0, 0
	for _, dir := range []string{"parent", "parent/frames", "parent/logger", "keeper", "keeper/logs", "keeper/routes", "cmd/rvrrpd-parent", "conf", "conf/source", "audit", "ipc"} {
		c := check(t, dir)
		c.eachValue(t, func(ast.Expr) {}) // finds who hands on
		calls += c.eachValue(t, func(value ast.Expr) {
			values++
			if kind := c.info.Types[value].Type; !p.prints(kind) {
				t.Errorf("%s: %s does not print in JSON", c.fset.Position(value.Pos()), kind)
			}
		})
	}
	t.Logf("%d calls, %d values", calls, values)
	if calls < 50 || values < 100 {
		t.Errorf("only %d calls with %d values found", calls, values)
	}
}

// TestPrinter: what JSON writes of a type with nothing exported is nothing.
func TestPrinter(t *testing.T) {
	t.Parallel()
	const text = `package p
type bare struct { a int }
type named struct { a int }
func (named) String() string { return "" }
type pointed struct { a int }
func (*pointed) String() string { return "" }
var v1 bare; var v2 named; var v3 pointed; var v4 *pointed; var v5 []named; var v6 []bare; var v7 []byte; var v8 [6]byte; var v9 map[string]int; var v10 any; var v11 string; var v12 error`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := (&types.Config{}).Check("p", fset, []*ast.File{f}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := newPrinter(t)
	for name, want := range map[string]bool{"v1": false, "v2": true, "v3": false, "v4": true, "v5": true, "v6": false, "v7": false, "v8": false, "v9": false, "v10": false, "v11": true, "v12": true} {
		if kind := pkg.Scope().Lookup(name).Type(); p.prints(kind) != want {
			t.Errorf("%s: %v, want %v", kind, p.prints(kind), want)
		}
	}
}
