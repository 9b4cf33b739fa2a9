package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBehind: what has a newer version is told, and neither that nor a network
// that is not there is a failure.
func TestBehind(t *testing.T) {
	t.Parallel()
	proxy := t.TempDir()
	versions := filepath.Join(proxy, "golang.org/x/sys/@v")
	if err := os.MkdirAll(versions, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"list": "v0.1.0\nv0.999.0\n", "v0.999.0.info": `{"Version":"v0.999.0"}`, "v0.999.0.mod": "module golang.org/x/sys\n"} {
		if err := os.WriteFile(filepath.Join(versions, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	download := exec.Command("go", "mod", "download") // which neither of these proxies has
	download.Dir = root
	if out, err := download.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, tt := range []struct{ name, proxy, want string }{
		{"newer", "file://" + proxy, ": there is v0.999.0\n1 of 1 modules"},
		{"no network", "off", "not looked for: no module proxy can be reached\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("packaging/behind.sh")
			cmd.Dir = root
			// What was asked of another proxy stands in a cache, which would answer.
			cmd.Env = append(os.Environ(), "GOPROXY="+tt.proxy, "GONOSUMDB=*", "GOFLAGS=-modcacherw")
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), tt.want) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
