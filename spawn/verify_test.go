package spawn

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/ipc"
)

// status is /proc/PID/status of a child behind all its walls.
const status = `Name:	rvrrpd-netproc
Uid:	65534	65534	65534	65534
Gid:	65534	65534	65534	65534
Groups:	
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	0000000000000000
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
Seccomp_filters:	2
`

func TestVerifyStatus(t *testing.T) {
	t.Parallel()
	if err := verifyStatus([]byte(status), 65534, 65534, "", 2); err != nil {
		t.Errorf("a confined child is refused: %v", err)
	}
	for _, breach := range [][2]string{
		{"Uid:	65534", "Uid:	0"}, {"65534	65534\nGid", "65534	0\nGid"}, {"Gid:	65534", "Gid:	0"},
		{"Groups:	", "Groups:	27 "}, {"CapInh:	0", "CapInh:	1"}, {"CapPrm:	0", "CapPrm:	1"},
		{"CapEff:	0", "CapEff:	1"}, {"CapBnd:	0", "CapBnd:	1"}, {"CapAmb:	0", "CapAmb:	1"},
		{"NoNewPrivs:	1", "NoNewPrivs:	0"}, {"Seccomp:	2", "Seccomp:	0"}, {"Seccomp:	2\n", ""},
		{"filters:	2", "filters:	1"}, {"filters:	2", "filters:	0"}, {"Seccomp_filters:	2\n", ""},
	} {
		broken := strings.Replace(status, breach[0], breach[1], 1)
		if broken == status {
			t.Fatalf("breach %q changes nothing", breach[0])
		}
		if err := verifyStatus([]byte(broken), 65534, 65534, "", 2); err == nil {
			t.Errorf("%q instead of %q is accepted", breach[1], breach[0])
		}
	}
}

// TestVerifyLimits: a child that has not set a limit, or another, is refused.
func TestVerifyLimits(t *testing.T) {
	t.Parallel()
	refused := func(program ipc.Program, change map[string]string) error {
		dir := t.TempDir()
		text := fmt.Sprintf("%-26s%-21s%-21s%s\n", "Limit", "Soft Limit", "Hard Limit", "Units")
		all := maps.Clone(childLimits)
		maps.Copy(all, profileLimits[program])
		maps.Copy(all, change)
		for name, value := range all {
			text += fmt.Sprintf("%-26s%-21s%-21s%s\n", name, "0", value, "x")
		}
		for file, text := range map[string]string{"limits": text, "environ": ""} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return verifyLimits(dir, profileLimits[program])
	}
	for p := range ipc.Programs {
		if err := refused(p, nil); err != nil {
			t.Errorf("%s: a limited child is refused: %v", ipc.Programs[p], err)
		}
		all := maps.Clone(childLimits)
		maps.Copy(all, profileLimits[p])
		if len(all) == len(childLimits) {
			t.Errorf("%s has no limits of its own", ipc.Programs[p])
		}
		for name := range all {
			if err := refused(p, map[string]string{name: "unlimited"}); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %s: unlimited: %v", ipc.Programs[p], name, err)
			}
		}
	}
}
