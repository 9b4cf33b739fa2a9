package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// root is the top of the repository.
const root = ".."

// testFunction is a Test or Fuzz function, and every string in its file:
// among them are the names of its subtests.
type testFunction struct {
	file    string
	strings map[string]bool
}

// source is what the document may name.
type source struct {
	// declared holds engine.New, engine.(*VirtualRouter).Step, ipc.DropTTL:
	// the directory, and a function, method, type, variable or constant.
	declared map[string]bool
	// constants holds the exported constants of package ipc.
	constants []string
	// tests holds "engine TestScripts".
	tests map[string]testFunction
}

// readSource parses every Go file of the module, whatever its build tags.
var readSource = sync.OnceValues(func() (source, error) {
	s := source{declared: map[string]bool{}, tests: map[string]testFunction{}}
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
	return s, err
})

func (s *source) add(dir, path string, file *ast.File) {
	isTest := strings.HasSuffix(path, "_test.go")
	var literals map[string]bool
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if isTest && d.Recv == nil && (strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz")) {
				if literals == nil {
					literals = stringsOf(file)
				}
				s.tests[dir+" "+name] = testFunction{path, literals}
			} else if !isTest {
				s.declared[dir+"."+receiver(d)+name] = true
			}
		case *ast.GenDecl:
			if !isTest {
				s.addNames(dir, d)
			}
		}
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

func (s *source) addNames(dir string, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			s.declared[dir+"."+spec.Name.Name] = true
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				s.declared[dir+"."+name.Name] = true
				if dir == "ipc" && d.Tok == token.CONST && name.IsExported() {
					s.constants = append(s.constants, name.Name)
				}
			}
		}
	}
}

// stringsOf returns every string literal of a file.
func stringsOf(file *ast.File) map[string]bool {
	all := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if value, err := strconv.Unquote(lit.Value); err == nil {
				all[value] = true
			}
		}
		return true
	})
	return all
}

func mustReadSource(t *testing.T) source {
	t.Helper()
	s, err := readSource()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
