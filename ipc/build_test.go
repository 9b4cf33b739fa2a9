package ipc

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestBuild(t *testing.T) { // not parallel: sets what the linker sets
	defer func(b string) { build = b }(build)
	for given, want := range map[string]string{
		"0123456789abcdef":           "0123456789abcdef",
		strings.Repeat("x", 100):     strings.Repeat("x", BuildLen),
		"tab\tand\x00nul and é":      "tab?and?nul and ?",
		strings.Repeat("é", 100):     strings.Repeat("?", BuildLen),
		"with space and ~tilde 1.0+": "with space and ~tilde 1.0+",
	} {
		if build = given; Build() != want {
			t.Errorf("%q gives %q, want %q", given, Build(), want)
		}
	}
	build = ""
	got := Build()
	m, err := Decode(TypeHello, payload(Hello{Build: got}))
	if got == "" || err != nil || m != (Hello{Build: got}) {
		t.Errorf("%q does not pass a Hello: %v, %v", got, m, err)
	}
	if ReleaseName() != "devel" {
		t.Errorf("release %q", ReleaseName())
	}
}

func TestRecorded(t *testing.T) {
	t.Parallel()
	revision := strings.Repeat("5a", 20)
	info := func(version string, settings ...string) *debug.BuildInfo {
		b := &debug.BuildInfo{Main: debug.Module{Version: version}}
		for i := 0; i < len(settings); i += 2 {
			b.Settings = append(b.Settings, debug.BuildSetting{Key: settings[i], Value: settings[i+1]})
		}
		return b
	}
	clean := info("v0.1.0", "GOOS", "linux", "vcs.modified", "false", "vcs.revision", revision, "vcs.time", "2026-01-02T03:04:05Z")
	dirty := info("v0.1.0", "vcs.revision", revision, "vcs.modified", "true")
	for want, b := range map[string]*debug.BuildInfo{
		revision + " false 2026-01-02T03:04:05Z v0.1.0": clean,
		revision + " true v0.1.0":                       dirty,
		"v0.1.0":                                        info("v0.1.0"),
		"(devel)":                                       info("(devel)"),
	} {
		if got := recorded(b); got != want {
			t.Errorf("recorded %q, want %q", got, want)
		}
	}
	if identity(recorded(clean)) == identity(recorded(dirty)) {
		t.Error("the cut makes a modified tree look clean")
	}
}
