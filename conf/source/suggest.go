package source

import (
	"strings"

	"github.com/rvrrpd/rvrrpd/conf/nearest"
)

// suggest says what may stand in the table at path instead of an unknown key:
// the nearest key of that table, the table in which the key would be right, or
// all keys of the table.
func suggest(path, key string) string {
	names := keysOf(path)
	if best := nearest.Name(names, key); best != "" {
		return "did you mean " + best + "?"
	}
	for i := range settings {
		if s := &settings[i]; s.name() == key {
			return "accepted: " + key + " " + whereabouts(s.parent())
		}
	}
	return "accepted: " + strings.Join(names, ", ")
}

// whereabouts says where the keys of the table at path stand.
func whereabouts(path string) string {
	switch known := byKey[path]; {
	case path == "":
		return "at the top of the file, before the first table"
	case known.form == tablesForm:
		return "in [[" + path + "]]"
	default:
		return "in [" + path + "]"
	}
}
