//go:build seccompgen

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestCommittedFilters compares the committed filters with what libseccomp
// makes of the rules, twice: it must make the same every time.
func TestCommittedFilters(t *testing.T) {
	for _, f := range files {
		for arch := range arches {
			have, err := os.ReadFile(filepath.Join("..", f.path+arch+".go"))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				made, err := source(f, arch)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(have, made) {
					t.Errorf("%s%s.go is not what libseccomp makes of %s: run make generate", f.path, arch, f.rules)
				}
			}
		}
	}
}
