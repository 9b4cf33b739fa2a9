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
	for name, arch := range arches {
		have, err := os.ReadFile(filepath.Join("..", "filter_"+name+".go"))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			made, err := source(name, arch)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(have, made) {
				t.Errorf("filter_%s.go is not what libseccomp makes of rules.go: run make generate", name)
			}
		}
	}
}
