package conf

import (
	"sort"
	"strconv"
	"strings"
)

// Error is one thing wrong with a configuration file.
type Error struct {
	// File is the name of the file.
	File string
	// Line counts from 1; 0 means the file as a whole.
	Line int
	// Key is the dotted path of the key, with the number of the entry, from 1,
	// where a table or value is one of several: vrouter[2].priority. It is ""
	// where no key is concerned, as with most syntax errors.
	Key string
	// Problem says what is wrong and what is accepted. It never holds the
	// value of a secret.
	Problem string
}

// Error returns FILE:LINE: KEY: PROBLEM, without what is unset.
func (e Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(e.Line))
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
