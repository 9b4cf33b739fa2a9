//go:build lab

package lab_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/rvrrpd/rvrrpd/lab"
)

func TestMain(m *testing.M) {
	if err := errors.Join(lab.Measure(), prepare()); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
	remove, err := lab.Install()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
	restore := lab.Yield()
	code := m.Run()
	restore()
	remove()
	if left := lab.Leftovers(os.Getpid()); len(left) > 0 {
		fmt.Fprintln(os.Stderr, "lab: namespaces left behind:", left)
		code = 1
	}
	os.Exit(code)
}

// prepare refuses what would only fail later, and builds what is tested.
func prepare() error {
	flag.Parse()
	if os.Geteuid() != 0 {
		return fmt.Errorf("needs root, for network namespaces")
	}
	if err := flag.Set("test.parallel", lab.Parallel()); err != nil {
		return err
	}
	if lab.Prebuilt() != "" {
		return nil // in a machine that has what the chosen tests need
	}
	for _, tool := range []string{"ip", "tcpdump", "tshark", "keepalived", "/usr/lib/frr/vrrpd", "setpriv", "nft", "strace", "systemd-analyze", "systemd-nspawn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w (make setup installs it)", err)
		}
	}
	build := exec.Command("make", "-s", "build")
	build.Dir = lab.Root()
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("make build: %w\n%s", err, out)
	}
	return nil
}
