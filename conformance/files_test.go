package conformance

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestDocumentsNameFiles: a source file that a document names by its path is there.
func TestDocumentsNameFiles(t *testing.T) {
	t.Parallel()
	documents, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	path, found := regexp.MustCompile("`([a-z0-9]+(?:/[a-z0-9_-]+)+\\.(?:go|sh|md|toml|conf|service))`"), 0
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range path.FindAllStringSubmatch(string(text), -1) {
			found++
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s names %s: %v", document, m[1], err)
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d paths are found", found)
	}
}
