package sandbox

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// StageVariable names the environment variable that tells the stage.
const StageVariable = "RVRRPD_STAGE"

// securebits: user id 0 means nothing, and stays so; no ambient capability
// can be raised. All locked.
const securebits = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<5 | 1<<6 | 1<<7

// Confine is the first stage: it leaves the file system, gives up every
// privilege and executes the program again. It must be called on the main
// goroutine, locked to its thread, before any other thread matters; it only
// returns with an error.
func Confine() error {
	if err := ownNamespaces(); err != nil {
		return fmt.Errorf("confine: %w", err)
	}
	ignoreSignals()
	program, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("confine: own program: %w", err)
	}
	if err := emptyRoot(); err != nil {
		return fmt.Errorf("confine: file system: %w: it takes mounts of its own, which a container's seccomp or AppArmor profile may refuse (docs/containers.md)", err)
	}
	if err := unix.Sethostname([]byte("rvrrpd")); err != nil {
		return fmt.Errorf("confine: host name: %w", err)
	}
	if err := dropPrivileges(); err != nil {
		return fmt.Errorf("confine: %w", err)
	}
	env := []string{StageVariable + "=2"}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, StageVariable+"=") {
			env = append(env, v)
		}
	}
	return fmt.Errorf("confine: execute again: %w", execveat(program, os.Args[:1], env))
}

// ignoreSignals leaves signals to the parent that are sent to all processes of
// the daemon.
func ignoreSignals() {
	signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE)
}

// ownNamespaces makes sure that this is the parent's doing: outside a user
// namespace of our own the next steps would take the file system from the
// machine. That the mount namespace is ours too shows in their success: the
// kernel allows them only to the owner's capabilities.
func ownNamespaces() error {
	ids, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return fmt.Errorf("user namespace: %w", err)
	}
	// One user: we, who outside are not root. Inside we are 0 where the parent
	// is not root, or it could not look at our descriptors.
	m := strings.Fields(string(ids))
	if len(m) != 3 || m[0] != strconv.Itoa(os.Getuid()) || m[1] == "0" || m[2] != "1" {
		return fmt.Errorf("user namespace is not ours: it maps %q", m)
	}
	// The main thread of the first process: the one that executes again.
	if pid, tid := os.Getpid(), unix.Gettid(); pid != 1 || tid != 1 {
		return fmt.Errorf("pid namespace is not ours: process %d, thread %d", pid, tid)
	}
	return nil
}

// emptyRoot makes an empty, read-only file system the root, and lets go of
// the old one.
func emptyRoot() error {
	const anywhere = "/proc" // a directory that is there; it is covered for a moment
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	steps := []struct {
		what string
		do   func() error
	}{
		{"private mounts", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"tmpfs", func() error { return unix.Mount("empty", anywhere, "tmpfs", flags, "size=4k,nr_inodes=2,mode=0555") }},
		{"chdir", func() error { return unix.Chdir(anywhere) }},
		{"pivot_root", func() error { return unix.PivotRoot(".", ".") }},
		{"unmount", func() error { return unix.Unmount(".", unix.MNT_DETACH) }},
		{"chdir", func() error { return unix.Chdir("/") }},
		{"read-only", func() error { return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|flags, "") }},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

// dropPrivileges empties every capability set of this thread, the one that
// executes again, and makes sure that none can come back.
func dropPrivileges() error {
	for c := uintptr(0); c <= 63; c++ {
		// EINVAL: the kernel knows no such capability.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && err != unix.EINVAL {
			return fmt.Errorf("bounding set: %w", err)
		}
	}
	for _, p := range []struct {
		what string
		a, b uintptr
	}{
		{"securebits", unix.PR_SET_SECUREBITS, securebits},
		{"ambient set", unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL},
		{"no_new_privs", unix.PR_SET_NO_NEW_PRIVS, 1},
	} {
		if err := unix.Prctl(int(p.a), p.b, 0, 0, 0); err != nil {
			return fmt.Errorf("%s: %w", p.what, err)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	return nil
}

// execveat executes the program behind a descriptor.
func execveat(fd int, argv, env []string) error {
	a, err := syscall.SlicePtrFromStrings(argv)
	if err != nil {
		return err
	}
	e, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return err
	}
	empty := [1]byte{}
	_, _, errno := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&empty[0])),
		uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&e[0])), unix.AT_EMPTY_PATH, 0)
	return errno
}
