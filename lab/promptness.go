package lab

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Prompt is what a command line begins with so that the program runs in real time, as
// docs/systemd.md advises for busy machines: what is measured is the program, and not
// whom the kernel lets wait beside whatever else runs. Nothing where that is refused,
// or in an emulated machine, whose clock goes with what it computes.
func Prompt() []string {
	if Emulated() || !realTime() {
		return nil
	}
	return []string{"chrt", "--rr", "1"}
}

// Ordinary is what a command line begins with so that the program gets its share of
// the time and no more, as one that computes without end should.
func Ordinary() []string { return []string{"chrt", "--other", "0"} }

// isRouter says whether a command line runs a VRRP daemon, or its spawner. Other
// programs, such as analysers of captures, compute too much to be preferred.
func isRouter(argv []string) bool {
	if slices.Contains(argv, "-m0") {
		return false
	}
	return slices.ContainsFunc(argv, func(a string) bool {
		return slices.Contains([]string{"rvrrpd", "rvrrpd-spawn", "keepalived"}, filepath.Base(a)) || strings.HasPrefix(a, frrDir)
	})
}

var realTime = sync.OnceValue(func() bool { return exec.Command("chrt", "--rr", "1", "true").Run() == nil })
