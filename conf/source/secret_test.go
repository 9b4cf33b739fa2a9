package source

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/file"
)

// TestTrustedGroup: beside its owner a file with secrets may be read by the
// group of the user that gets them anyway, and by nobody else.
func TestTrustedGroup(t *testing.T) {
	t.Parallel()
	own := trustedGroup{id: 7, known: true}
	for _, tt := range []struct {
		group trustedGroup
		mode  os.FileMode
		gid   int
		want  bool
	}{
		{own, 0o600, 0, true}, {own, 0o640, 7, true}, {own, 0o440, 7, true},
		{own, 0o640, 0, false}, {own, 0o640, 8, false}, {own, 0o644, 7, false}, {own, 0o604, 7, false},
		{trustedGroup{}, 0o600, 0, true}, {trustedGroup{}, 0o640, 0, false}, {trustedGroup{id: 7}, 0o640, 7, false},
	} {
		if got := tt.group.keeps(file.Attributes{Mode: tt.mode, GID: tt.gid}); got != tt.want {
			t.Errorf("%+v, mode %04o, group %d: %v", tt.group, tt.mode, tt.gid, got)
		}
	}
	// Those of root and of nobody are never it.
	for _, name := range []string{"root", "nobody", "no-such-user"} {
		if g := trusted(&conf.Config{User: name}, System{}); os.Geteuid() == 0 && g.known {
			t.Errorf("the group of %s: %+v", name, g)
		}
	}
}

// TestSharedSecretFiles: an auth_secret may be kept in a file or a credential.
func TestSharedSecretFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	put := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("good", "hushhush\n", 0o400)
	put("long", "hunter2hunter2\n", 0o400)
	put("open", "hushhush", 0o644)
	put("empty", "\n", 0o400)
	put("huge", strings.Repeat("k", 4097), 0o400)
	put("largest", strings.Repeat("k", 4096)+"\r\n", 0o400)
	put("nested", "file:/etc/passwd", 0o400)
	put("printed", "redacted\n", 0o400)
	for _, tt := range []struct{ kind, source, secret, warning, failure string }{
		{"rfc2338-simple", "credential:good", "hushhush", "", ""},
		{"p0-t8-sha256", "file:" + filepath.Join(dir, "good"), "hushhush", "", ""},
		{"rfc2338-simple", "credential:long", "hunter2hunter2", "only the first 8 count", ""},
		{"p0-t8-sha256", "credential:long", "hunter2hunter2", "", ""},
		{"p0-t8-sha256", "credential:largest", strings.Repeat("k", 4096), "", ""},
		{"p0-t8-sha256", "credential:open", "", "", "credential:open: can be read by others (mode 0644)"},
		{"p0-t8-sha256", "credential:empty", "", "", "vrouter[1].auth_secret: credential:empty: holds a secret of 0 bytes; accepted: 1 to 4096 bytes"},
		{"p0-t8-sha256", "credential:huge", "", "", "holds a secret of 4097 bytes"},
		{"p0-t8-sha256", "credential:nested", "", "", "holds the place of a secret, and none"},
		{"p0-t8-sha256", "credential:printed", "", "", "holds what is printed in the place of a secret, and none"},
		{"p0-t8-sha256", "credential:none", "", "", "vrouter[1].auth_secret: credential:none: open"},
	} {
		text := minimal + fmt.Sprintf("auth_type = %q\nauth_secret = %q\n", tt.kind, tt.source)
		c, err := Load(written(t, text, 0o644), conf.TOML)
		if tt.failure != "" {
			if err == nil || !strings.Contains(err.Error(), tt.failure) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s %s: %v", tt.kind, tt.source, err)
			}
			continue
		}
		if err != nil || string(c.Routers[0].Secret) != tt.secret || strings.Contains(strings.Join(c.Warnings, "\n"), "first 8") != (tt.warning != "") {
			t.Errorf("%s %s: %v; %+v", tt.kind, tt.source, err, c)
			continue
		}
		var b strings.Builder
		if err := Print(c, &b); err != nil || !strings.Contains(b.String(), fmt.Sprintf("auth_secret = %q", tt.source)) {
			t.Errorf("printed: %v\n%s", err, b.String())
		}
		want, is := strings.CutPrefix(tt.source, "file:")
		if got := c.Routers[0].SecretFiles(); is != slices.Contains(got, want) || len(got) > 1 {
			t.Errorf("%s: files %q", tt.source, got)
		}
		c.Wipe()
		if strings.Trim(string(c.Routers[0].Secret), "\x00") != "" {
			t.Error("not wiped")
		}
	}
}

// TestDoubtfulSecrets: secrets that are valid, and perhaps not what was meant.
func TestDoubtfulSecrets(t *testing.T) {
	t.Parallel()
	digits := strings.Repeat("0123456789abcdEF", 4)
	key := "auth_type = \"hmac\"\n[vrouter.hmac]\nactive_key = 1\n[[vrouter.hmac.key]]\nid = 1\nvalue = %q\n"
	for _, tt := range []struct{ text, want string }{
		{fmt.Sprintf(key, digits), `f:10:1: vrouter[1].hmac.key[1].value: is 64 hexadecimal digits without "hex:"`},
		{fmt.Sprintf(key, "hex:"+digits), ""},
		{fmt.Sprintf(key, digits[:63]+"g"), ""},
		{fmt.Sprintf(key, digits[:62]), ""},
		{"auth_type = \"rfc2338-simple\"\nauth_secret = \"123456789\"\n", "f:6:1: vrouter[1].auth_secret: is longer than 8 bytes: only the first 8 count"},
		{"auth_type = \"rfc2338-simple\"\nauth_secret = \"12345678\"\n", ""},
		{"auth_type = \"p0-t8-sha256\"\nauth_secret = \"123456789\"\n", ""},
	} {
		c, err := Parse("f", []byte(minimal+tt.text), conf.TOML)
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.Join(c.Warnings, "\n"); (said == "") != (tt.want == "") || !strings.HasPrefix(said, tt.want) || strings.Contains(said, digits[:10]) {
			t.Errorf("%q: warnings %q", tt.text, said)
		}
	}
}
