package conf

import "strings"

// suggest says what may stand in the table at path instead of an unknown key:
// the nearest key of that table, the table in which the key would be right, or
// all keys of the table.
func suggest(path, key string) string {
	names := keysOf(path)
	if best := nearest(names, key); best != "" {
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

// Nearest returns the name that somebody may have meant by the key, "" where
// none is near.
func Nearest(names []string, key string) string { return nearest(names, key) }

// nearest returns the name that is at most about a third of its letters from
// the key, "" where there is none. Case does not count.
func nearest(names []string, key string) string {
	const longest = 32
	if len(key) > longest {
		return ""
	}
	key = strings.ToLower(key)
	best, bestDistance := "", 0
	for _, name := range names {
		d := distance(name, key)
		if d <= (len(name)+1)/3 && (best == "" || d < bestDistance) {
			best, bestDistance = name, d
		}
	}
	return best
}

// distance is that of two strings in bytes: of Levenshtein, but two letters in
// the wrong order are one mistake.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := row[j]
			if a[i] != b[j] {
				cost++
			}
			next[j+1] = min(cost, next[j]+1, row[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
