package main

import (
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
)

// plain makes an attribute print the same in text and in JSON: what has words
// of its own is logged in these, and so are the elements of a list. JSON alone
// would write what it sees of a type, which may be nothing, or a number.
func plain(a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindAny {
		return a
	}
	switch v := a.Value.Any().(type) {
	case *slog.Source, error, encoding.TextMarshaler, json.Marshaler: // slog asks them
	case fmt.Stringer:
		a.Value = slog.StringValue(words(v))
	default:
		if list := reflect.ValueOf(v); v != nil && list.Kind() == reflect.Slice && saysItself(list.Type().Elem()) {
			all := make([]string, list.Len())
			for i := range all {
				all[i] = fmt.Sprint(list.Index(i).Interface())
			}
			a.Value = slog.AnyValue(all)
		}
	}
	return a
}

// words are those of a value, perhaps nil.
func words(v fmt.Stringer) string {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
		return "<nil>"
	}
	return v.String()
}

// saysItself tells whether values of a type have words of their own.
func saysItself(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[fmt.Stringer]()) || t.Implements(reflect.TypeFor[error]())
}
