package source

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// mark is the place of a TOML value, and the marks of what is in it. The tree
// of marks has the shape of the decoded document.
type mark struct {
	line, column int
	keys         map[string]*mark
	items        []*mark
}

func (m *mark) item(i int) *mark {
	if i < len(m.items) {
		return m.items[i]
	}
	return nil
}

// key returns the mark of a key of this table, made at the given line where it
// does not exist yet. A table given in several places keeps its first line.
func (m *mark) key(name string, line, column int) *mark {
	if m.keys == nil {
		m.keys = map[string]*mark{}
	}
	if m.keys[name] == nil {
		m.keys[name] = &mark{line: line, column: column}
	}
	return m.keys[name]
}

// scanner finds the lines of the keys and values of a TOML document. It is
// exact for documents the decoder accepts; for all others it only promises to
// end. Lines are those of the decoder: they end with a line feed.
type scanner struct {
	text string
	pos  int
	line int
	// start is the position of the line.
	start int
	// columns is the column of the position counted.
	counted, columns int
	// deep is the line where the nesting exceeded maxDepth, or 0.
	deep int
}

// scanTOML returns the marks of the document, and the line where its nesting
// exceeds maxDepth or 0.
func scanTOML(text string) (root *mark, deep int) {
	s := &scanner{text: text, line: 1, columns: 1}
	root = &mark{line: 1}
	table, level := root, 0
	for s.blank(); s.pos < len(s.text) && s.deep == 0; s.blank() {
		before := s.pos
		if s.peek() == '[' {
			table, level = s.header(root)
		} else {
			s.pair(table, level)
		}
		if s.pos == before {
			s.next()
		}
	}
	return root, s.deep
}

// header reads [name] or [[name]] and returns the table it opens and how deep
// that lies.
func (s *scanner) header(root *mark) (*mark, int) {
	line, column := s.line, s.column()
	s.next()
	array := s.peek() == '['
	if array {
		s.next()
	}
	names := s.names()
	for s.peek() == ']' {
		s.next()
	}
	table := root
	for i, name := range names {
		fresh := table.keys[name] == nil
		table = table.key(name, line, column)
		last := i == len(names)-1
		switch {
		case last && array:
			table.items = append(table.items, &mark{line: line, column: column})
		case last && !fresh && len(table.items) == 0:
			// [a] after [a.b] is the header that counts.
			table.line, table.column = line, column
		}
		if n := len(table.items); n > 0 {
			table = table.items[n-1]
		}
	}
	s.tooDeep(len(names))
	return table, len(names)
}

// pair reads key = value into the table.
func (s *scanner) pair(table *mark, level int) {
	line, column := s.line, s.column()
	names := s.names()
	if s.tooDeep(level + len(names)) {
		return
	}
	for _, name := range names {
		table = table.key(name, line, column)
	}
	s.space()
	if s.peek() != '=' {
		return
	}
	s.next()
	s.space()
	s.value(table, level+len(names))
}

// value reads a value whose own line is already in the mark.
func (s *scanner) value(at *mark, level int) {
	if s.tooDeep(level) {
		return
	}
	switch s.peek() {
	case '[':
		s.next()
		for s.blank(); s.inside(']'); s.separator(']') {
			item := &mark{line: s.line, column: s.column()}
			at.items = append(at.items, item)
			s.value(item, level+1)
		}
		s.next()
	case '{':
		s.next()
		for s.blank(); s.inside('}'); s.separator('}') {
			s.pair(at, level)
		}
		s.next()
	case '"', '\'':
		s.str()
	default:
		// A number, a boolean, a date: no delimiter is part of one.
		for s.pos < len(s.text) && !strings.ContainsRune(",]}#\r\n", rune(s.peek())) {
			s.next()
		}
	}
}

// inside tells whether an array or inline table goes on.
func (s *scanner) inside(end byte) bool {
	return s.pos < len(s.text) && s.peek() != end && s.deep == 0
}

