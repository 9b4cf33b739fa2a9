package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCommit: a build names the commit of its own repository, and none when
// it is a tree that was unpacked in somebody else's.
func TestCommit(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	for _, place := range []string{dir, tree} {
		for name, text := range map[string]string{"Makefile": string(text), "VERSION": "0.0.0\n", "any.go": "package any\n"} {
			if err := os.MkdirAll(place, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(place, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	in := func(where string, argv ...string) string {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = where
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v: %s", argv, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	in(dir, "git", "init", "-q")
	in(dir, "git", "add", "Makefile", "VERSION", "any.go")
	in(dir, "git", "-c", "user.name=a", "-c", "user.email=a@example.net", "commit", "-q", "-m", "outer")
	commit := func(where string) string {
		return in(where, "make", "-s", "--no-print-directory", "--eval", "told: ; @echo '$(COMMIT)'", "told")
	}
	if got := commit(dir); !regexp.MustCompile(`^[0-9a-f]{12}(-dirty)?$`).MatchString(got) {
		t.Errorf("in its repository: %q", got)
	}
	if got := commit(tree); got != "" {
		t.Errorf("in another's: %q", got)
	}
}
