package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseJSON turns a JSON text into nodes. It returns no node when the text is
// not well formed; a key given twice is an error that leaves the first value.
func parseJSON(name string, data []byte) (_ *node, warnings []string, _ Errors) {
	// The token reader below is laxer than the grammar and stops at the end of
	// the first value: let the grammar be checked first.
	var whole json.RawMessage
	defer func() { clear(whole) }() // a copy, and there may be secrets in it
	err := json.Unmarshal(data, &whole)
	if err != nil {
		// rVRRPd's own sample has a comma behind the last value.
		if patched, at := withoutLastCommas(data); len(at) > 0 && json.Unmarshal(patched, &whole) == nil {
			for _, offset := range at {
				warnings = append(warnings, Error{File: name, Line: lineAt(data, offset), Column: columnAt(data, offset),
					Problem: "JSON has no comma behind the last value; it is ignored"}.Error())
			}
			data, err = patched, nil
			defer clear(patched)
		}
	}
	if err != nil {
		e := Error{File: name, Line: 1, Problem: "JSON syntax: " + err.Error()}
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			e.Line, e.Column = lineAt(data, max(0, int(syntax.Offset)-1)), columnAt(data, max(0, int(syntax.Offset)-1))
		}
		return nil, nil, Errors{e}
	}
	in := &wipingReader{rest: data, whole: true}
	defer in.wipe()
	r := &jsonReader{name: name, data: data, in: in, tokens: json.NewDecoder(in), line: 1, column: 1}
	r.tokens.UseNumber()
	root := r.value("", 0)
	if r.fatal != nil {
		return nil, nil, Errors{*r.fatal}
	}
	if root.kind != tableKind {
		return nil, nil, Errors{{File: name, Line: root.line, Problem: fmt.Sprintf("is %v; accepted: an object", root.kind)}}
	}
	return root, warnings, r.errs
}

// withoutLastCommas returns the text with spaces in place of the commas that
// stand before a closing bracket, and where these were.
func withoutLastCommas(data []byte) (patched []byte, at []int) {
	patched = bytes.Clone(data)
	comma, quoted := -1, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted, comma = !quoted, -1
		case quoted:
		case c == ',':
			comma = i
		case (c == ']' || c == '}') && comma >= 0:
			patched[comma] = ' '
			at, comma = append(at, comma), -1
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			comma = -1
		}
	}
	return patched, at
}

// jsonReader builds nodes from tokens.
type jsonReader struct {
	name   string
	data   []byte
	in     *wipingReader // of tokens
	tokens *json.Decoder
	// line is that of offset, the end of the last token.
	line, offset int
	// column is that of the beginning of the last token, which is at counted.
	column, counted int
	errs            Errors
	fatal           *Error
}

// begin moves the place to the beginning of the next token.
func (r *jsonReader) begin() {
	at := r.offset
	for at < len(r.data) && bytes.IndexByte([]byte(" \t\r\n,:"), r.data[at]) >= 0 {
		at++
	}
	between := r.data[r.counted:at]
	if i := bytes.LastIndexByte(between, '\n'); i >= 0 {
		between, r.column = between[i+1:], 1
	}
	r.column += utf8.RuneCount(between)
	r.counted = at
}

// token returns the next token, nil after a fatal error, which a text that
// passed the grammar does not have.
func (r *jsonReader) token() json.Token {
	r.begin()
	t, err := r.tokens.Token()
	if err != nil {
		r.fail("JSON syntax: " + err.Error())
		return nil
	}
	// No token of JSON spans lines, so its end is on its line.
	end := int(r.tokens.InputOffset()) - r.in.spaces
	r.line += bytes.Count(r.data[r.offset:end], []byte{'\n'})
	r.offset = end
	return t
}

func (r *jsonReader) fail(problem string) {
	if r.fatal == nil {
		r.fatal = &Error{File: r.name, Line: r.line, Problem: problem}
	}
}

// value reads one value; label is the path it goes by in errors.
func (r *jsonReader) value(label string, depth int) *node {
	t := r.token()
	n := &node{line: r.line, column: r.column}
	if depth > maxDepth {
		r.fail(tooDeep)
		return n
	}
	switch t := t.(type) {
	case bool:
		n.kind, n.boolean = booleanKind, t
	case string:
		n.kind, n.text = stringKind, t
	case json.Number:
		n.number(t.String())
	case json.Delim:
		if t == '{' {
			r.object(n, label, depth)
		} else {
			r.array(n, label, depth)
		}
	}
	return n
}

func (r *jsonReader) object(n *node, label string, depth int) {
	n.kind, n.table = tableKind, map[string]*node{}
	for r.fatal == nil && r.tokens.More() {
		key, _ := r.token().(string)
		line, column, path := r.line, r.column, join(label, key)
		v := r.value(path, depth+1)
		v.line, v.column = line, column
		if first, ok := n.table[key]; ok {
			r.errs = append(r.errs, Error{File: r.name, Line: line, Column: column, Key: path, Problem: fmt.Sprintf("is given twice, first on line %d; accepted: each key once", first.line)})
			continue
		}
		n.table[key] = v
	}
	r.token()
}

func (r *jsonReader) array(n *node, label string, depth int) {
	n.kind = arrayKind
	for r.fatal == nil && r.tokens.More() {
		n.items = append(n.items, r.value(numbered(label, len(n.items)), depth+1))
	}
	r.token()
}

// number sets the node to a number as JSON writes it. An integer beyond int64
// stays an integer, at the bound, so that it is reported as out of range.
func (n *node) number(text string) {
	n.kind, n.text = integerKind, text
	if strings.ContainsAny(text, ".eE") {
		n.kind = floatKind
		return
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		v = math.MaxInt64
		if text[0] == '-' {
			v = math.MinInt64
		}
	}
	n.integer = v
}
