package conformance

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
)

const (
	confManual   = root + "/docs/man/rvrrpd.conf.5"
	confModel    = root + "/conf"
	confSettings = root + "/conf/source/settings.go"
	confForms    = root + "/conf/source/settings_test.go" // has the words for them
	noEffect     = " (no effect)"
)

// confKey is what the table of settings says about a key.
type confKey struct {
	key, form, initial string
	min, max           int64
	choices            []string
	required, idle     bool
}

// readSettings reads the table of settings from the source of package conf/source.
func readSettings(t *testing.T) []confKey {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, confSettings, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names, err := parser.ParseFile(fset, confForms, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Some files of a package alone have errors; their constants have values yet.
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	checker := types.Config{Importer: modelImporter{fset}, Error: func(error) {}}
	_, _ = checker.Check("source", fset, []*ast.File{file, names}, info)

	forms := map[string]string{}
	var table *ast.CompositeLit
	find := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if name, ok := n.Key.(*ast.Ident); ok && strings.HasSuffix(name.Name, "Form") {
				forms[name.Name] = text(info, n.Value)
			}
		case *ast.ValueSpec:
			if n.Names[0].Name == "settings" && len(n.Values) == 1 {
				table, _ = n.Values[0].(*ast.CompositeLit)
			}
		}
		return true
	}
	ast.Inspect(file, find)
	ast.Inspect(names, find)
	if table == nil || len(forms) == 0 {
		t.Fatalf("%s: no composite literal settings, or no names of forms", confSettings)
	}
	var keys []confKey
	for _, e := range table.Elts {
		k, err := readSetting(info, forms, e)
		if err != nil {
			t.Fatalf("%v: %v", fset.Position(e.Pos()), err)
		}
		keys = append(keys, k)
	}
	return keys
}

// readSetting reads an element of the table.
func readSetting(info *types.Info, forms map[string]string, e ast.Expr) (k confKey, err error) {
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return k, errors.New("is not a composite literal")
	}
	for _, e := range lit.Elts {
		field, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return k, errors.New("has a field without a name")
		}
		switch field.Key.(*ast.Ident).Name {
		case "key":
			k.key = text(info, field.Value)
		case "form":
			k.form = forms[field.Value.(*ast.Ident).Name]
		case "initial":
			k.initial = text(info, field.Value)
		case "min":
			k.min, _ = constant.Int64Val(info.Types[field.Value].Value)
		case "max":
			k.max, _ = constant.Int64Val(info.Types[field.Value].Value)
		case "choices":
			k.choices = texts(info, field.Value)
		case "required":
			k.required = field.Value.(*ast.Ident).Name == "true"
		case "idle":
			k.idle = true
		}
	}
	if k.key == "" || k.form == "" {
		return k, fmt.Errorf("has no key, or no form that is known: %+v", k)
	}
	return k, nil
}

// text is the value of a constant string.
func text(info *types.Info, e ast.Expr) string {
	if v := info.Types[e].Value; v != nil && v.Kind() == constant.String {
		return constant.StringVal(v)
	}
	return ""
}

// texts are the values of a list of constant strings.
func texts(info *types.Info, e ast.Expr) (list []string) {
	if lit, ok := e.(*ast.CompositeLit); ok {
		for _, e := range lit.Elts {
			list = append(list, text(info, e))
		}
	}
	return list
}

// begins is how the text of the key's item begins: with the form, and the
// range or the choices, each of which says when it has no effect.
func (k confKey) begins() string {
	form := strings.ToUpper(k.form[:1]) + k.form[1:]
	switch {
	case k.form == "integer":
		return fmt.Sprintf("%s, %d..%d; ", form, k.min, k.max)
	case len(k.choices) > 0:
		var list []string
		for _, c := range k.choices {
			if k.idle {
				c += noEffect
			}
			list = append(list, c)
		}
		last := len(list) - 1
		if last == 0 {
			return form + " of " + list[0] + "; "
		}
		return form + " of " + strings.Join(list[:last], ", ") + " and " + list[last] + "; "
	case k.idle && k.form == "table":
		return form + noEffect + "; "
	}
	return form
}

