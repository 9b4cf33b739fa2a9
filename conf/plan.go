package conf

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Kind of what a reload does to a virtual router.
type Kind string

// Kinds of effects.
const (
	// Unchanged: it does not notice.
	Unchanged Kind = "unchanged"
	// Updated: what has changed is applied in place; the state stays.
	Updated Kind = "updated"
	// Moved: its addresses move to another device in one step; the state stays.
	Moved Kind = "moved"
	// New: it starts.
	New Kind = "new"
	// FailsOver: it ends, and an Active hands over with priority 0.
	FailsOver Kind = "will fail over"
)

// Effect is what a reload does to one virtual router.
type Effect struct {
	// Router is its interface, VRID and family: eth0/7/ipv4.
	Router string
	Kind   Kind
	// Changes are keys with the old and the new value, and remarks. No secret
	// is in them.
	Changes []string
}

// Plan says what a reload from one configuration to another does to each
// virtual router, in the order of the next file, what ends behind it; and
// which keys at the top of the file the reload refuses or leaves until a
// restart. Default names of devices in next become those that a reload keeps.
func Plan(old, next *Config) (effects []Effect, remarks []string) {
	before, devices := map[string]*Router{}, map[string]string{}
	for i := range old.Routers {
		r := &old.Routers[i]
		if before[r.Name()] = r; r.DefaultDevice {
			devices[r.Name()] = r.DeviceName
		}
	}
	next.KeepDevices(devices)
	for i := range next.Routers {
		r := &next.Routers[i]
		effects = append(effects, effect(before[r.Name()], r))
		delete(before, r.Name())
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		effects = append(effects, Effect{Router: name, Kind: FailsOver, Changes: []string{"it is not in the new configuration"}})
	}
	return effects, global(old, next)
}

// Name identifies a virtual router, as in the log.
func (r *Router) Name() string {
	family := "ipv4"
	if r.Addresses[0].Addr.Is6() {
		family = "ipv6"
	}
	return fmt.Sprintf("%s/%d/%s", r.Interface, r.VRID, family)
}

// Remarks behind a change that concerns the other routers of the group.
const (
	agree    = "(the other routers must agree, or drop what it says)"
	abandon  = "(the other routers must not sign with it any more)"
	mustSign = "(it drops what the other routers do not sign)"
)

// remark says what a changed key asks of the other routers, "" for nothing.
func remark(key string, old, next *Router) string {
	speaks2 := next.Version == 2 || next.Migration
	switch {
	case key == "version" && !next.Migration, // "2+3" speaks with both
		(key == "vip" || key == "timers") && speaks2, // version 3 learns and tolerates them
		key == "auth_type" && !(old.unsigned() && next.unsigned()):
		return agree
	case key == "hmac.mode" && old.HMAC != nil && next.HMAC != nil:
		switch {
		case next.HMAC.Mode == "enforce":
			return mustSign
		case old.HMAC.Mode == "receive-only" || next.HMAC.Mode == "receive-only":
			return agree
		}
	}
	return ""
}

// unsigned tells whether a router sends advertisements that everybody takes.
func (r *Router) unsigned() bool {
	return r.Auth == AuthNone || r.Auth == AuthHMAC && r.HMAC.Mode == "receive-only"
}

// keyRemark says what other keys of HMAC ask of the other routers. A key that
// is added asks nothing, nor does another that signs: all verify.
func keyRemark(old, next *HMAC) string {
	if old == nil || next == nil {
		return ""
	}
	values, what := map[uint8][]byte{}, ""
	for _, k := range next.Keys {
		values[k.ID] = k.Value
	}
	for _, k := range old.Keys {
		switch value, there := values[k.ID]; {
		case there && !bytes.Equal(value, k.Value):
			return agree
		case !there:
			what = abandon
		}
	}
	return what
}

