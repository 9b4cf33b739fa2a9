package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// root is the top of the repository.
const root = ".."

// testFunction is a Test or Fuzz function, and what is in it and in what it
// uses of its package's tests, tables and helpers: among the strings are the
// names of its subtests.
type testFunction struct {
	file string
	piece
}

// piece is a declaration in the tests of a package: its strings, those of them
// that are put behind something with a +, and the names in it, of which some
// are other pieces.
type piece struct {
	strings, endings, names map[string]bool
}

func newPiece() piece {
	return piece{map[string]bool{}, map[string]bool{}, map[string]bool{}}
}

// sources are what the document may name.
type sources struct {
	// declared holds engine.New, engine.(*VirtualRouter).Step, report.DropTTL:
	// the directory, and a function, method, type, variable or constant.
	declared map[string]bool
	// constants holds the exported constants of package ipc.
	constants []string
	// tests holds "engine TestScripts", pieces that and "engine scripts", too.
	tests  map[string]testFunction
	pieces map[string]piece
}

// readSource parses every Go file of the module, whatever its build tags.
var readSource = sync.OnceValues(func() (sources, error) {
	s := sources{declared: map[string]bool{}, tests: map[string]testFunction{}, pieces: map[string]piece{}}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		s.add(filepath.ToSlash(dir), path, file)
		return nil
	})
	s.collect()
	return s, err
})

func (s *sources) add(dir, path string, file *ast.File) {
	isTest := strings.HasSuffix(path, "_test.go")
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			switch {
			case !isTest:
				s.declared[dir+"."+receiver(d)+name] = true
			case isTestName(name) && d.Recv == nil:
				s.tests[dir+" "+name] = testFunction{file: path}
				fallthrough
			default: // a method counts for whoever calls one of its name
				s.piece(dir, name, d)
			}
		case *ast.GenDecl:
			if !isTest {
				s.addNames(dir, d)
				continue
			}
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						s.piece(dir, name.Name, spec)
					}
				case *ast.TypeSpec:
					s.piece(dir, spec.Name.Name, spec)
				}
			}
		}
	}
}

func isTestName(name string) bool {
	return strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz")
}

// piece notes a declaration, or one more of its name.
func (s *sources) piece(dir, name string, d ast.Node) {
	p, there := s.pieces[dir+" "+name]
	if !there {
		p = newPiece()
		s.pieces[dir+" "+name] = p
	}
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			p.names[n.Name] = true
		case *ast.BasicLit:
			if value, is := stringOf(n); is {
				p.strings[value] = true
			}
		case *ast.BinaryExpr:
			if value, is := stringOf(n.Y); is && n.Op == token.ADD {
				p.endings[value] = true
			}
		}
		return true
	})
}

// stringOf is the value of a string literal.
func stringOf(e ast.Expr) (value string, is bool) {
	lit, is := e.(*ast.BasicLit)
	if !is || lit.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(lit.Value)
	return value, err == nil
}

// collect gives each test the strings of all pieces it uses, but for those of
// other tests.
func (s *sources) collect() {
	for name, f := range s.tests {
		dir, _, _ := strings.Cut(name, " ")
		f.piece = newPiece()
		seen, todo := map[string]bool{name: true}, []string{name}
		for len(todo) > 0 {
			p := s.pieces[todo[0]]
			todo = todo[1:]
			maps.Copy(f.strings, p.strings)
			maps.Copy(f.endings, p.endings)
			for used := range p.names {
				key := dir + " " + used
				if _, is := s.pieces[key]; is && !seen[key] && !isTestName(used) {
					seen[key], todo = true, append(todo, key)
				}
			}
		}
		s.tests[name] = f
	}
}

// receiver is what stands before a method's name: "(*VirtualRouter).", "Form.".
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	switch t := d.Recv.List[0].Type.(type) {
	case *ast.Ident:
		return t.Name + "."
	case *ast.StarExpr:
		if id, ok := t.X.(*ast.Ident); ok {
			return "(*" + id.Name + ")."
		}
	}
	return "?."
}

func (s *sources) addNames(dir string, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			s.declared[dir+"."+spec.Name.Name] = true
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				s.declared[dir+"."+name.Name] = true
				if dir == "ipc/report" && d.Tok == token.CONST && name.IsExported() {
					s.constants = append(s.constants, name.Name)
				}
			}
		}
	}
}

func mustReadSource(t *testing.T) sources {
	t.Helper()
	s, err := readSource()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