// preset is how the item tells the default.
func (k confKey) preset() string {
	switch {
	case k.required:
		return "; required. "
	case k.initial != "":
		return "; default " + k.initial + ". "
	}
	return "; no default. "
}

var (
	mdocEscapes = strings.NewReplacer(`\(dq`, `"`, `\e`, `\`, `\-`, `-`, `\&`, "", `\%`, "", `\ `, " ")
	mdocMacro   = regexp.MustCompile(`^[A-Z][a-z]$`)
	itemLine    = regexp.MustCompile(`(?m)^\.(?:It|El|S[hs])\b.*$`)
	mention     = regexp.MustCompile(`\bIc (\S+)`)
)

// plain is the text of lines of mdoc, without macros and escapes, on one line
// that ends with a space.
func plain(lines string) string {
	var words []string
	for line := range strings.Lines(lines) {
		request, isRequest := strings.CutPrefix(line, ".")
		for _, w := range strings.Fields(request) {
			if isRequest && mdocMacro.MatchString(w) {
				continue
			}
			w = mdocEscapes.Replace(w)
			if n := len(words); isRequest && n > 0 && strings.Trim(w, ".,;:)") == "" {
				words[n-1] += w
				continue
			}
			words = append(words, w)
		}
	}
	return strings.Join(words, " ") + " "
}

// literals are the literal blocks of a page, without escapes.
func literals(page string) (blocks []string) {
	for _, m := range regexp.MustCompile(`(?ms)^\.Bd -literal[^\n]*\n(.*?)^\.Ed$`).FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, mdocEscapes.Replace(m[1]))
	}
	return blocks
}

// checkConfPage holds the page against the settings.
func checkConfPage(page string, keys []confKey) (errs []error) {
	items := map[string]string{}
	marks := itemLine.FindAllStringIndex(page, -1)
	for i, m := range marks {
		key, ok := strings.CutPrefix(page[m[0]:m[1]], ".It Ic ")
		if !ok {
			continue
		}
		if _, twice := items[key]; twice {
			errs = append(errs, fmt.Errorf("%s: has two items", key))
		}
		items[key] = ""
		if i+1 < len(marks) {
			items[key] = plain(page[m[1]:marks[i+1][0]])
		}
	}
	known := func(name string) bool {
		return slices.ContainsFunc(keys, func(k confKey) bool { return k.key == name || strings.HasSuffix(k.key, "."+name) })
	}
	for _, m := range mention.FindAllStringSubmatch(page, -1) {
		if !known(m[1]) {
			errs = append(errs, fmt.Errorf("%s: is no key", m[1]))
		}
	}
	for _, k := range keys {
		text, ok := items[k.key]
		delete(items, k.key)
		if !ok {
			errs = append(errs, fmt.Errorf("%s: is a key without an item: add %q with %q", k.key, ".It Ic "+k.key, strings.TrimSuffix(k.begins(), "; ")+k.preset()))
			continue
		}
		if !strings.HasPrefix(text, k.begins()) {
			errs = append(errs, fmt.Errorf("%s: does not begin with %q: %q", k.key, k.begins(), text))
		}
		if first, _, ok := strings.Cut(text, k.preset()); !ok {
			errs = append(errs, fmt.Errorf("%s: does not say %q: %q", k.key, k.preset(), text))
		} else if len(text) < len(first)+len(k.preset())+5 {
			errs = append(errs, fmt.Errorf("%s: does not say what it means: %q", k.key, text))
		}
	}
	for key := range items {
		errs = append(errs, fmt.Errorf("%s: has an item and is no key with this path", key))
	}
	return errs
}

func readConfManual(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(confManual)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// TestConfManualKeys: the page has every key of the settings, with its form,
// range and default, and no other.
func TestConfManualKeys(t *testing.T) {
	t.Parallel()
	keys := readSettings(t)
	if len(keys) < 50 {
		t.Fatalf("%s: only %d keys", confSettings, len(keys))
	}
	for _, err := range checkConfPage(readConfManual(t), keys) {
		t.Errorf("%s: %v", confManual, err)
	}
}

// TestConfManualExamples: what the page shows is valid, and there is an
// example of version 2 and one of version 3 in both families with HMAC.
func TestConfManualExamples(t *testing.T) {
	t.Parallel()
	page := readConfManual(t)
	for _, block := range literals(page) {
		if _, err := source.Parse("example", []byte(block), conf.TOML); err != nil {
			t.Errorf("%s: an example is wrong: %v\n%s", confManual, err, block)
		}
	}
	var version2, version3 bool
	_, examples, _ := strings.Cut(page, "\n.Sh EXAMPLES\n")
	for _, block := range literals(examples) {
		c, err := source.Parse("example", []byte(block), conf.TOML)
		if err != nil {
			continue // told above
		}
		all := func(f func(conf.Router) bool) bool {
			return !slices.ContainsFunc(c.Routers, func(r conf.Router) bool { return !f(r) })
		}
		is6 := func(r conf.Router) bool { return r.Addresses[0].Addr.Is6() }
		version2 = version2 || all(func(r conf.Router) bool { return r.Version == 2 })
		version3 = version3 || all(func(r conf.Router) bool { return r.Version == 3 && r.HMAC != nil }) &&
			slices.ContainsFunc(c.Routers, is6) && !all(is6)
	}
	if !version2 || !version3 {
		t.Errorf("%s: EXAMPLES: version 2: %v, version 3 in both families with HMAC: %v; want both", confManual, version2, version3)
	}
}

// TestConfManualReference: the pages know each other.
func TestConfManualReference(t *testing.T) {
	t.Parallel()
	if !strings.Contains(section(t, readManual(t), ".Sh SEE ALSO"), ".Xr rvrrpd.conf 5") {
		t.Errorf("%s: does not refer to rvrrpd.conf(5)", manual)
	}
	if !strings.Contains(section(t, readConfManual(t), ".Sh SEE ALSO"), ".Xr rvrrpd 8") {
		t.Errorf("%s: does not refer to rvrrpd(8)", confManual)
	}
}

// TestCheckConfPage: the check itself finds what is wrong.
func TestCheckConfPage(t *testing.T) {
	t.Parallel()
	keys := []confKey{
		{key: "zone", form: "choice", initial: `"local"`, choices: []string{`"local"`, `"utc"`}},
		{key: "client", form: "choice", choices: []string{`"http"`}, idle: true},
		{key: "table", form: "array of tables", required: true},
		{key: "table.count", form: "integer", initial: "5", min: 1, max: 20},
		{key: "api", form: "table", idle: true},
	}
	const page = `.Bl -tag
.It Ic zone
Choice of "local" and \%"utc"; default "local".
The zone.
.It Ic client
Choice of "http" (no
effect); no default.
The client.
.It Ic table
Array of tables; required.
The tables.
.It Ic table.count
Integer, 1..20; default 5.
As
.Ic zone .
.It Ic api
Table (no effect); no default.
The interface.
.El
`
	for _, test := range []struct{ name, old, new, want string }{
		{"right", "", "", ""},
		{"key without an item", ".It Ic table.count\nInteger", "Integer", "table.count: is a key without an item"},
		{"item without a key", ".El", ".It Ic none\nTable; no default.\nNothing.\n.El", "none: is no key"},
		{"item without its path", ".El", ".It Ic count\nInteger, 1..20; default 5.\nNothing.\n.El", "count: has an item and is no key with this path"},
		{"key mentioned", ".Ic zone .", ".Ic zones .", "zones: is no key"},
		{"two items", ".El", ".It Ic zone\nTwo.\n.El", "zone: has two items"},
		{"another default", "default 5.", "default 50.", `table.count: does not say "; default 5. "`},
		{"another range", "1..20", "1..255", "table.count: does not begin with"},
		{"another form", "Array of tables", "Table", "table: does not begin with"},
		{"not required", "required", "no default", `table: does not say "; required. "`},
		{"a choice without effect", " (no\neffect); no", "; no", "client: does not begin with"},
		{"a table without effect", "Table (no effect)", "Table", "api: does not begin with"},
		{"no meaning", "The zone.\n", "", "zone: does not say what it means"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := errors.Join(checkConfPage(strings.Replace(page, test.old, test.new, 1), keys)...)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
