package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
)

// TestExamples: each example loads without a warning, is the same when it is
// printed and read again, and is in the list of examples.
func TestExamples(t *testing.T) {
	t.Parallel()
	const dir = "../../examples"
	list, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil || len(files) != strings.Count(string(list), ".conf](") {
		t.Errorf("%d examples, %d in the list: %v", len(files), strings.Count(string(list), ".conf]("), err)
	}
	key := filepath.Join(t.TempDir(), "lan.key")
	if err := os.WriteFile(key, []byte("hex:"+strings.Repeat("0123456789abcdef", 4)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		base := filepath.Base(name)
		if !strings.Contains(string(list), "| ["+base+"]("+base+") | ") {
			t.Errorf("%s is not in the list", base)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Load(written(t, strings.ReplaceAll(string(text), "/etc/rvrrpd/lan.key", key), 0o644), conf.TOML)
		if err != nil {
			t.Errorf("%s: %v", base, err)
			continue
		}
		if len(c.Warnings) > 0 {
			t.Errorf("%s: %q", base, c.Warnings)
		}
		var first, second strings.Builder
		if err := Print(c, &first); err != nil {
			t.Fatal(err)
		}
		again, err := Parse(base, []byte(first.String()), conf.TOML)
		if err == nil {
			err = Print(again, &second)
		}
		if err != nil || first.String() != second.String() {
			t.Errorf("%s: %v; printed\n%s, and then\n%s", base, err, first.String(), second.String())
		}
		c.Wipe()
	}
}
