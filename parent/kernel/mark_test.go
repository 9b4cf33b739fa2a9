package kernel

import "testing"

// TestVersions: what a release says, and which is older.
func TestVersions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		release string
		want    Version
		before  bool
	}{
		{"5.17.15-generic", Version{5, 17}, true},
		{"5.18.0", Version{5, 18}, false},
		{"5.18-rc1+", Version{5, 18}, false},
		{"6.1.0-44-amd64", Version{6, 1}, false},
		{"4.19.0", Version{4, 19}, true},
		{"", Version{}, true},
		{"6", Version{}, true},
	} {
		if got := parseVersion(tt.release); got != tt.want || got.Before(MarksSince) != tt.before {
			t.Errorf("%q: %v, before %v: %v", tt.release, got, MarksSince, got.Before(MarksSince))
		}
	}
	if now := Running(); now == (Version{}) || now.Before(Version{5, 13}) {
		t.Errorf("this kernel is %v", now)
	}
}
