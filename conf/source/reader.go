package source

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// reader holds nodes against the settings and collects what is wrong.
type reader struct {
	file string
	errs Errors
	// warnings are lines about what is accepted and yet worth one.
	warnings []string
	// secrets are the nodes whose text is one.
	secrets []*node
}

// wipe overwrites the secrets in the nodes.
func (r *reader) wipe() {
	for _, n := range r.secrets {
		n.wipe()
	}
}

func (r *reader) fail(line int, key, format string, args ...any) {
	r.errs = append(r.errs, Error{File: r.file, Line: line, Key: key, Problem: fmt.Sprintf(format, args...)})
}

// warn tells of a value that is accepted and yet does not do what it says.
func (r *reader) warn(n *node, key, format string, args ...any) {
	at := Error{File: r.file, Line: n.line, Column: n.column, Key: key, Problem: fmt.Sprintf(format, args...)}
	r.warnings = append(r.warnings, at.Error())
}

// section is a checked table.
type section struct {
	// path leads to the settings, label to this very table: protocols.static
	// and protocols.static[2].
	path, label string
	line        int
	// values are those that are valid; given are all keys of the file.
	values map[string]*node
	given  map[string]bool
	// tables are the tables below, one entry each for a plain one.
	tables map[string][]*section
}

// table checks a table and everything below it.
func (r *reader) table(n *node, path, label string) *section {
	s := &section{
		path: path, label: label, line: n.line,
		values: map[string]*node{}, given: map[string]bool{}, tables: map[string][]*section{},
	}
	for _, key := range sortedKeys(n.table) {
		child := n.table[key]
		if child.kind == nullKind {
			// rVRRPd's JSON files write null for what is unset.
			continue
		}
		known, ok := byKey[dotted(path, key)]
		if !ok || strings.Contains(key, ".") {
			if here := ofKeepalived[key]; here != "" {
				r.fail(child.line, join(label, key), "keepalived's name; here: %s", here)
				continue
			}
			r.fail(child.line, join(label, key), "unknown key; %s", suggest(path, key))
			continue
		}
		s.given[key] = true
		r.value(s, known, child, join(label, key))
	}
	for _, key := range keysOf(path) {
		if known := byKey[dotted(path, key)]; known.required && !s.given[key] {
			r.fail(n.line, join(label, key), "is missing; accepted: %s", known.accepts())
		}
	}
	return s
}

// value checks the value of a key of the section, and keeps it if it is valid.
func (r *reader) value(s *section, known *setting, n *node, label string) {
	switch known.form {
	case tableForm:
		if n.kind != tableKind {
			r.wrongKind(known, n, label)
			return
		}
		s.tables[known.name()] = []*section{r.table(n, known.key, label)}
		r.idle(known, n, label)
		return
	case tablesForm:
		s.tables[known.name()] = r.entries(known, n, label)
		return
	}
	if r.scalar(known, n, label) {
		r.idle(known, n, label)
		s.values[known.name()] = n
	}
}

// entries checks an array of tables.
func (r *reader) entries(known *setting, n *node, label string) []*section {
	if n.kind != arrayKind {
		r.wrongKind(known, n, label)
		return nil
	}
	if known.required && len(n.items) == 0 {
		r.fail(n.line, label, "is empty; accepted: %s", known.accepts())
	}
	var all []*section
	for i, item := range n.items {
		label := numbered(label, i)
		if item.kind != tableKind {
			r.wrongKind(known, item, label)
			continue
		}
		all = append(all, r.table(item, known.key, label))
	}
	return all
}

// scalar checks kind and range of a value that is not a table.
func (r *reader) scalar(known *setting, n *node, label string) bool {
	switch known.form {
	case integerForm:
		if n.kind != integerKind {
			return r.wrongKind(known, n, label)
		}
		if n.integer < known.min || n.integer > known.max {
			r.fail(n.line, label, "%s is out of range; accepted: %s", shorten(n.text), known.accepts())
			return false
		}
	case secondsForm:
		if n.kind != integerKind && n.kind != floatKind {
			return r.wrongKind(known, n, label)
		}
		if _, ok := hundredths(n); !ok {
			r.fail(n.line, label, "%s is not a valid value; accepted: %s", shorten(n.text), known.accepts())
			return false
		}
	case booleanForm:
		if n.kind != booleanKind {
			return r.wrongKind(known, n, label)
		}
	case choiceForm:
		return r.choice(known, n, label)
	case stringForm:
		if n.kind != stringKind {
			return r.wrongKind(known, n, label)
		}
		return r.text(known, n, label)
	case stringsForm, listForm:
		return r.list(known, n, label)
	}
	return true
}

