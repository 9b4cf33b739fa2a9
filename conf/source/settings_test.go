package source

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
)

// row returns the beginning of the setting's row in docs/configuration.md; the
// meaning of the key follows.
func row(s *setting) string {
	initial := "none"
	switch {
	case s.required:
		initial = "required"
	case s.initial != "":
		initial = "`" + s.initial + "`"
	}
	accepted := s.accepts()
	if s.form == choiceForm {
		var choices []string
		for _, c := range s.choices {
			c = "`" + c + "`"
			choices = append(choices, c)
		}
		accepted = strings.Join(choices, ", ")
	}
	line := "| <a id=\"" + s.key + "\"></a>`" + s.key + "` | " + s.form.String() + " | " + initial + " | " + accepted + " | "
	if s.idle != "" {
		line += "No effect: " + s.idle + ". "
	}
	return line
}

// The reference has one row for every key, and the row tells the truth.
func TestReferenceHasEveryKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i := range settings {
		want := row(&settings[i])
		found := slices.ContainsFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, want) && len(line) > len(want)+10
		})
		if !found {
			t.Errorf("docs/configuration.md: no row begins with\n%s", want)
		}
		if !strings.Contains(string(text), "](#"+settings[i].key+")") {
			t.Errorf("docs/configuration.md: %s is not in the contents", settings[i].key)
		}
	}
	for _, line := range lines {
		key, ok := strings.CutPrefix(line, "| <a id=\"")
		if !ok {
			continue
		}
		key, _, _ = strings.Cut(key, "\"")
		if byKey[key] == nil {
			t.Errorf("docs/configuration.md: a row for %s, which is no key", key)
		}
	}
}

// A default that its own key would refuse would make Print write a file that
// Parse refuses.
func TestDefaultsAreAccepted(t *testing.T) {
	t.Parallel()
	for i := range settings {
		s := &settings[i]
		if s.parent() != "" && byKey[s.parent()] == nil {
			t.Errorf("%s: its table is not in the settings", s.key)
		}
		if s.initial == "" {
			continue
		}
		if s.required {
			t.Errorf("%s: is required and has a default", s.key)
		}
		n, errs := parseTOML("default", []byte("x = "+s.initial))
		if errs != nil {
			t.Errorf("%s: %v", s.key, errs)
			continue
		}
		r := &reader{}
		if !r.scalar(s, n.table["x"], s.key) {
			t.Errorf("%s: refuses its default: %v", s.key, r.errs)
		}
	}
}

// Print writes every key that a configuration can have.
func TestPrintHasEveryKey(t *testing.T) {
	t.Parallel()
	c, err := Parse("f", []byte(minimal+"iftype = \"macvlan\"\nversion = 3\n"), conf.TOML)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := Print(c, &b); err != nil {
		t.Fatal(err)
	}
	root, errs := parseTOML("printed", []byte(b.String()))
	if errs != nil {
		t.Fatal(errs)
	}
	router := root.table["vrouter"].items[0]
	tables := map[string]*node{"": root, "vrouter": router, "vrouter.timers": router.table["timers"]}
	for i := range settings {
		s := &settings[i]
		table, printed := tables[s.parent()]
		if !printed || s.idle != "" && s.form != booleanForm || s.key == "protocols" {
			// Nothing in these tables has an effect.
			continue
		}
		if table.table[s.name()] == nil && s.key != "vrouter.auth_secret" && s.key != "vrouter.hmac" && s.key != "vrouter.na" { // see TestPrintAuth, TestAnnouncements
			t.Errorf("%s is not printed", s.key)
		}
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, path, key, want string }{
		{"one letter missing", "vrouter", "priorty", "did you mean priority?"},
		{"one letter wrong", "vrouter", "vop", "did you mean vip?"},
		{"two letters exchanged", "", "debgu", "did you mean debug?"},
		{"capital", "vrouter", "Preemption", "did you mean preemption?"},
		{"ending left out", "vrouter", "preempt", "did you mean preemption?"},
		{"key of another table", "", "priority", "accepted: priority in [[vrouter]]"},
		{"key of the top", "vrouter", "time_zone", "accepted: time_zone at the top of the file, before the first table"},
		{"key of a plain table", "", "host", "accepted: host in [api]"},
		{"nothing like it", "vrouter.timers", "quux", "accepted: advert"},
		{"too long to compare", "vrouter.timers", strings.Repeat("advert", 9), "accepted: advert"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := suggest(test.path, test.key); got != test.want {
				t.Errorf("suggest(%q, %q) = %q, want %q", test.path, test.key, got, test.want)
			}
		})
	}
}

// String returns the form as the reference names it.
func (f form) String() string {
	return [...]string{
		integerForm: "integer", secondsForm: "seconds", booleanForm: "boolean", choiceForm: "choice", stringForm: "string",
		stringsForm: "list of strings", listForm: "string or list of strings",
		tableForm: "table", tablesForm: "array of tables",
	}[f]
}
