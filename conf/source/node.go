package source

import (
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// kind is the type of a value in a file.
type kind uint8

const (
	nullKind kind = iota
	booleanKind
	integerKind
	floatKind
	stringKind
	timeKind
	arrayKind
	tableKind
)

// String returns the kind as an error names it.
func (k kind) String() string {
	return [...]string{
		nullKind: "null", booleanKind: "a boolean", integerKind: "an integer", floatKind: "a float",
		stringKind: "a string", timeKind: "a date or time", arrayKind: "an array", tableKind: "a table",
	}[k]
}

// node is a value of a file, TOML or JSON, with the place it stands at: that of
// the key, of the table header, or of the element of an array.
type node struct {
	line, column int
	kind         kind
	// text is the content of a string; of a number it is the way it is written.
	text    string
	integer int64
	boolean bool
	items   []*node
	table   map[string]*node
}

// wipeString overwrites a string that a decoder has made and nobody uses any
// more. One of a single byte may be the runtime's.
func wipeString(s string) {
	if len(s) > 1 {
		clear(unsafe.Slice(unsafe.StringData(s), len(s)))
	}
}

// wipe overwrites the strings of a node and below it, which nobody may use any
// more.
func (n *node) wipe() {
	if n.kind == stringKind {
		wipeString(n.text)
	}
	n.text = ""
	for _, item := range n.items {
		item.wipe()
	}
	for _, item := range n.table {
		item.wipe()
	}
}

// literal writes a scalar the way TOML does, for comparison with the table of
// settings. Other kinds have none.
func (n *node) literal() string {
	switch n.kind {
	case stringKind:
		return strconv.Quote(n.text)
	case integerKind, floatKind:
		return n.text
	case booleanKind:
		return strconv.FormatBool(n.boolean)
	default:
		return ""
	}
}

// shown is the literal cut to a length an error can hold.
func (n *node) shown() string {
	if n.kind == stringKind {
		return quote(n.text)
	}
	return n.literal()
}

// longestShown is the most bytes of a value or key an error repeats.
const longestShown = 64

// quote quotes a string for an error: printable, and cut where it is long.
func quote(s string) string {
	if len(s) > longestShown {
		cut := longestShown
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strconv.Quote(s)
}

// printable escapes what would disturb a terminal or a log.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// join returns the path of a key in the table at label. A key that TOML would
// not let stand bare is quoted.
func join(label, key string) string {
	bare := key != "" && len(key) <= longestShown
	for i := 0; bare && i < len(key); i++ {
		bare = isBare(key[i])
	}
	if !bare {
		key = quote(key)
	}
	if label == "" {
		return key
	}
	return label + "." + key
}

// isBare tells whether a byte may stand in a bare key of TOML.
func isBare(c byte) bool {
	return c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// numbered returns the path of an entry of the array at label; i counts from
// 0, the path from 1.
func numbered(label string, i int) string {
	return label + "[" + strconv.Itoa(i+1) + "]"
}
