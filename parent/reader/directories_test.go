package reader_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/parent/reader"
)

// TestDirectories: a link may lead to another place near the first one later;
// what has nothing to do with the configuration is not among them.
func TestDirectories(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		links map[string]string // where each leads to
		file  string
		want  []string // all below the directory of the test
	}{
		{"no link", nil, "etc/rvrrpd.conf", []string{"etc"}},
		{"a release", map[string]string{"app/current": "releases/2"}, "app/current/rvrrpd.conf", []string{"app/current", "app/releases/2", "app/releases"}},
		{"a release beside the link", map[string]string{"app/current": "v2"}, "app/current/rvrrpd.conf", []string{"app/current", "app/v2", "app"}},
		{"a full path", map[string]string{"app/current": "ROOT/app/releases/2"}, "app/current/rvrrpd.conf", []string{"app/current", "app/releases/2", "app/releases"}},
		{"a directory above", map[string]string{"app/current": "releases/2"}, "app/current/etc/rvrrpd.conf", []string{"app/current/etc", "app/releases/2/etc", "app/releases"}},
		{"Kubernetes", map[string]string{"cm/rvrrpd.conf": "..data/rvrrpd.conf", "cm/..data": "..2026"}, "cm/rvrrpd.conf", []string{"cm", "cm/..2026"}},
		{"the file of a release", map[string]string{"etc/rvrrpd.conf": "releases/2/rvrrpd.conf"}, "etc/rvrrpd.conf", []string{"etc", "etc/releases/2", "etc/releases"}},
		{"another name", map[string]string{"etc/rvrrpd.conf": "b.conf"}, "etc/rvrrpd.conf", []string{"etc"}},
		{"somewhere else", map[string]string{"etc/rvrrpd": "../srv/conf/2"}, "etc/rvrrpd/rvrrpd.conf", []string{"etc/rvrrpd", "srv/conf/2"}},
		{"the file somewhere else", map[string]string{"etc/rvrrpd.conf": "../srv/a.conf"}, "etc/rvrrpd.conf", []string{"etc", "srv"}},
		{"a link to a link", map[string]string{"app/current": "next", "app/next": "releases/3"}, "app/current/rvrrpd.conf", []string{"app/current", "app/releases/3", "app", "app/releases"}},
	} {
		root, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		real := tt.file
		for range 3 {
			for link, target := range tt.links {
				target = strings.TrimPrefix(target, "ROOT/")
				if rest, is := strings.CutPrefix(real, link); is && (rest == "" || rest[0] == '/') {
					if !strings.HasPrefix(target, "app/") {
						target = filepath.Join(filepath.Dir(link), target)
					}
					real = target + rest
				}
			}
		}
		for link := range tt.links {
			if err := os.MkdirAll(filepath.Join(root, filepath.Dir(link)), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(real)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, real), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for link, target := range tt.links {
			if err := os.Symlink(strings.Replace(target, "ROOT", root, 1), filepath.Join(root, link)); err != nil {
				t.Fatal(err)
			}
		}
		var want []string
		for _, dir := range tt.want {
			want = append(want, filepath.Join(root, dir))
		}
		slices.Sort(want)
		if got := reader.Directories(&conf.Config{}, filepath.Join(root, tt.file)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
	}
}

// TestDirectoriesOfTheSystem: nothing is opened wide because a link leads there.
func TestDirectoriesOfTheSystem(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	link := filepath.Join(base, "loop")
	if err := os.Symlink("loop", link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(base, "etc")); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(link, "rvrrpd.conf"), filepath.Join(base, "etc/passwd"), "/etc/passwd", "/proc/self/exe"} {
		for _, dir := range reader.Directories(&conf.Config{}, file) {
			if dir == "/" || dir == "/etc" && !strings.HasSuffix(file, "etc/passwd") {
				t.Errorf("%s: %s", file, dir)
			}
		}
	}
}

// TestDirectoriesOfKeys: those of files with keys, and of credentials, count.
// Not in parallel: the environment is shared.
func TestDirectoriesOfKeys(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x")
	c := &conf.Config{Routers: []conf.Router{{}, {HMAC: &conf.HMAC{Keys: []conf.Key{{Source: "file:/keys/one"}, {Source: "credential:two"}, {}}}}}}
	if got, want := reader.Directories(c, "/nonexistent/rvrrpd.conf"), []string{"/keys", "/nonexistent", "/run/credentials/x"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
