package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// jsonNames are the names that the structs of a file have in JSON, by struct
// and in their order, and the struct that a field is, by the field's name.
func jsonNames(t *testing.T, path string) (names map[string][]string, nested map[string]string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names, nested = map[string][]string{}, map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		s, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		for _, f := range s.Fields.List {
			if f.Tag == nil {
				continue
			}
			tag, _ := strconv.Unquote(f.Tag.Value)
			name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
			names[spec.Name.Name] = append(names[spec.Name.Name], name)
			if star, ok := f.Type.(*ast.StarExpr); ok {
				if id, ok := star.X.(*ast.Ident); ok && strings.HasSuffix(id.Name, "JSON") {
					nested[name] = id.Name
				}
			}
		}
		return true
	})
	return names, nested
}

// TestManualJSON: the page has every key of a packet in JSON, and of the
// objects in it, in their order, and no other.
func TestManualJSON(t *testing.T) {
	t.Parallel()
	names, nested := jsonNames(t, root+"/netproc/show.go")
	text := section(t, readManual(t), ".Ss JSON")
	words := func(line string) (list []string) {
		for _, w := range strings.Fields(line) {
			if strings.Trim(w, ",.:;") != "" {
				list = append(list, w)
			}
		}
		return list
	}
	item := regexp.MustCompile(`(?m)^\.It Li (.*)$`)
	li := regexp.MustCompile(`(?m)^\.Li (.*)$`)
	var got []string
	starts := item.FindAllStringSubmatchIndex(text, -1)
	for i, m := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		keys := words(text[m[2]:m[3]])
		got = append(got, keys...)
		if kind := nested[keys[0]]; kind != "" {
			var inner []string
			for _, l := range li.FindAllStringSubmatch(text[m[1]:end], -1) {
				for _, w := range words(l[1]) {
					if !slices.Contains(inner, w) {
						inner = append(inner, w)
					}
				}
			}
			if diff := cmp.Diff(names[kind], inner); diff != "" {
				t.Errorf("%s: %s (-source +page):\n%s", manual, keys[0], diff)
			}
		}
	}
	want := names["packetJSON"]
	if len(want) < 20 || len(nested) != 3 {
		t.Fatalf("names %v, objects %v", want, nested)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: keys (-source +page):\n%s", manual, diff)
	}
}
