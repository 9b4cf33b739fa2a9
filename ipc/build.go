package ipc

import (
	"runtime/debug"
	"strings"
)

// Set by the linker: -X github.com/rvrrpd/rvrrpd/ipc.build=...
var (
	build   string
	release = "devel"
)

// ReleaseName is the version for people.
func ReleaseName() string { return release }

// Build identifies the sources of this program, in at most BuildLen printable
// characters: both processes must be built from the same.
func Build() string {
	if build != "" {
		return build[:min(len(build), BuildLen)]
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	words := []string{info.Main.Version}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
			words = append(words, s.Value)
		}
	}
	id := strings.Join(words, " ")
	return id[:min(len(id), BuildLen)]
}
