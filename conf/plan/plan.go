// Package plan tells what a reload would do. It is no part of the daemon, which
// does it.
package plan

import (
	"bytes"
	"maps"
	"slices"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
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

// Of says what a reload from one configuration to another does to each
// virtual router, in the order of the next file, what ends behind it; and
// which keys at the top of the file the reload refuses or leaves until a
// restart. Default names of devices in next become those that a reload keeps.
func Of(old, next *conf.Config) (effects []Effect, remarks []string) {
	before, devices := map[string]*conf.Router{}, map[string]string{}
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

// Remarks behind a change that concerns the other routers of the group.
const (
	agree    = "(the other routers must agree, or drop what it says)"
	abandon  = "(the other routers must not sign with it any more)"
	mustSign = "(it drops what the other routers do not sign)"
)

// remark says what a changed key asks of the other routers, "" for nothing.
func remark(key string, old, next *conf.Router) string {
	speaks2 := next.Version == 2 || next.Migration
	switch {
	case key == "version" && !next.Migration, // "2+3" speaks with both
		(key == "vip" || key == "timers") && speaks2, // version 3 learns and tolerates them
		key == "auth_type" && !(unsigned(old) && unsigned(next)):
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
func unsigned(r *conf.Router) bool {
	return r.Auth == conf.AuthNone || r.Auth == conf.AuthHMAC && r.HMAC.Mode == "receive-only"
}

// keyRemark says what other keys of HMAC ask of the other routers. A key that
// is added asks nothing, nor does another that signs: all verify.
func keyRemark(old, next *conf.HMAC) string {
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

func effect(old, next *conf.Router) Effect {
	e := Effect{Router: next.Name(), Kind: New}
	if old == nil {
		return e
	}
	e.Kind = Unchanged
	a, b := source.Keys(old), source.Keys(next)
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

func sameKeys(a, b *conf.HMAC) bool {
	if a == nil || b == nil {
		return true // told as keys that come or go
	}
	return slices.EqualFunc(a.Keys, b.Keys, func(a, b conf.Key) bool { return a.ID == b.ID && bytes.Equal(a.Value, b.Value) })
}

func merged(a, b map[string]string) map[string]string {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

// refused are keys at the top of the file that a reload does not take.
var refused = []string{"user"}

// global lists what has changed at the top of the file.
func global(old, next *conf.Config) (remarks []string) {
	left := source.Later(old, next, true)
	for _, c := range source.Changes(old, next) {
		switch {
		case slices.Contains(refused, c.Key):
			remarks = append(remarks, c.Text+": the reload is refused, this needs a restart")
		case slices.Contains(left, c.Text):
			remarks = append(remarks, c.Text+": has no effect before a restart")
		default:
			remarks = append(remarks, c.Text)
		}
	}
	if !slices.Equal(old.Routes, next.Routes) {
		remarks = append(remarks, "protocols.static: other routes")
	}
	return remarks
}
