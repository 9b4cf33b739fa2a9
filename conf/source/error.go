package source

import (
	"bytes"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error is one thing wrong with a configuration file.
type Error struct {
	// File is the name of the file.
	File string
	// Line counts from 1; 0 means the file as a whole.
	Line int
	// Column counts characters from 1; 0 means the line as a whole.
	Column int
	// Key is the dotted path of the key, with the number of the entry, from 1,
	// where a table or value is one of several: vrouter[2].priority. It is ""
	// where no key is concerned, as with most syntax errors.
	Key string
	// Problem says what is wrong and what is accepted. It never holds the
	// value of a secret.
	Problem string
	// Cause is what the system said to it, if it did.
	Cause error
}

// Unwrap returns the cause.
func (e Error) Unwrap() error { return e.Cause }

// Error returns FILE:LINE:COLUMN: KEY: PROBLEM, without what is unset.
func (e Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(e.Line))
	}
	if e.Line > 0 && e.Column > 0 {
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(e.Column))
	}
	b.WriteString(": ")
	if e.Key != "" {
		b.WriteString(e.Key)
		b.WriteString(": ")
	}
	b.WriteString(e.Problem)
	return b.String()
}

// Errors is everything wrong with a configuration file, sorted by line.
type Errors []Error

// Unwrap returns the errors.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i := range e {
		errs[i] = e[i]
	}
	return errs
}

// Error returns the errors one a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// sorted orders the errors by line and keeps the order of those that share one.
func (e Errors) sorted() Errors {
	sort.SliceStable(e, func(i, j int) bool { return e[i].Line < e[j].Line })
	return e
}

// spot is where in a file something stands.
type spot struct{ line, column int }

// spots lists where the keys and the elements of arrays stand, by the path
// that errors name them by.
func spots(n *node, label string, all map[string]spot) {
	all[label] = spot{n.line, n.column}
	for key, below := range n.table {
		spots(below, join(label, key), all)
	}
	for i, item := range n.items {
		spots(item, numbered(label, i), all)
	}
}

// locate adds the columns of those that name a key of the document.
func (e Errors) locate(root *node) {
	all := map[string]spot{}
	spots(root, "", all)
	for i := range e {
		if at, known := all[e[i].Key]; known && e[i].Key != "" && e[i].Column == 0 && at.line == e[i].Line {
			e[i].Column = at.column
		}
	}
}

// columnAt is the column, from 1, of the byte at offset. The decoder of TOML
// gives -1 for a control character that the file begins with.
func columnAt(data []byte, offset int) int {
	before := data[:max(0, min(offset, len(data)))]
	return 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}
