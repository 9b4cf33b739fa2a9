//go:build lab

package parent

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/rvrrpd/rvrrpd/conf"
	"golang.org/x/sys/unix"
)

// Of a process behind the walls: which, what it tries, and in which directory
// its files are.
const (
	wallsVariable = "RVRRPD_TEST_WALLS"
	wallsDir      = "RVRRPD_TEST_DIR"
)

func TestMain(m *testing.M) {
	if who, attempt, is := strings.Cut(os.Getenv(wallsVariable), " "); is {
		os.Exit(behindWalls(who, attempt))
	}
	os.Exit(m.Run())
}

// behindWalls makes one attempt behind the walls of the parent or the spawner
// and says how it went.
func behindWalls(who, attempt string) int {
	dir := os.Getenv(wallsDir)
	kept := map[string][]uintptr{"parent": parentKept, "spawner": spawnerKept}[who]
	if err := confine(kept); err != nil {
		fmt.Println("walls:", err)
		return 1
	}
	var err error
	if who == "parent" {
		runDir = filepath.Join(dir, "run")
		d := &daemon{log: slog.New(slog.NewTextHandler(io.Discard, nil))}
		err = d.restrict(Options{File: filepath.Join(dir, "conf"), Config: &conf.Config{StateDir: filepath.Join(dir, "state")}})
	} else {
		err = loadFilter(spawnerFilter)
	}
	if err != nil {
		fmt.Println("walls:", err)
		return 1
	}
	fmt.Println(outcome(attempts[attempt](dir)))
	return 0
}

func outcome(err error) string {
	if err == nil {
		return "works"
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

func call(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

func socketOf(family, kind, protocol int) func(string) error {
	return func(string) error {
		_, err := unix.Socket(family, kind, protocol)
		return err
	}
}

func write(path string, flags int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|flags, 0o600)
	if err == nil {
		f.Close()
	}
	return err
}

func raise(capability int) error {
	header, data := capData(append([]uintptr{uintptr(capability)}, parentKept...))
	return call(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)))
}

var attempts = map[string]func(dir string) error{
	"execve": func(string) error { return unix.Exec("/bin/true", []string{"true"}, nil) },
	"fork":   func(string) error { return call(unix.SYS_CLONE, uintptr(unix.SIGCHLD)) },
	"new user namespace": func(string) error {
		return call(unix.SYS_CLONE, uintptr(unix.CLONE_NEWUSER|unix.SIGCHLD))
	},
	"unshare":          func(string) error { return unix.Unshare(unix.CLONE_NEWNS) },
	"setns":            func(string) error { return unix.Setns(0, 0) },
	"ptrace":           func(string) error { return unix.PtraceAttach(1) },
	"process_vm_readv": func(string) error { return call(unix.SYS_PROCESS_VM_READV, 1) },
	"bpf":              func(string) error { return call(unix.SYS_BPF, 0) },
	"io_uring":         func(string) error { return call(unix.SYS_IO_URING_SETUP, 1) },
	"userfaultfd":      func(string) error { return call(unix.SYS_USERFAULTFD) },
	"keyctl":           func(string) error { return call(unix.SYS_KEYCTL) },
	"module":           func(string) error { return call(unix.SYS_INIT_MODULE) },
	"kexec":            func(string) error { return call(unix.SYS_KEXEC_LOAD) },
	"memfd":            func(string) error { _, err := unix.MemfdCreate("x", 0); return err },
	"perf":             func(string) error { return call(unix.SYS_PERF_EVENT_OPEN) },
	"mount":            func(string) error { return unix.Mount("", "/", "", unix.MS_BIND|unix.MS_REMOUNT, "") },
	"executable memory": func(string) error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
		return err
	},
	"mprotect":       func(string) error { return call(unix.SYS_MPROTECT, 0, 0, unix.PROT_EXEC) },
	"kill init":      func(string) error { return unix.Kill(1, 0) },
	"setuid":         func(string) error { return call(unix.SYS_SETUID, 65534) },
	"chroot":         func(string) error { return unix.Chroot("/") },
	"reboot":         func(string) error { return call(unix.SYS_REBOOT) },
	"TCP":            socketOf(unix.AF_INET, unix.SOCK_STREAM, 0),
	"MPTCP":          socketOf(unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_MPTCP),
	"ICMP":           socketOf(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP),
	"Unix socket":    socketOf(unix.AF_UNIX, unix.SOCK_STREAM, 0),
	"vsock":          socketOf(unix.AF_VSOCK, unix.SOCK_STREAM, 0),
	"netlink":        socketOf(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE),
	"nftables":       socketOf(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER),
	"netlink audit":  socketOf(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT),
	"netlink uevent": socketOf(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT),
	"UDP":            socketOf(unix.AF_INET, unix.SOCK_DGRAM, 0),
	"UDP, IPv6":      socketOf(unix.AF_INET6, unix.SOCK_DGRAM, 0),
	"ping socket":    socketOf(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP),
	"tty":            func(string) error { _, err := unix.IoctlGetInt(0, unix.TIOCSTI); return err },
	"thread of init": func(string) error { return call(unix.SYS_TGKILL, 1, 1, 0) },
	"packet socket":  socketOf(unix.AF_PACKET, unix.SOCK_RAW, 0),
	"VRRP":           socketOf(unix.AF_INET, unix.SOCK_RAW, 112),
	"CAP_SYS_ADMIN":  func(string) error { return raise(unix.CAP_SYS_ADMIN) },
	"CAP_SETUID":     func(string) error { return raise(unix.CAP_SETUID) },
	"read shadow":    func(string) error { _, err := os.ReadFile("/etc/shadow"); return err },
	"list the root":  func(string) error { _, err := os.ReadDir("/"); return err },
	"core_pattern":   func(string) error { return write("/proc/sys/kernel/core_pattern", 0) },
	"environment":    func(string) error { _, err := os.ReadFile("/proc/1/environ"); return err },
	"read the conf":  func(dir string) error { _, err := os.ReadFile(filepath.Join(dir, "conf")); return err },
	"write the conf": func(dir string) error { return write(filepath.Join(dir, "conf"), 0) },
	"new conf":       func(dir string) error { return write(filepath.Join(dir, "conf.new"), os.O_CREATE) },
	"lock":           func(dir string) error { return write(filepath.Join(dir, "run", "lock"), os.O_CREATE) },
	"state":          func(dir string) error { return replaceFile(filepath.Join(dir, "state", "replay"), []byte("x")) },
	"settings":       func(string) error { return writeSysctl("ipv4", "lo", "arp_ignore", "0") },
}

