package account_test

import (
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/walls/account"
)

// TestIdentity: a user is known, or given by numbers, which need not be; none
// of them is root.
func TestIdentity(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		uid, gid int
		wrong    string
	}{
		{"61000", 61000, 61000, ""},
		{"61000:61001", 61000, 61001, ""},
		{"root", 0, 0, "is privileged"},
		{"0", 0, 0, "is privileged"},
		{"61000:0", 0, 0, "is privileged"},
		{"no-such-user", 0, 0, `no such user here; accepted: a user other than root, or numbers, as in "65534:65534"`},
		{"61000:", 0, 0, "no such user"},
		{":61000", 0, 0, "no such user"},
		{"-1", 0, 0, "no such user"},
		{"1:2:3", 0, 0, "no such user"},
		{"4294967295", 0, 0, "no such user"}, // the kernel's "leave it as it is"
	} {
		uid, gid, err := account.Identity(tt.name)
		if tt.wrong == "" && (err != nil || uid != tt.uid || gid != tt.gid) {
			t.Errorf("%s: %d, %d, %v", tt.name, uid, gid, err)
		}
		if tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
			t.Errorf("%s: %d, %d, %v; want %q", tt.name, uid, gid, err, tt.wrong)
		}
	}
	if uid, gid, err := account.Identity(""); err != nil || uid <= 0 || gid <= 0 {
		t.Errorf("none: %d, %d, %v", uid, gid, err)
	}
}
