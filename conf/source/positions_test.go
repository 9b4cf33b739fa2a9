package source

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

// flat lists the lines of a node's values: "path line".
func flat(n *node, label string) []string {
	var all []string
	if label != "" {
		all = append(all, fmt.Sprintf("%s %d", label, n.line))
	}
	for _, key := range sortedKeys(n.table) {
		all = append(all, flat(n.table[key], join(label, key))...)
	}
	for i, item := range n.items {
		all = append(all, flat(item, numbered(label, i))...)
	}
	return all
}

func TestLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		want       string // with commas between
	}{
		{"keys", "a = 1\n\n# b = 0\nb = true # c = 2\r\nc = 2024-01-01 10:00:00\n", "a 1,b 4,c 5"},
		{"tables", "[a]\nb = 1\n[c.d]\ne = 2\n[ c . f ]\n", "a 1,a.b 2,c 3,c.d 3,c.d.e 4,c.f 5"},
		{"table after its child", "[a.b]\nc = 1\n[a]\nd = 1\n", "a 3,a.b 1,a.b.c 2,a.d 4"},
		{"arrays of tables", "[[a]]\nb = 1\n[[a]]\n[a.c]\nd = 1\n[[a.e]]\n[[a.e]]\nf = 1\n",
			"a 1,a[1] 1,a[1].b 2,a[2] 3,a[2].c 4,a[2].c.d 5,a[2].e 6,a[2].e[1] 6,a[2].e[2] 7,a[2].e[2].f 8"},
		{"dotted keys", "a.b.c = 1\na . b . d = 2\n", "a 1,a.b 1,a.b.c 1,a.b.d 2"},
		{"quoted keys", "\"a.b\" = 1\n'c\\d' = 2\n\"e\\u0041\\x42\\\"\" = 3\n\"\" = 4\n", "\"\" 4,\"a.b\" 1,\"c\\\\d\" 2,\"eAB\\\"\" 3"},
		{"inline tables", "a = { b = 1, c = { d = 2 }, e.f = \"}\" }\ng = {}\n", "a 1,a.b 1,a.c 1,a.c.d 1,a.e 1,a.e.f 1,g 2"},
		{"inline table over lines", "a = {\n b = 1,\n # c\n d = 2,\n}\ne = 1", "a 1,a.b 2,a.d 4,e 6"},
		{"array over lines", "a = [ # one\n 1,\n\n 2, 3,\n [\n 4 ],\n]\nb = 1", "a 1,a[1] 2,a[2] 4,a[3] 4,a[4] 5,a[4][1] 6,b 8"},
		{"inline tables in an array", "a = [\n {b=1},\n {b=2,\n c=3}\n]\n", "a 1,a[1] 2,a[1].b 2,a[2] 3,a[2].b 3,a[2].c 4"},
		{"strings with delimiters", "a = \"#[]{}=,'\"\nb = '\\'\nc = '\"'\nd = \"\\\"\"\ne = \"\"\nf = ''\ng = 1", "a 1,b 2,c 3,d 4,e 5,f 6,g 7"},
		{"long strings", "a = \"\"\"\nx = 1\n\\\"\"\" \"\" \\\n\"\"\"\"\"\nb = '''\n[y]\n''\\'''''\nc = \"\"\"\"\"\"\nd = ''''''\ne = 1",
			"a 1,b 5,c 8,d 9,e 10"},
		{"long strings in an array", "a = [\"\"\"\n\n\"\"\", '''\n''', \"x\"]\nb = 1", "a 1,a[1] 1,a[2] 3,a[3] 4,b 5"},
		{"no line end", "a = 1", "a 1"},
		{"nothing", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n, errs := parseTOML("f", []byte(test.text))
			if errs != nil {
				t.Fatal(errs)
			}
			got := flat(n, "")
			var want []string
			if test.want != "" {
				want = strings.Split(test.want, ",")
			}
			sort.Strings(got)
			sort.Strings(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			var values map[string]any
			if err := toml.Unmarshal([]byte(test.text), &values); err != nil {
				t.Fatal(err)
			}
			marks, _ := scanTOML(test.text)
			sameShape(t, "", values, marks)
		})
	}
}

// sameShape checks that the scan has found exactly the keys and elements of
// the decoded document.
func sameShape(t *testing.T, label string, value any, m *mark) {
	t.Helper()
	if m == nil {
		t.Errorf("%s: the scan has not found it", label)
		return
	}
	var items []any
	switch v := value.(type) {
	case map[string]any:
		if len(v) != len(m.keys) {
			t.Errorf("%s: the scan has %d keys, the document %d", label, len(m.keys), len(v))
		}
		for key, item := range v {
			sameShape(t, join(label, key), item, m.keys[key])
		}
		return
	case []any:
		items = v
	case []map[string]any:
		for _, item := range v {
			items = append(items, item)
		}
	}
	if len(items) != len(m.items) {
		t.Errorf("%s: the scan has %d elements, the document %d", label, len(m.items), len(items))
	}
	for i, item := range items {
		sameShape(t, numbered(label, i), item, m.item(i))
	}
}
