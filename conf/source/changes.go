package source

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rvrrpd/rvrrpd/conf"
)

// Keys are those of a virtual router in the canonical form, with their values; keys of
// HMAC by their path. No secret is in them.
func Keys(r *conf.Router) map[string]string {
	p := &printer{}
	p.router(r)
	return keyValues(p.String())
}

func keyValues(text string) map[string]string {
	values, prefix, last := map[string]string{}, "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, is := strings.Cut(line, " = ")
		switch {
		case strings.HasPrefix(line, "[[vrouter.hmac.key"):
			prefix = "hmac.key."
		case strings.HasPrefix(line, "[vrouter.hmac"):
			prefix = "hmac."
		case strings.HasPrefix(line, "[["), line == "":
		case is:
			if last = prefix + key; prefix == "hmac.key." {
				last = "hmac.key" // several: all in one
			}
			values[last] = strings.TrimSpace(values[last] + " " + value)
		default: // of a list on several lines
			values[last] += line
		}
	}
	return values
}

// Keys at the top of the file that a reload leaves as they are, and those that it
// leaves if they name another directory. All but one matter to the daemon mode alone.
var (
	later = []string{"pid", "working_dir", stateDir}
	logs  = []string{"main_log", "error_log"}
)

const stateDir = "state_dir"

// Later lists the changes at the top of the file, key by key, that have no
// effect before a restart, of a daemon in the daemon mode or in the foreground. Of old only the
// top is looked at.
func Later(old, next *conf.Config, daemon bool) (left []string) {
	for _, c := range Changes(old, next) {
		waits := slices.Contains(later, c.Key) || slices.Contains(logs, c.Key) && !logsIn(old, c.value(next))
		if waits && (daemon || c.Key == stateDir) {
			left = append(left, c.Text)
		}
	}
	return left
}

// Change is a key at the top of the file with another value, and both in words.
type Change struct{ Key, Text string }

// value is the path that it has in a configuration, for a key of a log.
func (c Change) value(of *conf.Config) string {
	if c.Key == "main_log" {
		return of.MainLog
	}
	return of.ErrorLog
}

// logsIn says whether a log may be opened while the daemon runs: in a directory
// that it had a log in when it started.
func logsIn(c *conf.Config, path string) bool {
	directory := func(path string) string { return filepath.Dir(filepath.Clean(c.Within(path))) }
	return directory(path) == directory(c.MainLog) || directory(path) == directory(c.ErrorLog)
}

// Changes lists what differs at the top of the file.
func Changes(old, next *conf.Config) (all []Change) {
	text := func(c *conf.Config) map[string]string {
		p := &printer{}
		p.top(c)
		return keyValues(p.String())
	}
	a, b := text(old), text(next)
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if a[key] != b[key] {
			all = append(all, Change{key, key + " = " + a[key] + " -> " + b[key]})
		}
	}
	return all
}
