// Package captures reads captures of real routers, for tests.
package captures

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rvrrpd/rvrrpd/capture"
)

// Read reads the captures in a directory, by name; there must be some.
func Read(t testing.TB, dir string) map[string][]capture.Record {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: no captures: %v", dir, err)
	}
	all := make(map[string][]capture.Record, len(names))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := capture.NewReader(bytes.NewReader(b))
		for err == nil {
			var rec capture.Record
			if rec, err = r.Next(); err == nil {
				rec.Frame = bytes.Clone(rec.Frame)
				all[name] = append(all[name], rec)
			}
		}
		if !errors.Is(err, io.EOF) || len(all[name]) == 0 {
			t.Fatalf("%s: %d packets: %v", name, len(all[name]), err)
		}
	}
	return all
}
