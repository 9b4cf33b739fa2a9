package logger

import (
	"encoding"
	"fmt"
	"log/slog"
	"reflect"

	"github.com/rvrrpd/rvrrpd/ipc/keeping"
)

// attribute is one in words, numbers and lists of words: what has words of its own is logged
// in these, whatever format the log has.
func attribute(a slog.Attr) keeping.Attr {
	k := keeping.Attr{Key: a.Key}
	switch v := a.Value.Any().(type) {
	case nil, bool, int64, uint64, float64, string:
		k.Value = v
	case encoding.TextMarshaler:
		text, err := v.MarshalText()
		k.Value = string(text)
		if err != nil {
			k.Value = err.Error()
		}
	case fmt.Stringer, error:
		k.Value = fmt.Sprint(v)
	default:
		k.Value = fmt.Sprint(v)
		if list := reflect.ValueOf(v); list.Kind() == reflect.Slice {
			all := make([]string, list.Len())
			for i := range all {
				all[i] = fmt.Sprint(list.Index(i).Interface())
			}
			k.Value = all
		}
	}
	if a.Value.Kind() == slog.KindDuration {
		k.Duration, k.Value = true, a.Value.Duration()
	}
	return k
}
