package source_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
)

// A key of 32 bytes in its two ways.
const (
	keyText = "0123456789abcdef0123456789ABCDEF"
	keyHex  = "hex:3031323334353637383961626364656630313233343536373839414243444546"
)

// hmac is the least configuration with a key.
func hmac(value string) string {
	return least + fmt.Sprintf("auth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 1\n[[vrouter.hmac.key]]\nid = 1\nvalue = %q\n", value)
}

func TestAuth(t *testing.T) {
	t.Parallel()
	one := func(edit func(h *conf.HMAC)) *conf.HMAC {
		h := &conf.HMAC{ActiveKey: 1, AntiReplay: "time", Window: 5 * time.Second, Mode: "enforce", Keys: []conf.Key{{ID: 1, Value: []byte(keyText)}}}
		if edit != nil {
			edit(h)
		}
		return h
	}
	for _, test := range []struct {
		name, text string
		auth       conf.AuthType
		secret     string
		hmac       *conf.HMAC
	}{
		{"none", least, conf.AuthNone, "", nil},
		{"simple", least + "auth_type = \"rfc2338-simple\"\nauth_secret = \"müller\"\n", conf.AuthSimple, "müller", nil},
		{"P0 without a secret", least + "auth_type = \"p0-t8-sha256\"\n", conf.AuthP0, "", nil},
		{"P0 with an empty secret", least + "auth_type = \"p0-t8-sha256\"\nauth_secret = \"\"\n", conf.AuthP0, "", nil},
		{"P0 with a long secret", least + "auth_type = \"p0-t8-sha256\"\nauth_secret = \"" + strings.Repeat("k", 4096) + "\"\n", conf.AuthP0, strings.Repeat("k", 4096), nil},
		{"P1", least + "auth_type = \"p1-b8-shake256\"\nauth_secret = \"x\"\n", conf.AuthP1, "x", nil},
		{"P1 by its other name", least + "auth_type = \"p1-t8-shake256\"\nauth_secret = \"x\"\n", conf.AuthP1, "x", nil},
		{"HMAC, text", hmac(keyText), conf.AuthHMAC, "", one(nil)},
		{"HMAC, hexadecimal", hmac(keyHex), conf.AuthHMAC, "", one(nil)},
		{"HMAC, file", hmac("file:/etc/rvrrpd/key"), conf.AuthHMAC, "", one(func(h *conf.HMAC) { h.Keys = []conf.Key{{ID: 1, Source: "file:/etc/rvrrpd/key"}} })},
		{"HMAC, everything", strings.Replace(hmac(keyText), "active_key = 1\n", "active_key = 2\nanti_replay = \"monotonic\"\ntime_window = 300\nmode = \"permissive\"\n", 1) +
			"[[vrouter.hmac.key]]\nid = 2\nvalue = \"credential:vrrp\"\n", conf.AuthHMAC, "", one(func(h *conf.HMAC) {
			h.ActiveKey, h.AntiReplay, h.Mode, h.Window = 2, "monotonic", "permissive", 300*time.Second
			h.Keys = append(h.Keys, conf.Key{ID: 2, Source: "credential:vrrp"})
		})},
		{"HMAC, the window has an end", strings.Replace(hmac(keyText), "[vrouter.hmac]", "timers.advert = 255\n[vrouter.hmac]", 1), conf.AuthHMAC, "",
			one(func(h *conf.HMAC) { h.Window = 300 * time.Second })},
		{"HMAC in version 3, the window follows the interval", strings.Replace(hmac(keyText), "[vrouter.hmac]", "version = 3\ntimers.advert = 2.5\n[vrouter.hmac]", 1), conf.AuthHMAC, "",
			one(func(h *conf.HMAC) { h.Window = 8 * time.Second })},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := parsed(t, test.text)[0]
			if r.Auth != test.auth || string(r.Secret) != test.secret {
				t.Errorf("%s, %q", r.Auth, r.Secret)
			}
			if diff := cmp.Diff(test.hmac, r.HMAC); diff != "" {
				t.Errorf("hmac (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHMACErrors(t *testing.T) {
	t.Parallel()
	accepted := `32..64 bytes: "hex:" and 64 to 128 hexadecimal digits, printable ASCII characters, "file:" and a path that begins with /, or "credential:" and a name`
	for _, test := range []struct{ name, text, want string }{
		{"no table", least + "auth_type = \"hmac\"\n", `f:1: vrouter[1].hmac: is missing with auth_type = "hmac"; accepted: a table [vrouter.hmac]`},
		{"table without auth_type", strings.Replace(hmac(keyText), "auth_type = \"hmac\"\n", "", 1), `f:5: vrouter[1].hmac: has no meaning with auth_type = "none"; accepted: [vrouter.hmac] with auth_type = "hmac"`},
		{"both kinds of secrets", strings.Replace(hmac(keyText), "[vrouter.hmac]", "auth_secret = \"x\"\n[vrouter.hmac]", 1),
			`f:6: vrouter[1].auth_secret: has no meaning with auth_type = "hmac"; accepted: auth_secret with "rfc2338-simple", "p0-t8-sha256" and "p1-b8-shake256"`},
		{"key too short", hmac(keyText[1:]), `f:10: vrouter[1].hmac.key[1].value: is a key of 31 bytes; accepted: ` + accepted},
		{"key of a few digits", hmac("hex:00112233445566ff"), `f:10: vrouter[1].hmac.key[1].value: is a key of 8 bytes; accepted: ` + accepted},
		{"key too long", hmac(strings.Repeat(keyText, 2) + "x"), `f:10: vrouter[1].hmac.key[1].value: is a key of 65 bytes; accepted: ` + accepted},
		{"no key", hmac(""), `f:10: vrouter[1].hmac.key[1].value: is a key of 0 bytes; accepted: ` + accepted},
		{"key of odd digits", hmac(keyHex + "0"), `f:10: vrouter[1].hmac.key[1].value: is a key of 65 hexadecimal digits, an odd number; accepted: ` + accepted},
		{"key of other than digits", hmac(keyHex[:66] + "xy"), `f:10: vrouter[1].hmac.key[1].value: is a key with something else than digits behind "hex:"; accepted: ` + accepted},
		{"key not ASCII", hmac(keyText + "ü"), `f:10: vrouter[1].hmac.key[1].value: is a key with other than printable ASCII characters, which has to be written as "hex:" and digits; accepted: ` + accepted},
		{"key as printed", hmac("redacted"), `f:10: vrouter[1].hmac.key[1].value: is what is printed in the place of a secret, and none; accepted: ` + accepted},
		{"relative file", hmac("file:key"), `f:10: vrouter[1].hmac.key[1].value: is no full path; accepted: ` + accepted},
		{"credential with a path", hmac("credential:../shadow"), `f:10: vrouter[1].hmac.key[1].value: is no name of a credential; accepted: ` + accepted},
		{"active key unknown", strings.Replace(hmac(keyText), "active_key = 1", "active_key = 7", 1), `f:7: vrouter[1].hmac.active_key: there is no key 7; accepted: the id of a [[vrouter.hmac.key]]`},
		{"id twice", hmac(keyText) + "[[vrouter.hmac.key]]\nid = 1\nvalue = \"" + keyHex + "\"\n", `f:12: vrouter[1].hmac.key[2].id: 1 is already the id of a key (line 9); accepted: each id once`},
		{"id 0", strings.Replace(hmac(keyText), "\nid = 1", "\nid = 0", 1), `f:9: vrouter[1].hmac.key[1].id: 0 is out of range; accepted: 1..255`},
		{"window 0", strings.Replace(hmac(keyText), "active_key = 1", "active_key = 1\ntime_window = 0", 1), `f:8: vrouter[1].hmac.time_window: 0 is out of range; accepted: 1..300`},
		{"unknown mode", strings.Replace(hmac(keyText), "active_key = 1", "active_key = 1\nmode = \"off\"", 1), `f:8: vrouter[1].hmac.mode: "off" is not a valid value; accepted: "receive-only", "permissive", "enforce"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantErrors(t, test.text, conf.TOML, test.want)
			if _, err := source.Parse("f", []byte(test.text), conf.TOML); strings.Contains(err.Error(), keyText[1:20]) || strings.Contains(err.Error(), keyHex[5:20]) {
				t.Errorf("the error tells the key: %v", err)
			}
		})
	}
}

// TestPrintAuth: no secret is ever printed.
func TestPrintAuth(t *testing.T) {
	t.Parallel()
	for _, text := range []string{hmac(keyText), hmac(keyHex), least + "auth_type = \"p0-t8-sha256\"\nauth_secret = \"hunter2\"\n"} {
		c, err := source.Parse("f", []byte(text), conf.TOML)
		if err != nil {
			t.Fatal(err)
		}
		out := string(printed(t, c))
		if strings.Contains(out, "hunter2") || strings.Contains(out, keyText) || strings.Contains(out, keyHex) || !strings.Contains(out, "redacted") {
			t.Errorf("printed:\n%s", out)
		}
		c.Wipe()
		for _, r := range c.Routers {
			if bytes.ContainsAny(r.Secret, "hunter") || r.HMAC != nil && bytes.ContainsAny(r.HMAC.Keys[0].Value, keyText) {
				t.Error("not wiped")
			}
		}
	}
}

// TestSecretFiles: what holds a secret must not be readable by others.
func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", keyHex+"\n", 0o400)
	open := write("open", keyText, 0o644)
	holding := func(name, text string) string { return hmac("file:" + write(name, text, 0o600)) }
	foreign := write("foreign", keyText, 0o622)
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		want       string // in the error, "" for none
		warns      bool
	}{
		{"key in the file", hmac(keyText), 0o600, "", false},
		{"key in a file that others can read", hmac(keyText), 0o640, "holds secrets and can be read by others (mode 0640)", false},
		{"and so be it", "insecure_secrets = true\n" + hmac(keyText), 0o644, "", true},
		{"password in a file that others can read", least + "auth_type = \"rfc2338-simple\"\nauth_secret = \"hunter2\"\n", 0o604, "holds secrets", false},
		{"no secret in a file that others can read", least, 0o644, "", false},
		{"file", hmac("file:" + good), 0o644, "", false},
		{"credential", hmac("credential:good"), 0o644, "", false},
		{"file that others can read", hmac("file:" + open), 0o600, "file:" + open + ": can be read by others (mode 0644)", false},
		{"and so be it, too", "insecure_secrets = true\n" + hmac("file:"+open), 0o600, "", true},
		{"file that others can write", "insecure_secrets = true\n" + hmac("file:"+foreign), 0o600, "can be written by others", false},
		{"file with two line ends", holding("ends", keyText+"\r\n\n"), 0o600, "", false},
		{"file with a short key", holding("short", "hunter2hunter2"), 0o600, "short: holds a key of 14 bytes; accepted: 32..64 bytes", false},
		{"file with a long key", holding("long", strings.Repeat("hunter2", 600)), 0o600, "long: holds a key of 4097 bytes", false},
		{"empty file", holding("empty", "\n"), 0o600, "empty: holds a key of 0 bytes", false},
		{"file with odd digits", holding("odd", keyHex[:len(keyHex)-1]), 0o600, "odd: holds a key of 63 hexadecimal digits, an odd number", false},
		{"file with raw bytes", holding("raw", strings.Repeat("\x01", 32)), 0o600, `raw: holds a key with other than printable ASCII characters, which has to be written as "hex:" and digits`, false},
		{"file that names another", holding("nested", "file:"+good), 0o600, "nested: holds the place of a key, and none", false},
		{"file that names a credential", holding("nested2", "credential:good"), 0o600, "nested2: holds the place of a key, and none", false},
		{"file with digits alone", holding("digits", strings.Repeat("0123456789abcdef", 4)), 0o600, "", true},
		{"no file", hmac("credential:none"), 0o600, "vrouter[1].hmac.key[1].value: credential:none: open", false},
	} {
		path := write("conf", tt.text, tt.mode)
		c, err := source.Load(path, conf.TOML)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error tells the secret: %v", tt.name, err)
		}
		if err != nil {
			continue
		}
		if warned := len(c.Warnings) > 0; warned != tt.warns {
			t.Errorf("%s: warnings %q", tt.name, c.Warnings)
		}
		if h := c.Routers[0].HMAC; h != nil && string(h.Keys[0].Value) != keyText && tt.name != "file with digits alone" {
			t.Errorf("%s: key %q", tt.name, h.Keys[0].Value)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := source.Load(write("conf", hmac("credential:good"), 0o600), conf.TOML); err == nil || !strings.Contains(err.Error(), "CREDENTIALS_DIRECTORY is not set") {
		t.Errorf("without credentials: %v", err)
	}
}
