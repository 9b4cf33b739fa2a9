// Package attempts has what a process behind walls must not be able to do, for
// the tests of every process that has them.
package attempts

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of a process behind the walls: what it tries, and in which directory its
// files are.
const (
	variable  = "RVRRPD_TEST_WALLS"
	directory = "RVRRPD_TEST_DIR"
)

// Main is the main function of a test that has attempts: it runs the tests,
// or in a process of their own confines and makes one attempt.
func Main(m *testing.M, confine func(dir string) error, own map[string]func(dir string) error) {
	attempt, dir := os.Getenv(variable), os.Getenv(directory)
	if attempt == "" {
		os.Exit(m.Run())
	}
	maps.Copy(all, own)
	if err := confine(dir); err != nil {
		fmt.Println("walls:", err)
		os.Exit(1)
	}
	fmt.Println(outcome(all[attempt](dir)))
	os.Exit(0)
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

// call makes a system call. Its arguments may be addresses: what they are of must neither move nor
// go before the call is made.
//
//go:uintptrescapes
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
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[capability/32].Permitted |= 1 << (capability % 32)
	data[capability/32].Effective |= 1 << (capability % 32)
	return call(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])))
}

// futexPrivate is FUTEX_PRIVATE_FLAG.
const futexPrivate = 128

// futex makes an operation on a lock that nobody else has.
func futex(operation uintptr) error {
	var word, other uint32
	return call(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), operation, 1, 1, uintptr(unsafe.Pointer(&other)))
}

// all are the attempts, by name; their files are below a directory.
var all = map[string]func(dir string) error{
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
	"futex requeue":  func(string) error { return futex(3 | futexPrivate) },
	"futex inherit":  func(string) error { return futex(6 | futexPrivate) },
	"futex shared":   func(string) error { return futex(1) },
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
}

// Behind makes an attempt in a process of its own and says how it went: "works",
// "killed", or an error.
func Behind(t *testing.T, attempt string) string {
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
	cmd.Env = []string{variable + "=" + attempt, directory + "=" + dir, "GODEBUG=updatemaxprocs=0"}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() && ws.Signal() == unix.SIGSYS {
			return "killed"
		}
	}
	return strings.TrimSpace(string(out))
}