// choice checks a value against the choices. A value of a kind that no choice
// has is the wrong kind.
func (r *reader) choice(known *setting, n *node, label string) bool {
	if slices.Contains(known.choices, n.literal()) {
		return true
	}
	for _, c := range known.choices {
		if kindOf(c) == n.kind {
			r.fail(n.line, label, "%s is not a valid value; accepted: %s", shorten(n.shown()), known.accepts())
			return false
		}
	}
	return r.wrongKind(known, n, label)
}

func (r *reader) text(known *setting, n *node, label string) bool {
	if known.secret {
		r.secrets = append(r.secrets, n)
	}
	if known.explain != nil {
		problem := known.explain(n.text)
		if problem != "" {
			r.fail(n.line, label, "%s; accepted: %s", problem, known.accepts())
		}
		return problem == ""
	}
	if known.check == nil || known.check(n.text) {
		return true
	}
	shown := n.shown()
	if known.secret {
		shown = "the value"
	}
	r.fail(n.line, label, "%s is not valid; accepted: %s", shown, known.accepts())
	return false
}

// list checks the kinds and the number of the elements, and their text where
// the setting has a check. A list with bad elements is kept, so that the good
// ones are checked further.
func (r *reader) list(known *setting, n *node, label string) bool {
	if known.form == listForm && n.kind == stringKind {
		return r.text(known, n, label)
	}
	if n.kind != arrayKind {
		return r.wrongKind(known, n, label)
	}
	if count := int64(len(n.items)); count < known.min || count > known.max {
		r.fail(n.line, label, "has %d elements; accepted: %d..%d elements", count, known.min, known.max)
		return false
	}
	for i, item := range n.items {
		label := numbered(label, i)
		if item.kind != stringKind {
			r.wrongKind(known, item, label)
		} else {
			r.text(known, item, label)
		}
	}
	return true
}

// idle warns of a key that has no effect with this value.
func (r *reader) idle(known *setting, n *node, label string) {
	if known.idle != "" && (known.initial == "" || n.literal() != known.initial) {
		r.warn(n, label, "has no effect: %s", known.idle)
	}
}

// wrongKind reports a value of the wrong kind and returns false.
func (r *reader) wrongKind(known *setting, n *node, label string) bool {
	accepted := known.accepts()
	switch known.form {
	case integerForm:
		accepted = "an integer " + accepted
	case stringForm:
		accepted = "a string: " + accepted
	}
	r.fail(n.line, label, "is %v; accepted: %s", n.kind, accepted)
	return false
}

// kindOf returns the kind of a value written the way TOML does.
func kindOf(literal string) kind {
	switch {
	case strings.HasPrefix(literal, `"`):
		return stringKind
	case literal == "true" || literal == "false":
		return booleanKind
	default:
		return integerKind
	}
}

// number returns the integer at the key, or the default.
func (s *section) number(key string) int64 {
	if n := s.values[key]; n != nil {
		return n.integer
	}
	v, _ := strconv.ParseInt(s.initial(key), 10, 64)
	return v
}

// hundredths returns a number of seconds in hundredths, exactly; false for
// what has more decimals, an exponent, or no place in a uint16.
func hundredths(n *node) (int64, bool) {
	if n.kind == integerKind {
		return n.integer * 100, n.integer >= 0 && n.integer < 1<<16
	}
	whole, decimals, _ := strings.Cut(n.text, ".")
	if len(decimals) > 2 {
		decimals = strings.TrimRight(decimals, "0")
	}
	if len(decimals) > 2 {
		return 0, false
	}
	v, err := strconv.ParseUint(whole+(decimals + "00")[:2], 10, 22)
	return int64(v), err == nil
}

// flag returns the boolean at the key, or the default.
func (s *section) flag(key string) bool {
	if n := s.values[key]; n != nil {
		return n.boolean
	}
	return s.initial(key) == "true"
}

// text returns the string at the key, or the default.
func (s *section) text(key string) string {
	if n := s.values[key]; n != nil {
		return n.text
	}
	v, _ := strconv.Unquote(s.initial(key))
	return v
}

func (s *section) initial(key string) string {
	return byKey[dotted(s.path, key)].initial
}

// below returns the plain table at the key; where the file has none, an empty
// one that holds the defaults.
func (s *section) below(key string) *section {
	if t := s.tables[key]; len(t) > 0 {
		return t[0]
	}
	return &section{path: dotted(s.path, key), label: join(s.label, key), line: s.line}
}

// dotted returns the path of a setting in the table at path.
func dotted(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func sortedKeys(table map[string]*node) []string {
	keys := make([]string, 0, len(table))
	for key := range table {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// shorten cuts the text of a number, which JSON lets be of any length.
func shorten(s string) string {
	if len(s) > 2*longestShown {
		return s[:longestShown] + "…"
	}
	return s
}
