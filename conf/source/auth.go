package source

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/rvrrpd/rvrrpd/conf"
)

// leastWindow and mostWindow bound the default of time_window.
const leastWindow, mostWindow = 5 * time.Second, 300 * time.Second

// maxPassword is how many bytes of an auth_secret rfc2338-simple sends (RFC 2338 §5.3.10).
const maxPassword = 8

// Warnings of secrets that are valid, and perhaps not what was meant.
const (
	longPassword = "is longer than 8 bytes: only the first 8 count"
	bareDigits   = `is 64 hexadecimal digits without "hex:": the key is these characters, and not the 32 bytes that they may stand for`
)

// looksHexadecimal tells whether a text is a key in two ways, as it is, and
// with "hex:" in front of it.
func looksHexadecimal(text []byte) bool {
	return len(text) == 2*conf.MinKey && !bytes.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) })
}

// printedSecret is what is wrong with a value that Print has put in the place
// of a secret.
const printedSecret = "is what is printed in the place of a secret, and none"

// sharedProblem says what is wrong with an auth_secret, "" for nothing.
func sharedProblem(s string) string {
	switch {
	case s == redacted:
		return printedSecret
	case isPlace(s):
		return placeProblem(s)
	case len(s) > conf.MaxSecret:
		return fmt.Sprintf("has %d bytes", len(s))
	}
	return ""
}

// fromHex is the prefix of a key in digits.
const fromHex = "hex:"

// isPlace tells whether a value says where a secret is kept.
func isPlace(s string) bool {
	return strings.HasPrefix(s, conf.FromFile) || strings.HasPrefix(s, conf.FromCredential)
}

// placeProblem says what is wrong with such a value, "" for nothing.
func placeProblem(s string) string {
	if path, is := strings.CutPrefix(s, conf.FromFile); is && !conf.IsFullPath(path) {
		return "is no full path"
	}
	name, is := strings.CutPrefix(s, conf.FromCredential)
	if is && !conf.IsCredential(name) {
		return "is no name of a credential"
	}
	return ""
}

// keyProblem says what is wrong with the value of a key, "" for nothing. It
// never tells the value.
func keyProblem(s string) string {
	switch {
	case s == redacted:
		return printedSecret
	case isPlace(s):
		return placeProblem(s)
	}
	b := []byte(s)
	key, problem := keyBytes(b)
	clear(b)
	clear(key)
	if problem != "" {
		return "is " + problem
	}
	return ""
}

// keyBytes returns a copy of the key that a text is, or what the text is
// instead.
func keyBytes(b []byte) (key []byte, problem string) {
	digits, isHex := bytes.CutPrefix(b, []byte(fromHex))
	switch {
	case bytes.HasPrefix(b, []byte(conf.FromFile)) || bytes.HasPrefix(b, []byte(conf.FromCredential)):
		return nil, "the place of a key, and none"
	case isHex && len(digits)%2 != 0:
		return nil, fmt.Sprintf("a key of %d hexadecimal digits, an odd number", len(digits))
	case isHex:
		key = make([]byte, len(digits)/2)
		if _, err := hex.Decode(key, digits); err != nil {
			clear(key)
			return nil, `a key with something else than digits behind "hex:"`
		}
	case bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r > '~' }):
		return nil, `a key with other than printable ASCII characters, which has to be written as "hex:" and digits`
	default:
		key = bytes.Clone(b)
	}
	if len(key) < conf.MinKey || len(key) > conf.MaxKey {
		clear(key)
		return nil, fmt.Sprintf("a key of %d bytes", len(key))
	}
	return key, ""
}

// auth reads how a virtual router authenticates, and refuses secrets of
// another kind.
func (b *builder) auth(s *section, v *conf.Router) {
	v.Auth = conf.AuthType(s.text("auth_type"))
	switch n := s.values["auth_type"]; v.Auth {
	case "p1-t8-shake256":
		v.Auth = conf.AuthP1
	case "0":
		v.Auth = conf.AuthNone
		b.warn(n, join(s.label, "auth_type"), `is "none": numbers are those of old files of rVRRPd`)
	}
	if s.invalid("auth_type") {
		return
	}
	legacy := v.Auth == conf.AuthSimple || v.Auth == conf.AuthP0 || v.Auth == conf.AuthP1
	if n := s.values["auth_type"]; legacy && (v.Version != 2) {
		b.fail(n.line, join(s.label, "auth_type"), `%s authenticates version 2 alone; accepted: "none", "hmac", or version = 2`, n.shown())
	}
	if n := s.values["auth_secret"]; n != nil {
		if isPlace(n.text) {
			v.SecretSource = strings.Clone(n.text)
		} else {
			v.Secret = []byte(n.text)
		}
		switch {
		case legacy && v.Auth == conf.AuthSimple && len(v.Secret) > maxPassword:
			b.warn(n, join(s.label, "auth_secret"), longPassword)
		case legacy:
		case v.Auth == conf.AuthNone && (s.values["auth_type"] == nil || s.values["auth_type"].kind == integerKind):
			clear(v.Secret)
			v.Secret, v.SecretSource = nil, ""
			b.warn(n, join(s.label, "auth_secret"), "has no effect without auth_type: nothing is authenticated")
		default:
			b.fail(n.line, join(s.label, "auth_secret"), "has no meaning with auth_type = %q; accepted: auth_secret with \"rfc2338-simple\", \"p0-t8-sha256\" and \"p1-b8-shake256\"", string(v.Auth))
		}
	}
	if legacy && len(v.Secret) == 0 && v.SecretSource == "" && !s.invalid("auth_secret") {
		at := Error{File: b.file, Line: s.line, Key: join(s.label, "auth_secret"), Problem: "is empty: everybody knows it"}
		b.warnings = append(b.warnings, at.Error())
	}
	switch tables := s.tables["hmac"]; {
	case len(tables) == 0 && v.Auth == conf.AuthHMAC:
		b.fail(s.line, join(s.label, "hmac"), `is missing with auth_type = "hmac"; accepted: a table [vrouter.hmac]`)
	case len(tables) > 0 && v.Auth != conf.AuthHMAC:
		b.fail(tables[0].line, join(s.label, "hmac"), "has no meaning with auth_type = %q; accepted: [vrouter.hmac] with auth_type = \"hmac\"", string(v.Auth))
	case len(tables) > 0:
		v.HMAC = b.hmac(tables[0], v.AdverInterval)
	}
}

// hmac reads the table [vrouter.hmac].
func (b *builder) hmac(s *section, interval time.Duration) *conf.HMAC {
	h := &conf.HMAC{
		ActiveKey: uint8(s.number("active_key")), AntiReplay: s.text("anti_replay"), Mode: s.text("mode"),
		Window: time.Duration(s.number("time_window")) * time.Second,
	}
	if s.values["time_window"] == nil {
		h.Window = min(max((3*interval+time.Second-1).Truncate(time.Second), leastWindow), mostWindow)
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
		key := conf.Key{ID: uint8(id.integer)}
		if isPlace(value.text) {
			key.Source = strings.Clone(value.text)
		} else {
			text := []byte(value.text)
			if looksHexadecimal(text) {
				b.warn(value, join(k.label, "value"), bareDigits)
			}
			key.Value, _ = keyBytes(text)
			clear(text)
		}
		h.Keys = append(h.Keys, key)
	}
	if n := s.values["active_key"]; n != nil && lines[n.integer] == 0 && len(lines) == len(s.tables["key"]) {
		b.fail(n.line, join(s.label, "active_key"), "there is no key %d; accepted: the id of a [[vrouter.hmac.key]]", n.integer)
	}
	return h
}
