//go:build lab

package parent

import (
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/rvrrpd/rvrrpd/conf"
	"github.com/rvrrpd/rvrrpd/parent/kernel"
	"github.com/rvrrpd/rvrrpd/parent/reader"
	"github.com/rvrrpd/rvrrpd/walls"
	"github.com/rvrrpd/rvrrpd/walls/attempts"
)

func TestMain(m *testing.M) { attempts.Main(m, behindWalls, parentAttempts) }

// parentAttempts are those that the parent's own code makes.
var parentAttempts = map[string]func(dir string) error{
	"state":    func(dir string) error { return ReplaceFile(filepath.Join(dir, "state", "replay"), []byte("x"), 0o600) },
	"settings": func(string) error { return kernel.WriteSetting("ipv4", "lo", "arp_ignore", "0") },
}

func behindWalls(dir string) error {
	if err := walls.Confine(kept); err != nil {
		return err
	}
	runDir = filepath.Join(dir, "run")
	d := &daemon{keeper: unread(), broker: broker{log: slog.New(slog.NewTextHandler(io.Discard, nil))}}
	return d.restrict(Options{Begun: &Begun{Config: &conf.Config{StateDir: filepath.Join(dir, "state")}, source: reader.New(nil, filepath.Join(dir, "conf"), "", false)}})
}

// TestWalls: what the parent cannot do, whoever runs it; and what it still can.
func TestWalls(t *testing.T) {
	t.Parallel()
	const killed, refused = "killed", "EPERM"
	for attempt, want := range map[string]string{
		"execve": killed, "fork": refused, "new user namespace": refused, "unshare": killed, "setns": killed, "ptrace": killed,
		"process_vm_readv": killed, "bpf": killed, "io_uring": killed, "userfaultfd": killed, "keyctl": killed, "module": killed,
		"kexec": killed, "memfd": killed, "perf": killed, "mount": killed, "executable memory": refused, "mprotect": refused,
		"kill init": refused, "setuid": refused, "chroot": refused, "reboot": refused, "TCP": refused, "MPTCP": refused,
		"ICMP": refused, "UDP": refused, "UDP, IPv6": refused, "ping socket": refused, "netlink audit": refused, "netlink uevent": refused,
		"tty": refused, "thread of init": refused, "Unix socket": refused, "vsock": refused, "CAP_SYS_ADMIN": refused, "CAP_SETUID": refused,
		"read shadow": "EACCES", "list the root": "EACCES", "core_pattern": "EACCES", "environment": "EACCES",
		"futex requeue": refused, "futex inherit": refused, "futex shared": refused,
		"write the conf": "EACCES", "new conf": "EACCES",
		"netlink": "works", "nftables": "works", "packet socket": "works", "VRRP": "works", "read the conf": "works", "lock": "works", "state": "works", "settings": "works",
	} {
		t.Run(attempt, func(t *testing.T) {
			t.Parallel()
			if got := attempts.Behind(t, attempt); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}
