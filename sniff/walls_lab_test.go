//go:build lab

package sniff

import (
	"testing"

	"github.com/rvrrpd/rvrrpd/walls/attempts"
)

func TestMain(m *testing.M) { attempts.Main(m, func(string) error { return confine() }, nil) }

// TestWalls: what the sniffer cannot do once it has opened what it needs, whoever runs it.
func TestWalls(t *testing.T) {
	t.Parallel()
	const killed, refused = "killed", "EPERM"
	for attempt, want := range map[string]string{
		"execve": killed, "fork": refused, "new user namespace": refused, "unshare": killed, "setns": killed, "ptrace": killed,
		"process_vm_readv": killed, "bpf": killed, "io_uring": killed, "userfaultfd": killed, "keyctl": killed, "module": killed,
		"kexec": killed, "memfd": killed, "perf": killed, "mount": killed, "executable memory": refused, "mprotect": refused,
		"kill init": refused, "setuid": refused, "chroot": refused, "reboot": refused, "TCP": killed, "MPTCP": killed,
		"ICMP": killed, "UDP": killed, "UDP, IPv6": killed, "ping socket": killed, "netlink audit": killed, "netlink uevent": killed,
		"tty": refused, "thread of init": refused, "Unix socket": killed, "vsock": killed, "CAP_SYS_ADMIN": refused, "CAP_SETUID": refused,
		"read shadow": "EACCES", "list the root": "EACCES", "core_pattern": "EACCES", "environment": "EACCES",
		"futex requeue": refused, "futex inherit": refused, "futex shared": refused,
		"read the conf": "EACCES", "write the conf": "EACCES", "new conf": "EACCES",
		"netlink": killed, "nftables": killed, "packet socket": killed, "VRRP": killed, "lock": "EACCES",
	} {
		t.Run(attempt, func(t *testing.T) {
			t.Parallel()
			if got := attempts.Behind(t, attempt); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}
