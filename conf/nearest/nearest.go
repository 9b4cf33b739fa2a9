// Package nearest finds what somebody may have meant by a word.
package nearest

import "strings"

// Name returns the name that is at most about a third of its letters from
// the key, "" where there is none. Case does not count.
func Name(names []string, key string) string {
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
