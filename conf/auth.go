package conf

import (
	"encoding/hex"
	"strings"
	"time"
)

// Specification constants: what a key of HMAC may be (RFC 2104 §3; the draft).
const (
	minKey, maxKey = 32, 64
	// leastWindow is the least default of time_window.
	leastWindow = 5 * time.Second
)

// maxShared is the longest auth_secret, in bytes.
const maxShared = 512

func isShared(s string) bool { return s != "" && len(s) <= maxShared }

// Prefixes of the value of a key.
const (
	fromHex        = "hex:"
	fromFile       = "file:"
	fromCredential = "credential:"
)

// isKey tells whether s can be the value of a key.
func isKey(s string) bool {
	if path, ok := strings.CutPrefix(s, fromFile); ok {
		return isFullPath(path)
	}
	if name, ok := strings.CutPrefix(s, fromCredential); ok {
		return isPath(name) && !strings.Contains(name, "/") && name != "." && name != ".."
	}
	return keyBytes(s) != nil
}

// keyBytes returns the key that a text is, nil when it is none.
func keyBytes(s string) []byte {
	var key []byte
	if digits, ok := strings.CutPrefix(s, fromHex); ok {
		var err error
		if key, err = hex.DecodeString(digits); err != nil {
			return nil
		}
	} else if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0 {
		key = []byte(s)
	}
	if len(key) < minKey || len(key) > maxKey {
		return nil
	}
	return key
}

// auth reads how a virtual router authenticates, and refuses secrets of
// another kind.
func (b *builder) auth(s *section, v *Router) {
	v.Auth = AuthType(s.text("auth_type"))
	switch n := s.values["auth_type"]; v.Auth {
	case "p1-t8-shake256":
		v.Auth = AuthP1
	case "0":
		v.Auth = AuthNone
		b.warn(n, join(s.label, "auth_type"), `is "none": numbers are those of old files of rVRRPd`)
	}
	if s.invalid("auth_type") {
		return
	}
	legacy := v.Auth == AuthSimple || v.Auth == AuthP0 || v.Auth == AuthP1
	if n := s.values["auth_type"]; legacy && (v.Version != 2) {
		b.fail(n.line, join(s.label, "auth_type"), `%s authenticates version 2 alone; accepted: "none", "hmac", or version = 2`, n.shown())
	}
	if n := s.values["auth_secret"]; n != nil {
		switch v.Secret = []byte(n.text); {
		case legacy:
		case v.Auth == AuthNone && (s.values["auth_type"] == nil || s.values["auth_type"].kind == integerKind):
			v.Secret = nil
			b.warn(n, join(s.label, "auth_secret"), "has no effect without auth_type: nothing is authenticated")
		default:
			b.fail(n.line, join(s.label, "auth_secret"), "has no meaning with auth_type = %q; accepted: auth_secret with \"rfc2338-simple\", \"p0-t8-sha256\" and \"p1-b8-shake256\"", string(v.Auth))
		}
	}
	switch tables := s.tables["hmac"]; {
	case len(tables) == 0 && v.Auth == AuthHMAC:
		b.fail(s.line, join(s.label, "hmac"), `is missing with auth_type = "hmac"; accepted: a table [vrouter.hmac]`)
	case len(tables) > 0 && v.Auth != AuthHMAC:
		b.fail(tables[0].line, join(s.label, "hmac"), "has no meaning with auth_type = %q; accepted: [vrouter.hmac] with auth_type = \"hmac\"", string(v.Auth))
	case len(tables) > 0:
		v.HMAC = b.hmac(tables[0], v.AdverInterval)
	}
}

// hmac reads the table [vrouter.hmac].
func (b *builder) hmac(s *section, interval time.Duration) *HMAC {
	h := &HMAC{
		ActiveKey: uint8(s.number("active_key")), AntiReplay: s.text("anti_replay"), Mode: s.text("mode"),
		Window: time.Duration(s.number("time_window")) * time.Second,
	}
	if s.values["time_window"] == nil {
		h.Window = max((3*interval + time.Second - 1).Truncate(time.Second), leastWindow)
	}
	lines := map[int64]int{}
	for _, k := range s.tables["key"] {
		id, value := k.values["id"], k.values["value"]
		if id == nil || value == nil {
			continue
		}
		if first := lines[id.integer]; first > 0 {
			b.fail(id.line, join(k.label, "id"), "%d is already the id of a key (line %d); accepted: each id once", id.integer, first)
			continue
		}
		lines[id.integer] = id.line
		key := Key{ID: uint8(id.integer), Value: keyBytes(value.text)}
		if strings.HasPrefix(value.text, fromFile) || strings.HasPrefix(value.text, fromCredential) {
			key.Source, key.Value = value.text, nil
		}
		h.Keys = append(h.Keys, key)
	}
	if n := s.values["active_key"]; n != nil && lines[n.integer] == 0 && len(lines) == len(s.tables["key"]) {
		b.fail(n.line, join(s.label, "active_key"), "there is no key %d; accepted: the id of a [[vrouter.hmac.key]]", n.integer)
	}
	return h
}
