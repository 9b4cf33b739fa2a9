//go:build lab

package spawn

import (
	"testing"

	"github.com/rvrrpd/rvrrpd/walls"
	"github.com/rvrrpd/rvrrpd/walls/attempts"
)

func TestMain(m *testing.M) { attempts.Main(m, behindWalls, nil) }

func behindWalls(string) error {
	if err := walls.Confine(walls.SpawnerKept); err != nil {
		return err
	}
	return walls.LoadFilter(syscallFilter)
}

// TestWalls: what the spawner cannot do, whoever runs it; and what it still can.
func TestWalls(t *testing.T) {
	t.Parallel()
	const killed, refused = "killed", "EPERM"
	for attempt, want := range map[string]string{
		"unshare": killed, "setns": killed, "ptrace": killed, "process_vm_readv": killed, "bpf": killed, "io_uring": killed,
		"userfaultfd": killed, "keyctl": killed, "module": killed, "kexec": killed, "memfd": killed, "perf": killed,
		"fork": refused, "new user namespace": refused, "mount": refused, "executable memory": refused, "chroot": refused, "reboot": refused,
		"TCP": killed, "MPTCP": killed, "ICMP": killed, "Unix socket": killed, "vsock": killed, "netlink": killed, "packet socket": killed, "VRRP": killed,
		"futex requeue": refused, "futex inherit": refused, "futex shared": refused,
		"CAP_SYS_ADMIN": refused, "core_pattern": "works", "setuid": "works",
	} {
		t.Run(attempt, func(t *testing.T) {
			t.Parallel()
			if got := attempts.Behind(t, attempt); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}
