// Package cmd_test holds the table of docs/architecture.md: who may import whom.
package cmd_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/rvrrpd/rvrrpd/"

// mayImport is the table: of ours and from outside, directly. Standard
// library packages are listed where a package may use only some of them.
var mayImport = map[string][]string{
	"conf":               {module + "walls/account"},
	"conf/file":          {},
	"conf/nearest":       {},
	"conf/suffix":        {module + "conf"},
	"conf/source":        {module + "conf", module + "conf/file", module + "conf/nearest", module + "walls/account", "github.com/BurntSushi/toml"},
	"engine":             {"errors", "fmt", "net/netip", "time", "math", "math/bits", "slices"},
	"engine/sim":         {module + "engine"},
	"ipc":                {"golang.org/x/sys/unix"},
	"ipc/sniffing":       {module + "ipc"},
	"ipc/keeping":        {module + "ipc", "golang.org/x/sys/unix"},
	"ipc/report":         {module + "ipc"},
	"ipc/rights":         {"golang.org/x/sys/unix"},
	"ipc/telling":        {module + "ipc", module + "ipc/sniffing"},
	"ipc/reading":        {module + "conf", module + "conf/file", module + "ipc", "golang.org/x/sys/unix"},
	"netproc":            {module + "engine", module + "ipc", module + "ipc/report", module + "ipc/sniffing", module + "ipc/telling", module + "netproc/wire", module + "netproc/auth", module + "netproc/sandbox"},
	"netproc/wire":       {},
	"netproc/auth":       {"golang.org/x/crypto/sha3"},
	"netproc/sandbox":    {"golang.org/x/sys/unix", "github.com/landlock-lsm/go-landlock/landlock", "github.com/landlock-lsm/go-landlock/landlock/syscall"},
	"parent":             {module + "children", module + "conf", module + "ipc", module + "ipc/keeping", module + "keeper/facts", module + "pace", module + "parent/frames", module + "parent/kernel", module + "parent/logger", module + "parent/nft", module + "parent/reader", module + "records", module + "vault", module + "walls", module + "walls/account", "golang.org/x/sys/unix", "github.com/landlock-lsm/go-landlock/landlock", "github.com/landlock-lsm/go-landlock/landlock/syscall"},
	"walls":              {"golang.org/x/sys/unix"},
	"walls/account":      {},
	"walls/rules":        {},
	"parent/kernel":      {"golang.org/x/sys/unix", "github.com/vishvananda/netlink", "github.com/vishvananda/netlink/nl"},
	"parent/frames":      {module + "ipc", "golang.org/x/sys/unix", "github.com/mdlayher/packet"},
	"parent/reader":      {module + "children", module + "conf", module + "conf/file", module + "ipc", module + "ipc/reading", module + "walls/account", "golang.org/x/sys/unix"},
	"parent/logger":      {module + "children", module + "conf", module + "ipc", module + "ipc/keeping", "golang.org/x/sys/unix"},
	"keeper":             {module + "ipc", module + "ipc/keeping", module + "ipc/report", module + "ipc/rights", module + "keeper/logs", module + "keeper/routes", "golang.org/x/sys/unix"},
	"keeper/logs":        {module + "ipc/keeping", module + "pace"},
	"keeper/routes":      {module + "ipc", module + "ipc/keeping", module + "keeper/attributes", module + "pace", "golang.org/x/sys/unix"},
	"keeper/attributes":  {"golang.org/x/sys/unix"},
	"pace":               {},
	"read":               {module + "conf", module + "conf/file", module + "conf/source", module + "ipc", module + "ipc/reading"},
	"parent/nft":         {"golang.org/x/sys/unix", "github.com/google/nftables", "github.com/google/nftables/expr", "github.com/google/nftables/binaryutil", "github.com/mdlayher/netlink"},
	"children":           {module + "ipc", module + "walls", module + "walls/account", "golang.org/x/sys/unix"},
	"keeper/facts":       {module + "ipc", module + "keeper/attributes", "github.com/vishvananda/netlink", "github.com/vishvananda/netlink/nl", "golang.org/x/sys/unix"},
	"records":            {module + "conf", module + "ipc", module + "pace"},
	"sniff":              {module + "capture", module + "children", module + "conf", module + "ipc", module + "ipc/sniffing", module + "keeper/facts", module + "records", module + "vault", module + "walls", "golang.org/x/sys/unix", "github.com/landlock-lsm/go-landlock/landlock"},
	"vault":              {"golang.org/x/sys/unix"},
	"spawn":              {module + "ipc", module + "ipc/rights", module + "walls", module + "walls/account", "golang.org/x/sys/unix"},
	"audit":              {},
	"capture":            {},
	"cmd/signals":        {"golang.org/x/sys/unix"},
	"cmd/effects":        {module + "cmd/signals", "golang.org/x/sys/unix"},
	"cmd/confined":       {module + "ipc", module + "netproc/sandbox"},
	"cmd/rvrrpd-read":    {module + "cmd/confined", module + "ipc", module + "ipc/reading", module + "netproc/sandbox", module + "read"},
	"cmd/rvrrpd":         {module + "children", module + "cmd/effects", module + "cmd/signals", module + "conf", module + "conf/nearest", module + "conf/suffix", module + "ipc", "golang.org/x/sys/unix"},
	"cmd/rvrrpd-keeper":  {module + "cmd/confined", module + "ipc", module + "keeper", module + "netproc/sandbox"},
	"cmd/rvrrpd-parent":  {module + "cmd/signals", module + "ipc/keeping", module + "parent", module + "parent/logger", module + "conf", module + "ipc", module + "vault", "golang.org/x/sys/unix"},
	"cmd/rvrrpd-sniff":   {module + "cmd/signals", module + "conf", module + "conf/checked", module + "ipc", module + "sniff", module + "vault", "golang.org/x/sys/unix"},
	"cmd/rvrrpd-spawn":   {module + "cmd/effects", module + "ipc", module + "spawn"},
	"conf/checked":       {module + "conf", module + "conf/source"},
	"conf/plan":          {module + "conf", module + "conf/source"},
	"cmd/rvrrpd-check":   {module + "conf", module + "conf/checked", module + "conf/plan", module + "conf/source", module + "conf/suffix", module + "ipc", module + "pace", module + "parent", module + "records", module + "vault", module + "walls/account"},
	"cmd/rvrrpd-audit":   {module + "audit", module + "ipc"},
	"cmd/rvrrpd-netproc": {module + "cmd/confined", module + "netproc", module + "netproc/sandbox", module + "ipc"},
}

