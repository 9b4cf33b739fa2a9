package ipc

import (
	"runtime/debug"
	"strings"
)

// Set by the linker: -X github.com/rvrrpd/rvrrpd/ipc.build=...
var (
	build   string
	release = "devel"
	commit  string
)

// ReleaseName is the version for people, and the commit where that is known.
func ReleaseName() string {
	if commit == "" {
		return release
	}
	return release + " commit " + commit
}

// Build identifies the sources of this program, in at most BuildLen printable
// characters: both processes must be built from the same. Without the linker's
// word it is what the Go command recorded, the telling parts first; that does
// not tell two modified trees of one revision apart.
func Build() string {
	if build != "" {
		return identity(build)
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return identity(release)
	}
	return identity(recorded(info))
}

func recorded(info *debug.BuildInfo) string {
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	words := []string{settings["vcs.revision"], settings["vcs.modified"], settings["vcs.time"], info.Main.Version}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

// identity makes s fit a Hello.
func identity(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
	return s[:min(len(s), BuildLen)]
}
