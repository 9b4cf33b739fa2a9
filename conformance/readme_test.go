package conformance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/conf/source"
)

// read is the text of a file.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks are the fenced blocks of a document with a language.
func blocks(t *testing.T, path, language string) (all []string) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(read(t, path), -1) {
		all = append(all, m[1])
	}
	return all
}

// TestDocumentedConfigurations: a configuration in a document is one, but for
// pieces of one, which have no virtual router.
func TestDocumentedConfigurations(t *testing.T) {
	t.Parallel()
	documents, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, path := range append(documents, root+"/README.md") {
		for _, text := range blocks(t, path, "toml") {
			if !strings.Contains(text, "[[vrouter]]") {
				continue
			}
			checked++
			if _, err := source.Parse(path, []byte(text), conf.TOML); err != nil {
				t.Errorf("%v in\n%s", err, text)
			}
		}
	}
	if checked < 4 {
		t.Errorf("only %d configurations found", checked)
	}
}

// TestReadme: it asks for the Go release that the module does, and shows the
// device that its configuration gets.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme := read(t, root+"/README.md")
	release := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, root+"/go.mod"))[1]
	if !strings.Contains(readme, "Go "+release+" ") {
		t.Errorf("README.md does not ask for Go %s", release)
	}
	for _, text := range blocks(t, root+"/README.md", "toml") {
		c, err := source.Parse("README.md", []byte(text), conf.TOML)
		if err != nil {
			t.Fatal(err)
		}
		if name := c.Routers[0].DeviceName; strings.Count(readme, "eth0 "+name+" ") != 2 {
			t.Errorf("README.md does not show the device %s", name)
		}
	}
}