// mustNot are standard packages that are kept out of single packages.
var mustNot = map[string][]string{
	"netproc":      {"os", "net", "log", "log/slog", "syscall", "os/exec"},
	"netproc/wire": {"os", "net", "log", "syscall", "time/tzdata"},
	"netproc/auth": {"os", "net", "log", "syscall", "math/rand"},
	"ipc":          {"os/exec", "net", "log"},
	"parent":       {"os/exec", "net/http", "plugin"},
}

// onlyStandard: packages whose standard library imports are listed in mayImport.
var onlyStandard = map[string]bool{"engine": true}

func list(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.Fields(string(out))
}

func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func TestImportTable(t *testing.T) {
	t.Parallel()
	for pkg, allowed := range mayImport {
		for _, imp := range list(t, "-f", `{{join .Imports "\n"}}`, "./"+pkg) {
			if standard(imp) && !onlyStandard[pkg] {
				for _, bad := range mustNot[pkg] {
					if imp == bad {
						t.Errorf("%s imports %s", pkg, imp)
					}
				}
				continue
			}
			found := false
			for _, a := range allowed {
				found = found || a == imp
			}
			if !found {
				t.Errorf("%s imports %s", pkg, imp)
			}
		}
	}
}

// TestLinkedPackages shows what the linker put into each program, however it
// came there.
func TestLinkedPackages(t *testing.T) {
	t.Parallel()
	for program, absent := range map[string][]string{
		"rvrrpd":         {module + "parent", module + "conf/source", "BurntSushi", module + "engine", module + "netproc", module + "spawn", module + "audit", module + "sniff", module + "capture", "vishvananda", "mdlayher", "google/nftables", "libseccomp", "runtime/cgo", "net/http"},
		"rvrrpd-parent":  {module + "cmd/effects", module + "conf/nearest", module + "conf/suffix", module + "conf/source", module + "conf/checked", module + "conf/plan", module + "read", "BurntSushi", module + "ipc/sniffing", module + "ipc/report", module + "ipc/telling", module + "keeper/logs", module + "keeper/routes", module + "engine", module + "netproc", module + "spawn", module + "audit", module + "sniff", module + "capture", module + "walls/rules", "x/crypto", "libseccomp", "runtime/cgo", "net/http"},
		"rvrrpd-spawn":   {module + "parent", module + "conf", module + "engine", module + "netproc", "vishvananda", "mdlayher", "google/nftables", "libseccomp", "runtime/cgo", "BurntSushi", "net/http", "log/slog", "encoding/json"},
		"rvrrpd-audit":   {module + "parent", module + "conf", module + "spawn", module + "netproc", "vishvananda", "mdlayher", "runtime/cgo", "BurntSushi", "net/http"},
		"rvrrpd-sniff":   {module + "parent", module + "engine", module + "netproc", module + "spawn", module + "walls/rules", "mdlayher", "google/nftables", "libseccomp", "runtime/cgo", "net/http"},
		"rvrrpd-read":    {module + "parent", module + "engine", module + "spawn", "vishvananda", "mdlayher", "google/nftables", "libseccomp", "runtime/cgo", "net/http"},
		"rvrrpd-keeper":  {module + "parent", module + "conf", module + "engine", module + "netproc/wire", module + "spawn", "vishvananda", "mdlayher", "google/nftables", "libseccomp", "runtime/cgo", "BurntSushi", "net/http"},
		"rvrrpd-netproc": {module + "parent", module + "keeper", module + "conf", "vishvananda", "mdlayher", "libseccomp", "runtime/cgo", "BurntSushi", "net/http"},
	} {
		for _, dep := range list(t, "-deps", "./cmd/"+program) {
			for _, a := range absent {
				if strings.Contains(dep, a) {
					t.Errorf("%s links %s", program, dep)
				}
			}
		}
	}
}

// rootLines is the most code, without comments, blank lines and what is
// generated, that an auditor of the root process has to read: all of ours that
// is linked into it. It only falls.
const rootLines = 11360

func TestRootCodeIsShort(t *testing.T) {
	t.Parallel()
	total := 0
	for _, pkg := range list(t, "-deps", "./cmd/rvrrpd-parent") {
		if !strings.HasPrefix(pkg, module) {
			continue
		}
		lines := 0
		for _, file := range list(t, "-f", `{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}`, pkg) {
			lines += codeLines(t, file)
		}
		t.Logf("%s: %d lines of code", strings.TrimPrefix(pkg, module), lines)
		total += lines
	}
	t.Logf("all that is linked into rvrrpd-parent: %d", total)
	if total == 0 || total > rootLines {
		t.Errorf("what is linked into rvrrpd-parent has %d lines of code of our own, at most %d", total, rootLines)
	}
}

// codeLines counts the lines of a file that was not generated.
func codeLines(t *testing.T, file string) (lines int) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(string(b), "// Code generated") { // from what is counted, and compared with it
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			lines++
		}
	}
	return lines
}