// TestWalls: what the parent and the spawner cannot do, whoever runs them;
// and what they still can.
func TestWalls(t *testing.T) {
	t.Parallel()
	const killed, refused = "killed", "EPERM"
	for who, wants := range map[string]map[string]string{
		"parent": {
			"execve": killed, "fork": refused, "new user namespace": refused, "unshare": killed, "setns": killed, "ptrace": killed,
			"process_vm_readv": killed, "bpf": killed, "io_uring": killed, "userfaultfd": killed, "keyctl": killed, "module": killed,
			"kexec": killed, "memfd": killed, "perf": killed, "mount": killed, "executable memory": refused, "mprotect": refused,
			"kill init": refused, "setuid": refused, "chroot": refused, "reboot": refused, "TCP": refused, "MPTCP": refused,
			"ICMP": refused, "UDP": refused, "UDP, IPv6": refused, "ping socket": refused, "netlink audit": refused, "netlink uevent": refused,
			"tty": refused, "thread of init": refused, "Unix socket": refused, "vsock": refused, "CAP_SYS_ADMIN": refused, "CAP_SETUID": refused,
			"read shadow": "EACCES", "list the root": "EACCES", "core_pattern": "EACCES", "environment": "EACCES",
			"write the conf": "EACCES", "new conf": "EACCES",
			"netlink": "works", "nftables": "works", "packet socket": "works", "VRRP": "works", "read the conf": "works", "lock": "works", "state": "works", "settings": "works",
		},
		"spawner": {
			"unshare": killed, "setns": killed, "ptrace": killed, "process_vm_readv": killed, "bpf": killed, "io_uring": killed,
			"userfaultfd": killed, "keyctl": killed, "module": killed, "kexec": killed, "memfd": killed, "perf": killed,
			"fork": refused, "new user namespace": refused, "mount": refused, "executable memory": refused, "chroot": refused, "reboot": refused,
			"TCP": killed, "MPTCP": killed, "ICMP": killed, "Unix socket": killed, "vsock": killed, "netlink": killed, "packet socket": killed, "VRRP": killed,
			"CAP_SYS_ADMIN": refused, "core_pattern": "works", "setuid": "works",
		},
	} {
		for attempt, want := range wants {
			t.Run(who+" "+attempt, func(t *testing.T) {
				t.Parallel()
				if got := behind(t, who, attempt); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			})
		}
	}
}

// behind runs an attempt in a process of its own.
func behind(t *testing.T, who, attempt string) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"run", "state"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "conf"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{wallsVariable + "=" + who + " " + attempt, wallsDir + "=" + dir, "GODEBUG=updatemaxprocs=0"}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() && ws.Signal() == unix.SIGSYS {
			return "killed"
		}
	}
	return strings.TrimSpace(string(out))
}