func effect(old, next *Router) Effect {
	e := Effect{Router: next.Name(), Kind: New}
	if old == nil {
		return e
	}
	e.Kind = Unchanged
	a, b := old.keys(), next.keys()
	if !bytes.Equal(old.Secret, next.Secret) {
		e.change("auth_secret")
		if old.Auth == next.Auth { // else it is said of that
			e.change(agree)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(merged(a, b))) {
		if a[key] == b[key] || key == "auth_secret" {
			continue
		}
		if (key == "iftype" || key == "vifname") && e.Kind != Moved {
			e.Kind = Moved
		}
		switch {
		case a[key] == "":
			e.change(key + " = " + b[key])
		case b[key] == "":
			e.change("no " + key)
		default:
			e.change(key + " = " + a[key] + " -> " + b[key])
		}
		if what := remark(key, old, next); what != "" {
			e.change(what)
		}
	}
	if a["hmac.key"] == b["hmac.key"] && !sameKeys(old.HMAC, next.HMAC) {
		e.change("hmac.key: other values")
	}
	if what := keyRemark(old.HMAC, next.HMAC); what != "" {
		e.change(what)
	}
	return e
}

// change adds a change, which an effect that was none has now.
func (e *Effect) change(what string) {
	if e.Kind == Unchanged {
		e.Kind = Updated
	}
	e.Changes = append(e.Changes, what)
}

func sameKeys(a, b *HMAC) bool {
	if a == nil || b == nil {
		return true // told as keys that come or go
	}
	return slices.EqualFunc(a.Keys, b.Keys, func(a, b Key) bool { return a.ID == b.ID && bytes.Equal(a.Value, b.Value) })
}

func merged(a, b map[string]string) map[string]string {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

// keys are those of the canonical form, with their values; keys of HMAC by
// their path.
func (r *Router) keys() map[string]string {
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

// Keys at the top of the file that a reload refuses, those that it leaves as
// they are, and those that it leaves if they name another directory.
var (
	refused = []string{"user"}
	later   = []string{"pid", "working_dir", "state_dir"}
	logs    = []string{"main_log", "error_log"}
)

// global lists what has changed at the top of the file.
func global(old, next *Config) (remarks []string) {
	left := Later(old, next)
	for _, c := range changes(old, next) {
		switch {
		case slices.Contains(refused, c.key):
			remarks = append(remarks, c.text+": the reload is refused, this needs a restart")
		case slices.Contains(left, c.text):
			remarks = append(remarks, c.text+": has no effect before a restart")
		default:
			remarks = append(remarks, c.text)
		}
	}
	if !slices.Equal(old.Routes, next.Routes) {
		remarks = append(remarks, "protocols.static: other routes")
	}
	return remarks
}

// Later lists the changes at the top of the file, key by key, that have no
// effect before a restart. Of old only the top is looked at.
func Later(old, next *Config) (left []string) {
	for _, c := range changes(old, next) {
		if slices.Contains(later, c.key) || slices.Contains(logs, c.key) && !old.logsIn(c.value(next)) {
			left = append(left, c.text)
		}
	}
	return left
}

// change is a key at the top of the file with another value.
type change struct{ key, text string }

// value is the path that it has in a configuration, for a key of a log.
func (c change) value(of *Config) string {
	if c.key == "main_log" {
		return of.MainLog
	}
	return of.ErrorLog
}

// logsIn says whether a log may be opened while the daemon runs: in a directory
// that it had a log in when it started.
func (c *Config) logsIn(path string) bool {
	directory := func(path string) string {
		if !filepath.IsAbs(path) {
			path = filepath.Join(c.WorkingDir, path)
		}
		return filepath.Dir(filepath.Clean(path))
	}
	return directory(path) == directory(c.MainLog) || directory(path) == directory(c.ErrorLog)
}

func changes(old, next *Config) (all []change) {
	text := func(c *Config) map[string]string {
		p := &printer{}
		p.top(c)
		return keyValues(p.String())
	}
	a, b := text(old), text(next)
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if a[key] != b[key] {
			all = append(all, change{key, key + " = " + a[key] + " -> " + b[key]})
		}
	}
	return all
}
