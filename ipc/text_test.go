package ipc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// enumerations returns the constants declared with iota, by their type.
func enumerations(t *testing.T) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	for _, file := range []string{"type.go", "word.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			kind := ""
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if id, ok := v.Type.(*ast.Ident); ok {
					kind = id.Name
				}
				if kind != "" && (v.Values == nil || kind != "Slot" && kind != "Family") {
					all[kind] = append(all[kind], v.Names[0].Name)
				}
			}
		}
	}
	return all
}

// TestNames: every constant has a name of its own, and nothing else has.
func TestNames(t *testing.T) {
	t.Parallel()
	all := enumerations(t)
	for kind, tt := range map[string]struct {
		first, extra int // the extra constant at the end is a count
		text         func(uint8) fmt.Stringer
		sample       string // of the constant first+1
	}{
		"Type": {1, 1, func(v uint8) fmt.Stringer { return Type(v) }, "router"},
		"Code": {1, 0, func(v uint8) fmt.Stringer { return Code(v) }, "stale"},
	} {
		names := all[kind]
		if len(names) < 3 {
			t.Fatalf("%s: found only %v", kind, names)
		}
		n := tt.first + len(names) - tt.extra
		seen := make(map[string]bool)
		for v := range 256 {
			s := tt.text(uint8(v)).String()
			if seen[s] {
				t.Errorf("%s %d: %q is taken", kind, v, s)
			}
			seen[s] = true
			if named := s[len(s)-1] < '0' || s[len(s)-1] > '9'; named != (v >= tt.first && v < n) {
				t.Errorf("%s %d is called %q", kind, v, s)
			}
		}
		if got := tt.text(uint8(tt.first + 1)).String(); got != tt.sample {
			t.Errorf("%s %d is called %q, want %q", kind, tt.first+1, got, tt.sample)
		}
	}
}

// TestSecretIsNotPrinted in whatever way.
func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	s := Secret{ID: 1, Value: []byte("hunter2")}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s", s, s, s, &s), fmt.Sprintf("%v", []Secret{s})} {
		if strings.Contains(text, "hunter") || strings.Contains(text, "104") {
			t.Errorf("printed: %s", text)
		}
	}
}

// TestNamesInLogs holds the words that operators search for.
func TestNamesInLogs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v    fmt.Stringer
		want string
	}{
		{CodeDone, "done"}, {CodeNotHeld, "not-held"}, {CodeLinkDown, "link-down"}, {CodeKernel, "kernel"},
		{TypeStateChange, "state-change"}, {TypeDropped, "dropped"}, {Type(99), "type 99"}, {Code(0), "code 0"},
	} {
		if got := tt.v.String(); got != tt.want {
			t.Errorf("%#v is called %q, want %q", tt.v, got, tt.want)
		}
	}
}