// separator moves past the comma after an element. Anything else there is no
// TOML: leave that to the decoder and end.
func (s *scanner) separator(end byte) {
	s.blank()
	switch s.peek() {
	case ',':
		s.next()
		s.blank()
	case end:
	default:
		s.pos = len(s.text)
	}
}

// names reads a dotted key.
func (s *scanner) names() []string {
	var names []string
	for {
		s.space()
		if c := s.peek(); c == '"' || c == '\'' {
			names = append(names, s.str())
		} else {
			start := s.pos
			for s.pos < len(s.text) && !strings.ContainsRune(" \t\r\n.=]#\"'", rune(s.peek())) {
				s.next()
			}
			names = append(names, s.text[start:s.pos])
		}
		s.space()
		if s.peek() != '.' || len(names) > maxDepth {
			return names
		}
		s.next()
	}
}

// str moves past a string of any of the four kinds and returns its content,
// which is exact for the two that can be keys.
func (s *scanner) str() string {
	quote := s.text[s.pos : s.pos+1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.pos:], long) {
		s.longString(quote)
		return ""
	}
	s.next()
	start := s.pos
	for s.pos < len(s.text) && s.peek() != quote[0] && s.peek() != '\n' {
		s.escape(quote)
		s.next()
	}
	content := s.text[start:s.pos]
	s.next()
	if quote == `"` {
		return unescape(content)
	}
	return content
}

// longString moves past a string between three quotes of either kind. Up to two
// quotes may stand right before the closing three.
func (s *scanner) longString(quote string) {
	long := strings.Repeat(quote, 3)
	s.skip(3)
	for s.pos < len(s.text) && !strings.HasPrefix(s.text[s.pos:], long) {
		s.escape(quote)
		s.next()
	}
	s.skip(3)
	for i := 0; i < 2 && s.peek() == quote[0]; i++ {
		s.next()
	}
}

// escape moves past a backslash, so that what it escapes is the next byte.
func (s *scanner) escape(quote string) {
	if quote == `"` && s.peek() == '\\' {
		s.next()
	}
}

// space moves past white space within a line.
func (s *scanner) space() {
	for c := s.peek(); c == ' ' || c == '\t'; c = s.peek() {
		s.next()
	}
}

// blank moves past white space, comments and line ends.
func (s *scanner) blank() {
	for {
		switch s.peek() {
		case ' ', '\t', '\r', '\n':
			s.next()
		case '#':
			for s.pos < len(s.text) && s.peek() != '\n' {
				s.next()
			}
		default:
			return
		}
	}
}

func (s *scanner) skip(n int) {
	for range n {
		s.next()
	}
}

// peek returns the byte at the position, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos >= len(s.text) {
		return 0
	}
	return s.text[s.pos]
}

// next moves on by a byte; at the end it stays.
func (s *scanner) next() {
	if s.pos >= len(s.text) {
		return
	}
	if s.text[s.pos] == '\n' {
		s.line++
		s.start = s.pos + 1
	}
	s.pos++
}

// column is that of the position, in characters from 1. It counts on from the
// last one, for a file may be one long line.
func (s *scanner) column() int {
	if s.counted < s.start {
		s.counted, s.columns = s.start, 1
	}
	s.columns += utf8.RuneCountInString(s.text[s.counted:s.pos])
	s.counted = s.pos
	return s.columns
}

func (s *scanner) tooDeep(level int) bool {
	if level > maxDepth && s.deep == 0 {
		s.deep = s.line
	}
	return s.deep > 0
}

// unescape resolves the escapes of a basic string.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
		if digits == 0 {
			b.WriteString(simpleEscape(s[i]))
			continue
		}
		end := min(i+1+digits, len(s))
		if r, err := strconv.ParseUint(s[i+1:end], 16, 32); err == nil {
			b.WriteRune(rune(r))
		}
		i = end - 1
	}
	return b.String()
}

func simpleEscape(c byte) string {
	if i := strings.IndexByte("btnfre", c); i >= 0 {
		return "\b\t\n\f\r\x1b"[i : i+1]
	}
	return string(rune(c))
}
