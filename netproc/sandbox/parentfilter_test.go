package sandbox

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rvrrpd/rvrrpd/walls/rules"
	"golang.org/x/sys/unix"
)

// numbers reads the system call numbers of an architecture from the sources
// of golang.org/x/sys, which has them from the kernel's headers.
func numbers(t *testing.T, arch string) map[string]uint32 {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+arch+".go"))
	if err != nil {
		t.Fatal(err)
	}
	all, line := make(map[string]uint32), regexp.MustCompile(`^\s+SYS_(\w+)\s+= (\d+)$`)
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if m := line.FindStringSubmatch(s.Text()); m != nil {
			n, _ := strconv.ParseUint(m[2], 10, 32)
			all[strings.ToLower(m[1])] = uint32(n)
		}
	}
	return all
}

// otherVerdict applies the rules of the parent, the sniffer or the spawner as they stand
// in walls/rules/rules.go.
func otherVerdict(list []rules.Rule, arch, call string, args [6]uint64) uint32 {
	const refuse = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	for _, r := range list {
		ok := r.Call == call && (r.Arch == "" || r.Arch == arch)
		for _, a := range r.Args {
			ok = ok && args[a.Index]&a.Mask == a.Value
		}
		switch {
		case ok && r.Kill:
			return kill
		case ok:
			return allow
		}
	}
	return refuse
}

// TestOtherFiltersAreTheRules compares the committed filters of the parent, the
// sniffer and the spawner with their rules, for every architecture: for every rule with
// arguments that fit and with each bit of them changed, and for every number
// with arguments that fit any rule. Foreign numbers die.
func TestOtherFiltersAreTheRules(t *testing.T) {
	t.Parallel()
	for _, arch := range architectures {
		known := numbers(t, arch.name)
		names := make(map[uint32]string)
		for name, nr := range known {
			names[nr] = name
		}
		for process, list := range map[string][]rules.Rule{"parent": rules.Parent, "spawn": rules.Spawner, "sniff": rules.Sniffer} {
			filter := programs(t, "../../"+process+"/filter_"+arch.name+".go")["syscallFilter"]
			t.Run(arch.name+" "+process, func(t *testing.T) {
				t.Parallel()
				compare := func(nr uint32, args [6]uint64) {
					got, err := run(filter, data{nr: nr, arch: arch.audit, args: args})
					if want := otherVerdict(list, arch.name, names[nr], args); err != nil || got != want {
						t.Fatalf("%s (%d) %#x: %#x, want %#x, %v", names[nr], nr, args, got, want, err)
					}
				}
				for _, r := range list {
					if r.Reason == "" {
						t.Errorf("%s has no reason", r.Call)
					}
					var args [6]uint64
					for _, a := range r.Args {
						args[a.Index] |= a.Value
					}
					for nr := range uint32(512) {
						compare(nr, args)
					}
					nr, there := known[r.Call]
					if !there {
						continue // an architecture may have left it out
					}
					for bit := range 6 * 64 {
						changed := args
						changed[bit/64] ^= 1 << (bit % 64)
						compare(nr, changed)
					}
					for _, d := range []data{{nr: nr | 0x40000000, arch: arch.audit}, {nr: nr, arch: 0x40000003}} {
						got, err := run(filter, d)
						if x32 := d.arch == arch.audit && arch.name != "amd64"; err != nil || got == allow || !x32 && got != kill {
							t.Errorf("%s as %#x on %#x: %#x, %v", r.Call, d.nr, d.arch, got, err)
						}
					}
				}
			})
		}
	}
}
