package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unsafe"

	"github.com/BurntSushi/toml"
)

// tooDeep is the problem of a file whose tables or arrays nest too deeply.
var tooDeep = fmt.Sprintf("is nested too deeply; accepted: at most %d levels", maxDepth)

// parseTOML turns a TOML text into nodes. It returns no node when the text is
// not well formed.
func parseTOML(name string, data []byte) (*node, Errors) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	// The decoder tells lines only for syntax errors, so they come from a scan
	// of our own; it goes first because it also bounds the nesting.
	lines, deep := scanTOML(unsafe.String(unsafe.SliceData(data), len(data))) // no copy, for there may be secrets in it
	if deep > 0 {
		return nil, Errors{{File: name, Line: deep, Problem: tooDeep}}
	}
	var values map[string]any
	err := decodeTOML(data, roomy, &values)
	if err != nil {
		err = decodeTOML(data, 0, &values) // for the place of the error
	}
	if err != nil {
		return nil, Errors{tomlError(name, data, err)}
	}
	return tomlNode(values, lines, 1), nil
}

// roomy is a size for which Go's allocator uses memory of its own, so that it
// goes back to the kernel as a whole. It ends at 32 KiB that pieces of memory
// lie beside others.
const roomy = 40 << 10

// decodeTOML decodes a text. The decoder makes two copies of it that nobody
// can overwrite; line ends up to a size at least keep them away from what
// lives on.
func decodeTOML(data []byte, size int, values *map[string]any) error {
	in := &wipingReader{rest: data, padding: size - len(data)}
	defer in.wipe()
	_, err := toml.NewDecoder(in).Decode(values)
	return err
}

// wipingReader gives a text to a decoder, and line ends behind it, and
// overwrites the memory that the decoder has read it into.
type wipingReader struct {
	rest    []byte
	padding int
	into    [][]byte
	// whole: the text is given at once, so that the decoder never moves a part
	// of it. Where there is no room for that yet, it gets spaces before it.
	whole  bool
	spaces int
}

func (r *wipingReader) Read(p []byte) (int, error) {
	if r.whole && len(p) < len(r.rest) {
		for i := range p {
			p[i] = ' '
		}
		r.spaces += len(p)
		return len(p), nil
	}
	n := copy(p, r.rest)
	r.rest, r.into = r.rest[n:], append(r.into, p[:n])
	for ; n < len(p) && r.padding > 0; n++ {
		p[n] = '\n'
		r.padding--
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *wipingReader) wipe() {
	for _, b := range r.into {
		clear(b)
	}
}

// tomlNode joins a decoded value with the lines of the scan; where those are
// missing it takes the line of the value around it.
func tomlNode(value any, at *mark, line int) *node {
	if at == nil {
		at = &mark{line: line}
	}
	n := &node{line: at.line, column: at.column}
	switch v := value.(type) {
	case bool:
		n.kind, n.boolean = booleanKind, v
	case int64:
		n.kind, n.integer, n.text = integerKind, v, strconv.FormatInt(v, 10)
	case float64:
		n.kind, n.text = floatKind, strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		// The decoder's is a part of the whole text, which would live as long.
		n.kind, n.text = stringKind, strings.Clone(v)
		wipeString(v)
	case []any:
		n.kind = arrayKind
		for i, item := range v {
			n.items = append(n.items, tomlNode(item, at.item(i), at.line))
		}
	case []map[string]any:
		n.kind = arrayKind
		for i, item := range v {
			n.items = append(n.items, tomlNode(item, at.item(i), at.line))
		}
	case map[string]any:
		n.kind, n.table = tableKind, make(map[string]*node, len(v))
		for key, item := range v {
			n.table[key] = tomlNode(item, at.keys[key], at.line)
		}
	default:
		n.kind = timeKind
	}
	return n
}

// oneRune matches the decoder's messages that quote at most one character of
// the file.
var oneRune = regexp.MustCompile(`^(expected .*(got|found) ('(\\.[0-9a-f]*|.)'|end of file)( instead)?` +
	`|unexpected .*|invalid escape in string '\\.'|strings cannot contain newlines` +
	`|newlines not allowed.*|TOML files cannot contain.*|files cannot contain.*|floats must start.*)$`)

// tomlError translates the decoder's error. The decoder quotes from the file,
// and what it quotes may be a piece of a secret.
func tomlError(name string, data []byte, err error) Error {
	var syntax toml.ParseError
	if !errors.As(err, &syntax) {
		return Error{File: name, Line: 1, Problem: "TOML syntax error"}
	}
	e := Error{File: name, Line: max(1, syntax.Position.Line), Column: columnAt(data, syntax.Position.Start)}
	message := printable(syntax.Message)
	if strings.Contains(message, "table") && strings.HasSuffix(message, `got '\n' instead`) && e.Line > 1 {
		// In a header the decoder names the line that an unexpected line end
		// begins.
		e.Line, e.Column = e.Line-1, 0
	}
	if rest, ok := strings.CutPrefix(message, "Key '"); ok {
		if key, problem, ok := strings.Cut(rest, "' "); ok {
			e.Key, e.Problem = key, strings.TrimSuffix(problem, ".")+"; accepted: each key once"
			return e
		}
	}
	if !oneRune.MatchString(message) && !harmless(data, e.Line, message) {
		message = "invalid value (not shown, it may be a secret)"
	}
	e.Problem = "TOML syntax: " + message
	return e
}

// harmless tells whether the line sets a key of ours that is no secret. The
// messages about \x and \u quote a whole string, which may have begun lines
// before.
func harmless(data []byte, line int, message string) bool {
	lines := bytes.Split(data, []byte{'\n'})
	if line > len(lines) || strings.Contains(message, "hexadecimal digits after") {
		return false
	}
	key, _, found := strings.Cut(string(lines[line-1]), "=")
	if !found {
		return false
	}
	key = strings.TrimSpace(key)
	for _, s := range settings {
		if s.name() == key && !s.secret && s.form.scalar() {
			return true
		}
	}
	return false
}
