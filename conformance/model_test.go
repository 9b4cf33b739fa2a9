package conformance

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
)

// modelImporter imports package conf for its constants, and no other package.
type modelImporter struct{ fset *token.FileSet }

func (m modelImporter) Import(path string) (*types.Package, error) {
	if !strings.HasSuffix(path, "rvrrpd/conf") {
		return nil, errors.New("not imported")
	}
	names, err := filepath.Glob(confModel + "/*.go")
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(m.fset, name, nil, 0)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	checker := types.Config{Importer: m, Error: func(error) {}}
	pkg, _ := checker.Check(path, m.fset, files, nil)
	pkg.MarkComplete()
	return pkg, nil
}
